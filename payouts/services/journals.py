"""Journals for the general ledger: each posting once, in accounts by dated mappings, balanced, numbered, with a digest.
docs/algorithms/ledger.md

Cost centre and legal entity are looked up here and kept with the journal: they are Finance's to correct until it is
made, while an entry never changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from comp.audit.services import record
from comp.core.canonical import digest
from comp.core.errors import CompError, refused
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Account, GlMapping, Journal, JournalLine, JournalPosting, LedgerTransaction
from payouts.services import ledger
from plans.models import Plan

#: Entries of postings that no journal has, where and when they count, and the account that says most of them.
_LINES = """
WITH free AS (
    SELECT t.id, t.kind, t.day, coalesce(b.pay_on, t.day) AS pay_day FROM payouts_ledgertransaction t
    LEFT JOIN payouts_batch b ON b.id = t.batch_id
    WHERE t.day <= %(through)s AND NOT EXISTS (SELECT 1 FROM payouts_journalposting j WHERE j.transaction_id = t.id)
), placed AS (
    SELECT f.day, f.kind, e.account, coalesce(p.key, '') AS plan, e.component, coalesce(c.value, '') AS cost_centre,
        coalesce(n.value, '') AS entity, e.currency, sum(e.amount_minor) AS minor
    FROM free f JOIN payouts_ledgerentry e ON e.transaction_id = f.id LEFT JOIN plans_plan p ON p.id = e.plan_id
    LEFT JOIN people_attribute c ON c.participant_id = e.participant_id AND c.name = 'cost_centre'
        AND c.starts_on <= f.pay_day AND (c.ends_on IS NULL OR c.ends_on > f.pay_day)
    LEFT JOIN people_attribute n ON n.participant_id = e.participant_id AND n.name = 'entity'
        AND n.starts_on <= f.pay_day AND (n.ends_on IS NULL OR n.ends_on > f.pay_day)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), mapped AS (
    SELECT x.*, m.code, m.name FROM placed x LEFT JOIN LATERAL (
        SELECT m.code, m.name FROM payouts_glmapping m
        WHERE m.account = x.account AND m.starts_on <= x.day AND (m.ends_on IS NULL OR m.ends_on > x.day)
            AND m.plan IN ('', x.plan) AND m.component IN ('', x.component)
            AND m.cost_centre IN ('', x.cost_centre) AND m.entity IN ('', x.entity)
        ORDER BY (m.component <> '')::int + (m.plan <> '')::int + (m.cost_centre <> '')::int
            + (m.entity <> '')::int DESC, m.component DESC, m.plan DESC, m.cost_centre DESC, m.entity DESC
        LIMIT 1
    ) m ON true
)
"""
_UNMAPPED = (
    _LINES
    + """
SELECT DISTINCT account, plan, component, cost_centre, entity FROM mapped WHERE code IS NULL ORDER BY 1, 2, 3, 4, 5
"""
)
_NET = (
    _LINES
    + """
SELECT day, kind, account, code, name, cost_centre, entity, currency, sum(minor)::bigint AS minor FROM mapped
GROUP BY day, kind, account, code, name, cost_centre, entity, currency HAVING sum(minor) <> 0
ORDER BY day, kind, entity, currency, code, cost_centre, account, name
"""
)
_FREE = """
SELECT t.id FROM payouts_ledgertransaction t WHERE t.day <= %(through)s
    AND NOT EXISTS (SELECT 1 FROM payouts_journalposting j WHERE j.transaction_id = t.id) ORDER BY t.number
"""


class JournalError(CompError):
    """A journal cannot be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What no mapping fits."""

    account: str
    plan: str
    component: str
    cost_centre: str
    entity: str

    def __str__(self) -> str:
        said = [Account(self.account).label, *filter(None, (self.plan, self.component, self.cost_centre, self.entity))]
        return ", ".join(map(str, said))


def mapping_set(
    *,
    account: str,
    code: str,
    name: str,
    starts_on: date,
    plan: str = "",
    component: str = "",
    cost_centre: str = "",
    entity: str = "",
) -> GlMapping:
    """Which account of the general ledger entries go to from a day on; ends what was said of the same before."""
    if account not in Account.values:
        raise refused("account", account, ", ".join(Account.values), f"{account!r} is no account.")
    if not code.strip() or not name.strip():
        raise refused("code", code, "a code and a name", "An account of the general ledger has a code and a name.")
    if plan and not Plan.objects.filter(key=plan).exists():
        raise refused("plan", plan, "a plan's key, or nothing", f"No plan has the key {plan!r}.")
    key: dict[str, Any] = {
        "account": account,
        "plan": plan,
        "component": component,
        "cost_centre": cost_centre,
        "entity": entity,
    }
    said = GlMapping.objects.filter(**key)
    later = said.filter(starts_on__gt=starts_on).order_by("starts_on").first()
    said.filter(starts_on__lt=starts_on).exclude(ends_on__lte=starts_on).update(ends_on=starts_on)
    row, _ = GlMapping.objects.update_or_create(
        **key,
        starts_on=starts_on,
        defaults={"code": code.strip(), "name": name.strip(), "ends_on": later.starts_on if later else None},
    )
    record(code="ledger.mapping", subject=row, after={**key, "code": row.code, "starts_on": starts_on.isoformat()})
    return row


def unmapped(through: date) -> list[Unmapped]:
    """What of the postings to a day that no journal has fits no mapping. Inside a scope that sees everyone's pay."""
    with connection.cursor() as cursor:
        cursor.execute(_UNMAPPED, {"through": through})
        return [Unmapped(*row) for row in cursor.fetchall()]


def postings_free(through: date) -> int:
    """How many postings to a day no journal has."""
    free = LedgerTransaction.objects.filter(day__lte=through)
    return free.exclude(pk__in=JournalPosting.objects.values("transaction")).count()


def journal_make(*, through: date, made_by: User) -> Journal:
    """Makes a journal of all postings to an accounting day that no journal has. Refused where there are none, and with
    the list of what no mapping fits."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ledger.LOCK, current_tenant_id()])
        params = {"through": through}
        cursor.execute(_FREE, params)
        postings = [key for (key,) in cursor.fetchall()]
        if not postings:
            raise JournalError(f"Every posting to {through:%-d %B %Y} is in a journal already.")
        if missing := unmapped(through):
            more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
            raise JournalError(f"No account is mapped for {'; '.join(map(str, missing[:20]))}{more}.")
        cursor.execute(_NET, params)
        lines = [_line(number, row) for number, row in enumerate(cursor.fetchall(), start=1)]
        last = Journal.objects.first()
        journal = Journal.objects.create(
            number=(last.number if last else 0) + 1,
            through=through,
            made_by=made_by,
            made_at=timezone.now(),
            postings=len(postings),
            lines=len(lines),
            totals=_balanced(lines),
            digest=digest(line_facts(lines)),
        )
        for line in lines:
            line.journal = journal
        JournalLine.objects.bulk_create(lines, batch_size=2000)
        JournalPosting.objects.bulk_create(
            [JournalPosting(journal=journal, transaction_id=key) for key in postings], batch_size=2000
        )
        record(
            code="journal.make",
            subject=journal,
            after={"number": journal.number, "postings": len(postings), "lines": len(lines), "digest": journal.digest},
        )
    return journal


def _line(number: int, row: tuple[Any, ...]) -> JournalLine:
    day, kind, account, code, name, cost_centre, entity, currency, minor = row
    return JournalLine(
        number=number,
        day=day,
        kind=kind,
        account=account,
        code=code,
        name=name,
        cost_centre=cost_centre,
        entity=entity,
        currency=currency,
        debit_minor=max(minor, 0),
        credit_minor=max(-minor, 0),
    )


def line_facts(lines: Iterable[JournalLine]) -> list[list[Any]]:
    """What a journal's digest covers: its lines, in order."""
    return [
        [line.number, line.day.isoformat(), str(line.kind), str(line.account), line.code, line.cost_centre]
        + [line.entity, line.currency, line.debit_minor, line.credit_minor]
        for line in lines
    ]


def _balanced(lines: Iterable[JournalLine]) -> dict[str, int]:
    """The debits by currency, which are the credits too, in each legal entity."""
    debits: dict[str, int] = {}
    off: dict[tuple[str, str], int] = {}
    for line in lines:
        debits[line.currency] = debits.get(line.currency, 0) + line.debit_minor
        at = line.entity, line.currency
        off[at] = off.get(at, 0) + line.debit_minor - line.credit_minor
    if wrong := [
        f"{entity or 'no entity'} by {minor} minor units of {code}" for (entity, code), minor in off.items() if minor
    ]:
        raise JournalError(f"The journal does not balance: {', '.join(wrong)}.")
    return dict(sorted(debits.items()))
