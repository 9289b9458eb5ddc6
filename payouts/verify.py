"""What `manage.py verify` looks at: the walls in the catalogue, the chains, the ledger, the batches, and that nothing
appeared or vanished between earning and pay. Reads only; each check says what it looked at and names what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Count, Model, Q, Sum

from comp.audit.models import AuditEntry
from comp.audit.services import payload as audit_payload
from comp.core.chain import GENESIS, link
from comp.outbox.selectors import messages_parked, messages_waiting
from comp.people.erasure import entry_sha256, redactions_digest
from comp.people.models import Erasure, Redaction
from comp.tenancy.walls import APP, PAY, AppendOnly, HistoryTrigger, Trigger
from crediting.models import WaitingCredit
from payouts.models import (
    Batch,
    BatchLine,
    BatchPerson,
    BatchSettlement,
    ChangedScope,
    CutOver,
    Earning,
    LedgerTransaction,
    Payable,
)
from payouts.models.settlements import CARRIED, EFFECT, WITHHELD
from payouts.reads.balance import unbalanced
from payouts.reads.digests import switch_digest
from payouts.reads.lines import BATCH_STATES
from payouts.reads.unconverted import waiting_payables
from payouts.selectors import TAKEN
from payouts.selectors_batches import line_facts, lines_digest, person_digests, scopes_failed, subject_totals
from payouts.selectors_settlements import all_facts, bound, of_batch, settlement_facts
from payouts.services import ledger
from payouts.services.batch_steps import statements_of
from payouts.services.ledger_checks import ledger_problems
from payouts.services.payment_checks import payment_problems, payment_states
from payouts.services.replay import differences_found


@dataclass(frozen=True)
class Check:
    """One thing looked at: how much of it, and what is wrong (nothing: it holds)."""

    name: str
    looked_at: str
    wrong: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.wrong


# ------------------------------------------------------------------ the walls, in the catalogue

#: Tables with a tenant that stand outside the tenant wall, each with the reason.
OUTSIDE = {
    "tenancy_membership": "read before the tenant is known; a policy of its own shows a user's own rows",
    "tenancy_endpointroute": "read before the tenant is known; an address and a tenant, nothing else",
}

_TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""
_POLICIES = """
SELECT c.relname, p.polpermissive, p.polcmd::text, coalesce(pg_get_expr(p.polqual, p.polrelid), ''),
    coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''),
    ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY(p.polroles))
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace
"""
_FOREIGN = """
SELECT k.conname, c.relname,
    (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]),
    (SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1])
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f'
    AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'tenant_id')
    AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attname = 'tenant_id')
"""
_UNIQUES = """
SELECT i.relname, c.relname, coalesce(a.attname::text, 'an expression')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
WHERE (x.indisunique OR x.indisexclusion) AND NOT x.indisprimary AND c.relnamespace = 'public'::regnamespace
    AND EXISTS (SELECT 1 FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
"""
_TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
"""
_GRANTS = """
SELECT c.relname, r.rolname, w.word, has_table_privilege(r.oid, c.oid, w.word),
    w.word = 'UPDATE' AND has_any_column_privilege(r.oid, c.oid, w.word)
FROM pg_class c, pg_roles r, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) w (word)
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) AND r.rolname = ANY(%s)
"""


def walls() -> Check:
    """Every tenant table is walled by force, every pay table twice; keys and uniques start with the tenant; the roles
    can pass no wall."""
    tables = {name: (secured, forced) for name, secured, forced in _rows(_TABLES) if name not in OUTSIDE}
    policies: dict[str, list[Any]] = {}
    for table, *policy in _rows(_POLICIES):
        policies.setdefault(table, []).append(policy)
    pay_tables = {m._meta.db_table for m in _models() if getattr(m, "shows_pay", False)}
    expected = {m._meta.db_table for m in _models() if any(f.column == "tenant_id" for f in m._meta.concrete_fields)}
    wrong = [f"{table} is in the models and not in the database" for table in sorted(expected - {*tables, *OUTSIDE})]
    for table, (secured, forced) in tables.items():
        if not secured or not forced:
            wrong.append(f"{table}: row security is {'not forced' if secured else 'off'}")
        if not any(_is_tenant_wall(policy) for policy in policies.get(table, [])):
            wrong.append(f"{table}: no restrictive policy by tenant for all roles and commands")
        if table in pay_tables:
            for role, column in ((APP, "participant_id"), (PAY, "pay_group_id")):
                if not any(_is_pay_wall(policy, role, column) for policy in policies.get(table, [])):
                    wrong.append(f"{table}: no restrictive pay policy by {column} for {role}")
    for key, table, column, target in _rows(_FOREIGN):
        if table not in OUTSIDE and (column, target) != ("tenant_id", "tenant_id"):
            wrong.append(f"{table}: foreign key {key} does not start with tenant_id")
    for index, table, column in _rows(_UNIQUES):
        if table not in OUTSIDE and column != "tenant_id":
            wrong.append(f"{table}: unique {index} starts with {column}: it would tell of another tenant's rows")
    wrong.extend(_roles_wrong())
    wrong.extend(_triggers_wrong())
    wrong.extend(_grants_wrong())
    return Check("Walls", f"{len(tables)} tables of tenants, {len(pay_tables)} of them show pay", sorted(wrong))


def _is_tenant_wall(policy: list[Any]) -> bool:
    permissive, command, using, check, roles = policy
    named = all("tenant_id" in text and "app.tenant" in text for text in (using, check))
    return not permissive and command == "*" and named and not roles


def _is_pay_wall(policy: list[Any], role: str, column: str) -> bool:
    permissive, command, using, check, roles = policy
    return (
        not permissive and command == "*" and column in using and "app.pay" in using and not check and roles == [role]
    )


def _roles_wrong() -> Iterator[str]:
    held = _rows("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = ANY(%s)", [[APP, PAY]])
    for role in sorted({APP, PAY} - {name for name, _, _ in held}):
        yield f"role {role} does not exist"
    for role, superuser, bypasses in held:
        if superuser or bypasses:
            yield f"role {role} passes every wall: it is a superuser or has BYPASSRLS"
    owned = "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' AND tableowner = ANY(%s)"
    for table, owner in _rows(owned, [[APP, PAY]]):
        yield f"{table} is owned by {owner}, which could take its walls down"


def _triggers_wrong() -> Iterator[str]:
    """Tables that are only ever added to keep their triggers, switched on whatever the session says."""
    found = {(table, trigger): enabled for table, trigger, enabled in _rows(_TRIGGERS)}
    for model in _models():
        for constraint in model._meta.constraints:
            names = [constraint.name] if isinstance(constraint, HistoryTrigger | Trigger) else []
            if isinstance(constraint, AppendOnly):
                names = [f"{constraint.name}_d", f"{constraint.name}_u"]
            for name in names:
                enabled = found.get((model._meta.db_table, name))
                if enabled != "A":
                    is_ = "missing" if enabled is None else "not always on"
                    yield f"{model._meta.db_table}: trigger {name} is {is_}"


def _grants_wrong() -> Iterator[str]:
    """Tables that are only ever added to: the runtime roles may change the columns that move, and nothing else."""
    changing = {
        m._meta.db_table: c.changing for m in _models() for c in m._meta.constraints if isinstance(c, AppendOnly)
    }
    for table, role, right, whole, some in _rows(_GRANTS, [list(changing), [APP, PAY]]):
        if whole or (some and not changing[table]):
            yield f"{table}: {role} has {right}, and its rows are only ever added"


# ------------------------------------------------------------------ chains


def audit_chain() -> Check:
    """Each audit entry's digest covers it and the one before; numbers have no gaps."""
    entries = AuditEntry.objects.order_by("number").iterator(chunk_size=2000)
    redacted = dict(
        Redaction.objects.filter(table=AuditEntry._meta.db_table, column="payload")
        .order_by("id")
        .values_list("row", "after_sha256")
    )

    def is_redacted(entry: AuditEntry) -> bool:
        return redacted.get(entry.pk) == entry_sha256(entry)

    count, wrong = _chain(entries, audit_payload, "audit entry", is_redacted)
    return Check("Audit chain", f"{count} entries", wrong + list(_erasures_wrong()))


def _erasures_wrong() -> Iterator[str]:
    """What an erasure replaced is what the audit trail says of it: nothing else can hide behind one."""
    told = {
        (after or {})["digest"]: subject
        for subject, after in AuditEntry.objects.filter(code="participant.erase").values_list("subject_id", "after")
    }
    for erasure in Erasure.objects.exclude(done_at=None):
        found = redactions_digest(erasure)
        if found != erasure.digest or told.get(found) != str(erasure.participant_id):
            yield f"the erasure of {erasure}: what it replaced is not what the audit trail tells of it"


def ledger_chain() -> Check:
    """Each posting's digest covers it, its entries and the posting before; batches and the audit trail name it."""
    shown = {key: digest or "" for key, digest in LedgerTransaction.objects.values_list("id", "batch__digest")}
    postings = list(LedgerTransaction.objects.order_by("number"))
    count, wrong = _chain(iter(postings), lambda posting: ledger.payload(posting, shown[posting.pk]), "posting")
    heads = set(LedgerTransaction.objects.values_list("digest", flat=True))
    # The chain alone cannot tell that its end was cut off: what others noted of it can.
    noted = AuditEntry.objects.filter(code__in=["batch.approve", "batch.post", "batch.paid"]).values_list(
        "number", "after"
    )
    wrong += [
        f"audit entry {number} names posting {after['ledger'][:12]}…, which is gone"
        for number, after in noted
        if after and after.get("ledger") and after["ledger"] not in heads
    ]
    wrong += [
        f"batch {batch} names posting {batch.ledger_head[:12]}…, which is gone"
        for batch in Batch.objects.exclude(ledger_head="")
        if batch.ledger_head not in heads
    ]
    return Check("Ledger chain", f"{count} postings", wrong)


def _chain(
    rows: Iterable[Any],
    payload: Callable[[Any], str],
    what: str,
    excused: Callable[[Any], bool] = lambda row: False,
) -> tuple[int, list[str]]:
    """How many rows were read, and the first bad one: behind it every link is broken for that one reason. `excused`
    rows say something else than they did, and are bound otherwise."""
    before, count = GENESIS, 0
    for count, row in enumerate(rows, start=1):
        if row.number != count:
            return count, [f"{what} {count} is missing: the next one is {row.number}"]
        if row.previous_digest != before:
            return count, [f"{what} {row.number} does not follow the one before it"]
        if link(before, payload(row)) != row.digest and not excused(row):
            return count, [f"{what} {row.number} was changed: its digest is another one"]
        before = row.digest
    return count, []


# ------------------------------------------------------------------ ledger and batches


def ledger_balance() -> Check:
    """Every posting balances for everybody, holds the entries it was sealed with, and books what its batch says."""
    looked_at, wrong = ledger_problems()
    return Check("Ledger balance", looked_at, wrong)


def payments_right() -> Check:
    """Payments are what batches owe, and the ledger says paid of what payroll paid."""
    looked_at, wrong = payment_problems()
    return Check("Payments", looked_at, wrong)


#: What the audit trail has to say of a batch in each state.
_STEPS = {
    Batch.State.IN_REVIEW: {"batch.lock"},
    Batch.State.SUBMITTED: {"batch.submit"},
    Batch.State.APPROVED: {"batch.submit", "batch.approve"},
    Batch.State.POSTED: {"batch.submit", "batch.approve"},
    Batch.State.PAID: {"batch.submit", "batch.approve", "batch.export", "batch.paid"},
    Batch.State.CLOSED: {"batch.submit", "batch.approve", "batch.export", "batch.paid", "batch.close"},
    Batch.State.REJECTED: {"batch.submit", "batch.reject"},
    Batch.State.VOIDED: {"batch.void"},
}
#: A batch's state to that of its statements.
_STATEMENTS = {batch: state for state, batches in BATCH_STATES.items() for batch in batches}


def batch_digests() -> Check:
    """Each batch's lines are those whose digest was shown and approved; statements and audit say the same. What
    a signed switch brings forward is what was signed."""
    wrong: list[str] = []
    batches = list(Batch.objects.order_by("id"))
    told = set(AuditEntry.objects.filter(subject_kind="payouts.batch").values_list("subject_id", "code"))
    for batch in batches:
        lines = BatchLine.objects.filter(batch=batch)
        facts = line_facts(lines)
        settled = settlement_facts(*of_batch(batch.pk))
        if bound(lines_digest(facts), all_facts(settled)) != batch.digest:
            wrong.append(f"{batch} (id {batch.pk}): its lines are not those that were submitted")
        people = len({*settled, *lines.order_by().values_list("participant_id", flat=True).distinct()})
        if (people, len(facts), subject_totals(batch)) != (batch.people, batch.lines, batch.totals):
            wrong.append(f"{batch} (id {batch.pk}): people, lines or totals are not those of its lines")
        steps = set(_STEPS[Batch.State(batch.state)])
        if batch.deals is not None:  # a batch of today's way, which says more
            steps |= {"batch.lock"} | ({"batch.post"} if batch.posted_at else set())
        for code in sorted(steps):
            if (str(batch.pk), code) not in told:
                wrong.append(f"{batch} (id {batch.pk}) is {batch.state}, and no audit entry {code} tells of it")
        wrong.extend(_people_wrong(batch, lines))
        if batch.state in TAKEN:
            digests = person_digests(facts)
            digests |= {said[0][0]: bound(digests.get(said[0][0], lines_digest([])), said) for said in settled.values()}
            wrong.extend(_statements_wrong(batch, lines, digests))
            wrong.extend(_settled_wrong(batch))
    for switch in CutOver.objects.filter(state=CutOver.State.SIGNED).select_related("batch"):
        if switch_digest(switch) != switch.digest:
            wrong.append(f"{switch} (id {switch.pk}): what it brings forward is not what was signed")
    return Check("Batches", f"{len(batches)} batches, {BatchLine.objects.count()} lines", wrong)


def _people_wrong(batch: Batch, lines: Any) -> Iterator[str]:
    """Sums by person that pages show are those of the lines; a batch from before they were kept has none."""
    by = ("participant__key", "currency")
    kept = BatchPerson.objects.filter(batch=batch)
    if not kept.exists():
        return
    sums = {(key, currency): (minor, count) for key, currency, minor, count in lines.values_list(*by).annotate(
        minor=Sum("amount_minor"), count=Count("id"))}  # fmt: skip
    settled = BatchSettlement.objects.filter(batch=batch).order_by().values_list(*by)
    for key, currency, effect in settled.annotate(effect=Sum(EFFECT)):
        minor, count = sums.get((key, currency), (0, 0))
        sums[key, currency] = minor + effect, count
    for key, currency, count, *minors in kept.values_list(
        *by, "lines", "released_minor", "adjustments_minor", "manual_minor", "settled_minor"
    ):
        if (sum(minors), count) != sums.pop((key, currency), (0, 0)):
            yield f"{batch} (id {batch.pk}): the sum kept of {key} is not that of its lines"
    for key, _ in sums:
        yield f"{batch} (id {batch.pk}): no sum is kept of {key}"


def _statements_wrong(batch: Batch, lines: Any, digests: dict[str, str]) -> Iterator[str]:
    released = Q(kind=Payable.Kind.RELEASE)
    sums = {
        row["participant__key"]: (row["released"], row["adjusted"], row["count"])
        for row in lines.values("participant__key").annotate(
            released=Sum("amount_minor", filter=released, default=0),
            adjusted=Sum("amount_minor", filter=~released, default=0),
            count=Count("id"),
        )
    }
    state = _STATEMENTS[Batch.State(batch.state)]
    expected = payment_states(batch)
    statements = statements_of(batch)
    for statement in statements.select_related("participant"):
        key = statement.participant.key
        said = (statement.released_minor, statement.adjustments_minor, statement.lines)
        if said != sums.pop(key, (0, 0, 0)) or statement.digest != digests.get(key, lines_digest([])):
            yield f"statement of {key} for {batch}: it is not what the batch's lines add up to"
        elif statement.state != expected.get(statement.participant_id, state):
            yield f"statement of {key} for {batch}: it is {statement.state}, the batch is {batch.state}"
    for key in sums:
        yield f"statement of {key} for {batch}: it is missing"


def _settled_wrong(batch: Batch) -> Iterator[str]:
    """Statements say of settlements what the batch took of them."""
    columns = ("topped_up_minor", "recovered_minor", "forgiven_minor")
    rows = BatchSettlement.objects.filter(batch=batch).order_by().values_list("participant__key")
    sums = {
        key: tuple(map(int, minors))
        for key, *minors in rows.annotate(*(Sum(name) for name in columns), held=Sum(WITHHELD), carried=Sum(CARRIED))
    }
    said = (*columns, "withheld_minor", "carried_minor")
    for key, *minors in statements_of(batch).values_list("participant__key", *said):
        if tuple(minors) != sums.pop(key, (0,) * len(said)):
            yield f"statement of {key} for {batch}: it is not what the batch's settlements add up to"
    for key in sums:
        yield f"statement of {key} for {batch}: it is missing"


# ------------------------------------------------------------------ figures


def identity() -> Check:
    """What is earned waits, is payable, in a batch or paid, for everybody."""
    sums, wrong = unbalanced()
    return Check("Nothing appears or vanishes", f"{sums} people and currencies", [text for _, text in wrong])


def incremental() -> Check:
    """What stands, change by change, is what a recomputation of everything gives."""
    lines = Earning.objects.count()
    if stuck := messages_parked():
        return Check("Incremental = full", "nothing yet", [f"news that failed: {one}" for one in stuck])
    if waiting := ChangedScope.objects.count() + messages_waiting():
        wait = f"{waiting} recomputations wait: look again when they are done"
        return Check("Incremental = full", "nothing yet", [wait, *scopes_failed()])
    looked_at = f"{lines} lines recomputed"
    if unconverted := WaitingCredit.objects.count():
        looked_at += f", {unconverted} credits wait for a rate of exchange"
    if unpaid := waiting_payables().count():
        looked_at += f", {unpaid} payables wait for a rate of exchange"
    return Check("Incremental = full", looked_at, differences_found())


CHECKS: tuple[Callable[[], Check], ...] = (
    audit_chain,
    ledger_chain,
    ledger_balance,
    payments_right,
    batch_digests,
    identity,
    incremental,
)


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]


def _rows(query: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()
