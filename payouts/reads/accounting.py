"""Reading the month's close: accruals, contract costs, journals and budgets, always inside the caller's scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min, QuerySet, Sum
from django.db.models.functions import TruncMonth

from comp.people.selectors import in_force
from payouts.models import (
    Account,
    Accrual,
    AccrualLine,
    AccrualVariance,
    Budget,
    CostLine,
    Earning,
    LedgerEntry,
    LedgerTransaction,
)
from payouts.reads.plans import version_of
from plans.models import Plan, PlanVersion


def month_after(month: date) -> date:
    """The first day of the month after that of a day."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def month_to_close(last: date | None, today: date) -> date | None:
    """The month whose close is next: the one after the last, or the month before today's; None: it is not over."""
    month = month_after(last) if last else (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return month if month_after(month) <= today else None


# ------------------------------------------------------------------ accounts


def account_months(account: str) -> list[dict[str, Any]]:
    """An account's debits and credits by kind of posting, month and currency, the newest first."""
    rows = LedgerEntry.objects.filter(account=account).annotate(month=TruncMonth("transaction__day"))
    sums = rows.values("month", "transaction__kind", "currency").annotate(
        minor=Sum("amount_minor"), entries=Count("id"), postings=Count("transaction", distinct=True)
    )
    found = list(sums.order_by("-month", "transaction__kind", "currency"))
    labels = dict(LedgerTransaction.Kind.choices)
    return [{**row, "minor": int(row["minor"]), "label": labels[row["transaction__kind"]]} for row in found]


def posting_entries(posting: LedgerTransaction) -> QuerySet[LedgerEntry]:
    """The entries of a posting that the scope may see."""
    rows = LedgerEntry.objects.filter(transaction=posting).select_related("participant", "plan")
    return rows.order_by("participant__name", "plan__key", "component", "account", "id")


def account_label(account: str) -> str:
    return str(Account(account).label)


# ------------------------------------------------------------------ accruals


def accrual_sums(accrual: Accrual) -> list[dict[str, Any]]:
    """What an accrual estimated, by plan, component and currency."""
    rows: Any = AccrualLine.objects.filter(accrual=accrual).values("plan__name", "component", "currency")
    columns = ("earned", "waiting", "improbable", "taken", "accrued")
    sums = rows.annotate(people=Count("participant", distinct=True), **{name: Sum(f"{name}_minor") for name in columns})
    return list(sums.order_by("plan__name", "component", "currency"))


def accrual_lines(accrual: Accrual) -> QuerySet[AccrualLine]:
    rows = AccrualLine.objects.filter(accrual=accrual).select_related("participant", "plan", "deal")
    return rows.order_by("participant__name", "plan__key", "component", "deal__external_id", "id")


def variance_sums(accrual: Accrual) -> list[dict[str, Any]]:
    """By how much an accrual missed, by cause and currency, in the order of the causes."""
    rows = AccrualVariance.objects.filter(accrual=accrual).values("cause", "currency")
    order = list(AccrualVariance.Cause)
    found = [
        {**row, "minor": int(row["minor"]), "label": AccrualVariance.Cause(row["cause"]).label}
        for row in rows.annotate(minor=Sum("amount_minor"))
    ]
    return sorted(found, key=lambda row: (row["currency"], order.index(row["cause"])))


# ------------------------------------------------------------------ contract costs

_STANDS = {
    "capitalised": Sum("capitalised_minor"),
    "amortised": Sum("amortised_minor"),
    "impaired": Sum("impaired_minor"),
}


def _with_balance(rows: Any) -> list[dict[str, Any]]:
    return [{**row, "balance": row["capitalised"] - row["amortised"] - row["impaired"]} for row in rows]


def cost_cohorts() -> list[dict[str, Any]]:
    """What stands by cohort (the month from which contracts bear their cost) and currency."""
    rows = CostLine.objects.values("starts_on", "currency").annotate(contracts=Count("deal", distinct=True), **_STANDS)
    return _with_balance(rows.order_by("-starts_on", "currency"))


def cost_contracts(starts_on: date) -> list[dict[str, Any]]:
    """What stands of each contract of a cohort."""
    rows = CostLine.objects.filter(starts_on=starts_on).values("deal_id", "deal__external_id", "currency")
    return _with_balance(
        rows.annotate(people=Count("participant", distinct=True), months=Min("months"), **_STANDS).order_by(
            "deal__external_id", "currency"
        )
    )


def cost_of_contract(deal_id: int) -> list[dict[str, Any]]:
    """What each month did to the cost of a contract, with the balance behind it."""
    rows = CostLine.objects.filter(deal_id=deal_id).values("run__month", "currency").annotate(**_STANDS)
    found, balance = [], dict[str, int]()
    for row in _with_balance(rows.order_by("run__month", "currency")):
        balance[row["currency"]] = balance.get(row["currency"], 0) + row["balance"]
        found.append({**row, "balance": balance[row["currency"]]})
    return found


def cost_lines(deal_id: int) -> QuerySet[CostLine]:
    rows = CostLine.objects.filter(deal_id=deal_id).select_related("run", "participant", "plan")
    return rows.order_by("run__month", "participant__name", "component", "id")


# ------------------------------------------------------------------ budgets


@dataclass(frozen=True)
class BudgetRow:
    """A budget and what of it is gone: `used` is posted as expense with accounting days in its period; `committed`
    stands in batches and payables and is not posted; `waiting` waits for its release, at the shares of the accrual
    policies. What is not posted is of the budget in which it can be at the earliest, so of one alone: that of its
    credit date, or of today where that has passed. A cost centre's people are those who are in it on the day that
    counts: the entry's, or today."""

    budget: Budget
    used: int
    committed: int
    waiting: int

    @property
    def forecast(self) -> int:
        return self.used + self.committed + self.waiting

    @property
    def left(self) -> int:
        return self.budget.amount_minor - self.used - self.committed


_IN_CENTRE = """
EXISTS (SELECT 1 FROM people_attribute a WHERE a.participant_id = {of}.participant_id AND a.name = 'cost_centre'
    AND a.value = %(centre)s AND a.starts_on <= {day} AND (a.ends_on IS NULL OR a.ends_on > {day}))
"""
_TO_COME = "greatest(o.credit_date, %(today)s) >= %(start)s AND greatest(o.credit_date, %(today)s) < %(end)s"
_USED = f"""
SELECT coalesce(sum(e.amount_minor), 0)::bigint FROM payouts_ledgerentry e
JOIN payouts_ledgertransaction t ON t.id = e.transaction_id
WHERE e.account = 'expense' AND e.currency = %(currency)s AND t.batch_id IS NOT NULL AND t.day >= %(start)s
    AND t.day < %(end)s AND {_IN_CENTRE.format(of="e", day="t.day")}
"""
_COMMITTED = f"""
SELECT coalesce(sum(o.amount_minor), 0)::bigint FROM (
    SELECT participant_id, amount_minor, currency, credit_date FROM payouts_payable
    UNION ALL
    SELECT l.participant_id, l.amount_minor, l.currency, l.credit_date FROM payouts_batchline l
    JOIN payouts_batch b ON b.id = l.batch_id WHERE b.state = ANY(%(unposted)s)
) o WHERE o.currency = %(currency)s AND {_TO_COME} AND {_IN_CENTRE.format(of="o", day="%(today)s")}
"""
_WAITING = f"""
SELECT coalesce(sum(round(o.amount_minor * coalesce(p.share, 100) / 100.0)), 0)::bigint FROM payouts_tranche o
LEFT JOIN payouts_accrualpolicy p ON p.trigger = CASE o.state WHEN 2 THEN 'held'
    WHEN 3 THEN 'withheld' WHEN 5 THEN 'no-rate' ELSE split_part(o.trigger, ' ', 1) END
WHERE o.release_day IS NULL AND o.state <> 4 AND o.currency = %(currency)s AND {_TO_COME}
    AND {_IN_CENTRE.format(of="o", day="%(today)s")}
"""


def budget_rows(today: date, unposted: Iterable[str]) -> list[BudgetRow]:
    """Every budget with what of it is gone. `unposted`: states in which a batch has taken lines and posted nothing."""
    found = []
    for budget in Budget.objects.all():
        params = {
            "centre": budget.cost_centre,
            "currency": budget.currency,
            "start": budget.starts_on,
            "end": budget.ends_on,
            "today": today,
            "unposted": list(unposted),
        }
        found.append(BudgetRow(budget, *(_number(query, params) for query in (_USED, _COMMITTED, _WAITING))))
    return found


def _number(query: str, params: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return int(cursor.fetchone()[0])


def plans_with_components() -> list[tuple[Plan, list[str]]]:
    """Each plan with the components that ever had lines, for policies and mappings to be chosen."""
    found: dict[int, set[str]] = {}
    for plan, component in LedgerEntry.objects.exclude(component="").values_list("plan_id", "component").distinct():
        found.setdefault(plan, set()).add(component)
    plans = Plan.objects.in_bulk(found)
    return [(plans[key], sorted(found[key])) for key in sorted(found, key=lambda key: plans[key].name)]


@dataclass(frozen=True)
class Pot:
    """A budget that a plan sets for a component: it stops at the last cent, first come by the order of credits."""

    plan: str
    component: str
    currency: str
    amount: int
    earned: int

    @property
    def left(self) -> int:
        return self.amount - self.earned


def plan_budgets(day: date) -> list[Pot]:
    """The budgets that the plan versions in force on a day set, with what stands earned of them."""
    found = []
    versions = PlanVersion.objects.filter(
        in_force(day), state=PlanVersion.State.PUBLISHED, document__contains='"budget"'
    )
    for version in versions.select_related("plan").order_by("plan__name"):
        says = version_of(version).says
        for component in says.components:
            if component.budget is None:
                continue
            lines = Earning.objects.filter(plan_version=version, component=component.key)
            earned = lines.aggregate(minor=Sum("earned_minor", default=0))["minor"]
            found.append(Pot(version.plan.name, component.key, says.currency, component.budget.amount, int(earned)))
    return found
