"""Costs of obtaining contracts (ASC 340-40): capitalised, amortised month by month, impaired where a contract ends.
docs/algorithms/contract-costs.md

Each month works out anew what should stand of every contract by its end, and books the difference to what months before
booked: a late deal, a correction or a clawback needs no case of its own.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError, refused
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import Accrual, CostPolicy, CostRun, LedgerTransaction
from payouts.reads.accounting import month_after
from payouts.reads.not_owed import NOT_OWED
from payouts.services import ledger
from plans.models import Plan

Kind = LedgerTransaction.Kind

#: What a deal may state as its term, as a pattern of SQL: months, up to 9,999.
_MONTHS = r"'^[0-9]{1,4}(\.[0-9]{1,6})?$'"
_GRAIN = "participant_id, plan_id, component, deal_id, currency"
#: What was incurred for each contract by the month's end: what batches posted, what its accrual adds, less what was let
#: go as not owed.
_INCURRED = f"""
WITH sources AS (
    SELECT {_GRAIN}, l.pay_group_id, l.credit_date, CASE WHEN l.line_kind = 2 THEN 0 ELSE l.amount_minor END AS base,
        CASE WHEN l.line_kind = 2 THEN l.amount_minor ELSE 0 END AS reversed
    FROM payouts_batchline l WHERE l.deal_id IS NOT NULL AND l.line_kind IN (0, 2) AND l.batch_id IN (
        SELECT x.batch_id FROM payouts_ledgertransaction x WHERE x.kind = 'approval' AND x.day < %(behind)s)
    UNION ALL
    SELECT {_GRAIN}, a.pay_group_id, NULL, greatest(accrued_minor, 0), least(accrued_minor, 0)
    FROM payouts_accrualline a WHERE a.accrual_id = %(accrual)s AND a.deal_id IS NOT NULL
    UNION ALL
    SELECT {_GRAIN}, n.pay_group_id, NULL, -n.minor, 0 FROM ({NOT_OWED}) n
), sums AS (
    SELECT {_GRAIN}, max(pay_group_id) AS pay_group_id, sum(base) AS base, sum(reversed) AS reversed,
        min(credit_date) AS credit_date
    FROM sources GROUP BY {_GRAIN}
), incurred AS (
    SELECT s.*, coalesce(d.close_date, s.credit_date, %(month)s) AS day,
        nullif(d.values->>'start_date', '')::date AS begins,
        CASE WHEN d.values->>'term_months' ~ {_MONTHS} THEN ceil((d.values->>'term_months')::numeric) END AS term,
        CASE WHEN nullif(d.values->>'term_months', '') !~ {_MONTHS} THEN d.values->>'term_months' END AS unread
    FROM sums s JOIN crediting_deal d ON d.id = s.deal_id
), chosen AS (
    SELECT i.*, p.treatment, p.expedient, p.months AS said FROM incurred i
    LEFT JOIN payouts_costpolicy p ON p.plan_id = i.plan_id AND p.component = i.component AND p.starts_on <= i.day
        AND (p.ends_on IS NULL OR p.ends_on > i.day)
), served AS (
    SELECT c.*, s.months AS planned, CASE c.treatment WHEN 'term' THEN coalesce(nullif(c.term, 0), c.said)
            WHEN 'benefit' THEN c.said WHEN 'schedule' THEN s.months END AS months,
        date_trunc('month', CASE WHEN c.treatment = 'schedule' THEN s.first ELSE coalesce(c.begins, c.day) END)::date
            AS starts_on,
        (SELECT min(f.day) FROM crediting_fact f WHERE f.deal_id = c.deal_id AND f.kind = 'cancellation' AND f.stands
            AND f.day < %(behind)s) AS ended_on
    FROM chosen c LEFT JOIN LATERAL (
        SELECT count(DISTINCT x.month) AS months, min(x.month) AS first FROM payouts_schedule x
        WHERE x.participant_id = c.participant_id AND x.deal_id = c.deal_id AND x.plan_id = c.plan_id
            AND x.component = c.component AND x.line_kind = 0
    ) s ON c.treatment = 'schedule'
)
"""
_PROBLEMS = (
    _INCURRED
    + """
SELECT DISTINCT p.name, s.component, CASE WHEN s.treatment IS NULL THEN '' ELSE d.external_id END,
    CASE WHEN s.treatment = 'term' THEN s.unread END
FROM served s JOIN plans_plan p ON p.id = s.plan_id JOIN crediting_deal d ON d.id = s.deal_id
WHERE s.treatment IS NULL OR (s.treatment <> 'expense' AND coalesce(s.months, 0) <= 0)
    OR (s.treatment = 'term' AND s.unread IS NOT NULL)
ORDER BY 1, 2, 3 LIMIT 20
"""
)
#: What should stand by the month's end, less what the months before booked.
_WRITE = (
    _INCURRED
    + f"""
, borne AS (
    SELECT s.*, treatment <> 'expense' AND NOT (expedient AND months <= 12) AS spread,
        greatest(0, least(months, 1 + (SELECT extract(year FROM a) * 12 + extract(month FROM a)
            FROM age(least(%(month)s::date, date_trunc('month', coalesce(ended_on, %(month)s::date))::date), starts_on)
            AS a))) AS turns
    FROM served s
), right_now AS (
    SELECT {_GRAIN}, pay_group_id, starts_on, months, ended_on, CASE WHEN spread THEN base + reversed ELSE 0 END
            AS capitalised,
        CASE WHEN spread THEN round((base + CASE WHEN ended_on IS NULL THEN reversed ELSE 0 END) * turns / months)
            ELSE 0 END AS amortised
    FROM borne
), booked AS (
    SELECT {_GRAIN}, max(pay_group_id) AS pay_group_id, max(starts_on) AS starts_on, max(months) AS months,
        sum(capitalised_minor) AS capitalised, sum(amortised_minor) AS amortised, sum(impaired_minor) AS impaired
    FROM payouts_costline GROUP BY {_GRAIN}
), moved AS (
    SELECT {_GRAIN}, coalesce(r.pay_group_id, b.pay_group_id) AS pay_group_id,
        coalesce(r.starts_on, b.starts_on) AS starts_on, coalesce(r.months, b.months) AS months, r.ended_on,
        coalesce(r.capitalised, 0) - coalesce(b.capitalised, 0) AS capitalised,
        coalesce(r.amortised, 0) - coalesce(b.amortised, 0) AS amortised,
        CASE WHEN r.ended_on IS NULL THEN 0 ELSE r.capitalised - r.amortised END - coalesce(b.impaired, 0) AS impaired
    FROM right_now r FULL JOIN booked b USING ({_GRAIN})
)
INSERT INTO payouts_costline (tenant_id, run_id, {_GRAIN}, pay_group_id, starts_on, months, ended_on,
    capitalised_minor, amortised_minor, impaired_minor)
SELECT %(tenant)s, %(run)s, {_GRAIN}, pay_group_id, starts_on, months, ended_on, capitalised::bigint,
    amortised::bigint, impaired::bigint
FROM moved WHERE (capitalised, amortised, impaired) <> (0, 0, 0)
"""
)
#: Which accounts each movement debits and credits.
_SIDES = {
    Kind.CAPITALISE: ("capitalised_minor", "contract_cost", "expense"),
    Kind.AMORTISE: ("amortised_minor", "amortisation", "contract_cost"),
    Kind.IMPAIR: ("impaired_minor", "impairment", "contract_cost"),
}
_POST = """
SELECT participant_id, pay_group_id, side.account, plan_id, component, currency,
    (sum({column}) * side.sign)::bigint AS amount_minor
FROM payouts_costline CROSS JOIN (VALUES (%(debit)s, 1), (%(credit)s, -1)) AS side(account, sign)
WHERE run_id = %(run)s
GROUP BY participant_id, pay_group_id, side.account, side.sign, plan_id, component, currency
"""


class CostError(CompError):
    """A month's contract costs cannot be booked; the message says why and what to do."""


def _told(plan: str, component: str, deal: str, unread: str | None) -> str:
    why = "no policy was chosen"
    if deal:
        why = f"deal {deal} states no term in months"
    if unread:
        why = f"deal {deal} states a term of {unread[:60]!r}, where a number of months up to 9,999 is needed"
    return f"{plan}, {component}: {why}"


def cost_policy_set(
    *,
    plan: Plan,
    component: str,
    treatment: str,
    months: int | None,
    expedient: bool,
    reason: str,
    starts_on: date,
) -> CostPolicy:
    """How costs of a component are treated from a credit date on, until it is said otherwise; ends what was said."""
    if treatment not in CostPolicy.Treatment.values:
        raise refused("treatment", treatment, ", ".join(CostPolicy.Treatment.values), f"{treatment!r} is none.")
    if treatment == CostPolicy.Treatment.BENEFIT and not months:
        raise refused("months", months, "a number of months", "A benefit period needs its number of months.")
    if not reason.strip():
        raise refused("reason", reason, "a text", "Say why, so that an auditor can follow.")
    said = CostPolicy.objects.filter(plan=plan, component=component)
    later = said.filter(starts_on__gt=starts_on).order_by("starts_on").first()
    same = said.filter(starts_on=starts_on).first()
    fields: dict[str, Any] = {
        "treatment": treatment,
        "months": months,
        "expedient": expedient,
        "reason": reason.strip(),
        "ends_on": later.starts_on if later else None,
    }
    if same is not None:
        for name, value in fields.items():
            setattr(same, name, value)
        same.save()
        row = same
    else:
        said.filter(starts_on__lt=starts_on).exclude(ends_on__lte=starts_on).update(ends_on=starts_on)
        row = CostPolicy.objects.create(plan=plan, component=component, starts_on=starts_on, **fields)
    after = {key: value.isoformat() if isinstance(value, date) else value for key, value in fields.items()}
    record(code="cost.policy", subject=row, after={"component": component, "starts_on": starts_on.isoformat(), **after})
    return row


def costs_run(*, month: date, made_by: User) -> CostRun:
    """Books the contract costs of a month whose accrual stands. Once a month, in order."""
    month = month.replace(day=1)
    behind = month_after(month)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ledger.LOCK, current_tenant_id()])
        accrual = Accrual.objects.filter(month=month).first()
        last = CostRun.objects.first()
        if accrual is None:
            raise CostError(f"{month:%B %Y}: accrue the month first; what is accrued is a part of its contract costs.")
        if last is not None and month <= last.month:
            raise CostError(f"{month:%B %Y}: {last} stand and are not booked again; the next month holds the rest.")
        params: dict[str, Any] = {
            "tenant": current_tenant_id(),
            "month": month,
            "behind": behind,
            "accrual": accrual.pk,
        }
        cursor.execute(_PROBLEMS, params)
        if problems := [_told(*row) for row in cursor.fetchall()]:
            raise CostError(f"{month:%B %Y}: " + "; ".join(problems) + ".")
        cursor.execute("SELECT nextval(pg_get_serial_sequence('payouts_costrun', 'id'))")
        run = CostRun(pk=cursor.fetchone()[0], month=month, made_by=made_by, made_at=timezone.now())
        cursor.execute(_WRITE, {**params, "run": run.pk})
        run.lines = cursor.rowcount
        run.save(force_insert=True)
        for kind, (column, debit, credit) in _SIDES.items():
            posting = ledger.post_query(
                _POST.format(column=column),
                {"run": run.pk, "debit": debit, "credit": credit},
                kind=kind,
                month=month,
                day=behind - timedelta(days=1),
            )
        record(code="cost.post", subject=run, after={"lines": run.lines, "ledger": posting.digest})
    return run
