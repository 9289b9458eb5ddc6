"""Posting to the ledger: what batches and the month's close book, set-wise, each once. docs/algorithms/ledger.md

A posting is made of rows (participant, pay group, account, plan, component, currency, amount): a statement in SQL gives
them, so that no posting is ever as large as this process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from comp.core.canonical import canonical_json
from comp.core.chain import GENESIS, link
from comp.people.selectors import today
from comp.tenancy.scope import current_tenant_id
from payouts.models import Account, Adjustment, Batch, LedgerEntry, LedgerTransaction

#: First key of the advisory lock that orders a tenant's postings. Taken after that of the figures, before the audit's.
LOCK = 7005

Kind, Form = LedgerTransaction.Kind, LedgerTransaction.Form

#: The columns of an entry, as a posting's statement gives them.
COLUMNS = "participant_id, pay_group_id, account, plan_id, component, currency, amount_minor"
#: How an entry stands in its posting's content digest, and in which order.
ENTRY_TEXT = "concat_ws('|', participant_id, account, coalesce(plan_id, 0), component, currency, amount_minor)"
CONTENT = f"encode(sha256(convert_to(coalesce(string_agg({ENTRY_TEXT}, chr(10) ORDER BY {ENTRY_TEXT} "
CONTENT += "COLLATE \"C\"), ''), 'UTF8')), 'hex')"

#: What a batch books: its lines as expense by component and as what is owed; then what the waterfall makes of them, by
#: plan. The balance of a draw or clawback is owed by the person: an asset. What is held back or carried is owed to
#: them. Top-ups that nobody owes (guarantees), what is lost to a cap, forgiven or written off are expense.
_BOOKED = """
SELECT l.participant_id, l.pay_group_id, side.account, l.plan_id, l.component, l.currency,
    (sum(l.amount_minor) * side.sign)::bigint AS amount_minor
FROM {lines} l CROSS JOIN (VALUES ('expense', 1), ('payable', -1)) AS side(account, sign)
WHERE l.batch_id = %(batch)s
GROUP BY l.participant_id, l.pay_group_id, side.account, side.sign, l.plan_id, l.component, l.currency
UNION ALL
SELECT s.participant_id, s.pay_group_id, side.account, s.plan_id, '', s.currency, side.minor
FROM {settlements} s CROSS JOIN LATERAL (
    SELECT coalesce(sum(d.balance_minor - d.opened_minor), 0)::bigint AS minor FROM payouts_batchdraw d
    WHERE d.batch_id = s.batch_id AND d.participant_id = s.participant_id AND d.plan_id = s.plan_id
        -- What is brought forward has rows of earlier periods too, for what is held back until other days.
        AND s.period_starts_on = (SELECT starts_on FROM payouts_batch WHERE id = %(batch)s)
) drawn CROSS JOIN LATERAL (VALUES
    ('payable', s.inflow_minor - s.payout_minor),
    ('draw', drawn.minor),
    ('clawback', s.clawback_balance_minor - s.opened_clawback_minor),
    ('held_back', s.held_back_minor + s.returned_minor),
    ('carried',
        s.opened_carried_minor - s.carried_forward_minor + s.opened_kept_minor - s.kept_adjustments_minor),
    ('expense', s.capped_minor + s.forgiven_minor + s.topped_up_minor + s.recovered_minor - drawn.minor)
) AS side(account, minor)
WHERE s.batch_id = %(batch)s
"""
OF_BATCH = _BOOKED.format(lines="payouts_batchline", settlements="payouts_batchsettlement")
#: A table's rows of these people in a batch, person by person: right after a large batch was taken nothing is known of
#: its lines, and the whole batch would be read for each part of it. OFFSET 0 keeps it from becoming a join again.
_EACH = """(SELECT one.* FROM unnest(%(people)s::bigint[]) AS who(id) CROSS JOIN LATERAL (
    SELECT * FROM {table} WHERE batch_id = %(batch)s AND participant_id = who.id OFFSET 0) one)"""
#: What these people of a batch book.
OF_PART = _BOOKED.format(
    lines=_EACH.format(table="payouts_batchline"), settlements=_EACH.format(table="payouts_batchsettlement")
)
#: What an opening batch books: the balances that it brings forward, against what they come from. What was paid and
#: expensed before is in the books of the system before.
OF_OPENING = f"""
SELECT participant_id, pay_group_id, account, plan_id, '' AS component, currency,
    sum(amount_minor)::bigint AS amount_minor
FROM (
    SELECT participant_id, pay_group_id, plan_id, currency, amount_minor,
        CASE WHEN account IN ('draw', 'clawback', 'held_back', 'carried') THEN account ELSE 'opening' END AS account
    FROM ({OF_BATCH}) booked
) sides GROUP BY participant_id, pay_group_id, account, plan_id, currency
"""
#: The triggers that look at a posting when all of its entries are there.
_WHOLE = "ledgerentry_balance, ledger_whole, ledger_is_paid"

#: The content digest of a posting without entries.
NOTHING = hashlib.sha256(b"").hexdigest()

_GIVEN = f"""
SELECT * FROM unnest(%(participant)s::bigint[], %(pay_group)s::bigint[], %(account)s::text[], %(plan)s::bigint[],
    %(component)s::text[], %(currency)s::text[], %(amount)s::bigint[]) AS given({COLUMNS})
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One side of a posting: debits positive, credits negative. `plan` is an id, or None for no plan's."""

    participant: int
    pay_group: int
    account: Account
    currency: str
    amount_minor: int
    plan: int | None = None
    component: str = ""


def post_part(*, batch: Batch, part: int, people: Sequence[int] | None) -> LedgerTransaction:
    """Posts the approval of what these people (None: all) have in a batch. Each part is posted once; a second time the
    database refuses (`ledger_once`). Returns the posting. Inside a scope that sees everyone's pay."""
    source, params = (OF_BATCH, {}) if people is None else (OF_PART, {"people": list(people)})
    return post_query(source, {"batch": batch.pk, **params}, kind=Kind.APPROVAL, batch=batch, part=part)


def post_rows(
    *,
    kind: LedgerTransaction.Kind,
    rows: Iterable[Row],
    batch: Batch | None = None,
    part: int = 0,
    month: date | None = None,
    day: date | None = None,
) -> LedgerTransaction:
    """Posts these rows, which balance by person and currency."""
    order = ("participant", "pay_group", "account", "currency", "amount", "plan", "component")
    columns = list(zip(*map(astuple, rows), strict=True)) or [()] * len(order)
    params = {name: list(values) for name, values in zip(order, columns, strict=True)}
    return post_query(_GIVEN, params, kind=kind, batch=batch, part=part, month=month, day=day)


def write_off(adjustment: Adjustment) -> LedgerTransaction:
    """Posts what is let go of a balance that somebody owes by a settlement: carried, a clawback, or a draw by key."""
    account, amount = Account(adjustment.balance.partition(":")[0]), adjustment.amount_minor
    row = Row(
        participant=adjustment.participant_id,
        pay_group=adjustment.pay_group_id,
        account=account,
        currency=adjustment.currency,
        amount_minor=-amount,
        plan=adjustment.plan_id,
    )
    day = today()
    return post_rows(
        kind=Kind.WRITE_OFF,
        rows=[row, replace(row, account=Account.EXPENSE, amount_minor=amount)],
        month=day.replace(day=1),
        part=adjustment.number,
        day=day,
    )


def post_query(
    source: str,
    params: Mapping[str, Any],
    *,
    kind: LedgerTransaction.Kind,
    batch: Batch | None = None,
    part: int = 0,
    month: date | None = None,
    day: date | None = None,
) -> LedgerTransaction:
    """Posts what a statement gives (of COLUMNS; rows of zero are left out) on an accounting day, today where none is
    said. The statement is asked twice, once for the digest: what it reads has to stand still."""
    made = f"SELECT {COLUMNS} FROM ({source}) made WHERE amount_minor <> 0"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, current_tenant_id()])
        cursor.execute(f"SELECT count(*), {CONTENT} FROM ({made}) entries", params)
        entries, content = cursor.fetchone()
        last = LedgerTransaction.objects.order_by("-number").first()
        posting = LedgerTransaction(
            number=(last.number if last else 0) + 1,
            kind=kind,
            batch=batch,
            month=month,
            part=part,
            day=day or today(),
            posted_at=timezone.now(),
            entries=entries,
            content_digest=content,
            previous_digest=last.digest if last else GENESIS,
        )
        posting.digest = link(posting.previous_digest, payload(posting, batch.digest if batch else ""))
        posting.save(force_insert=True)
        cursor.execute(
            f"INSERT INTO payouts_ledgerentry (tenant_id, transaction_id, {COLUMNS}) "
            f'SELECT %(tenant)s, %(transaction)s, {COLUMNS} FROM ({made}) entries ORDER BY {ENTRY_TEXT} COLLATE "C"',
            {**params, "tenant": current_tenant_id(), "transaction": posting.pk},
        )
        # Checked here, where all entries can be seen, and not at commit, when the request's narrower view is back.
        cursor.execute(f"SET CONSTRAINTS {_WHOLE} IMMEDIATE")
        cursor.execute(f"SET CONSTRAINTS {_WHOLE} DEFERRED")
    return posting


def payload(posting: LedgerTransaction, batch_digest: str) -> str:
    """What a posting's link in the chain covers; `verify` builds it again from the row."""
    covered: dict[str, Any] = {
        "number": posting.number,
        "kind": str(posting.kind),
        "batch": batch_digest,
        "posted_at": posting.posted_at.isoformat(),
        "entries": posting.entries,
        "content": posting.content_digest,
    }
    if posting.form != Form.BY_PERSON:
        month = posting.month.isoformat() if posting.month else ""
        covered |= {"form": int(posting.form), "part": posting.part, "month": month, "day": posting.day.isoformat()}
    return canonical_json(covered)


def entry_facts(entries: Iterable[LedgerEntry]) -> list[list[Any]]:
    """What the content digest of a posting by person covers, sorted: none is made any more, and those that were are
    verified by it."""
    return sorted([e.participant_id, str(e.account), e.amount_minor, e.currency] for e in entries)
