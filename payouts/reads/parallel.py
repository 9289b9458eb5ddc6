"""What stands of a parallel run, for pages and for the signing. docs/cutover.md"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Case, Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models import fields as columns
from django.db.models.functions import Abs

from comp.tenancy.rows import rows_read
from payouts.models import Cause, CutOver, Explanation, LegacyLine, ParallelRun, TieOut

#: Causes that evidence gives, in words.
CAUSES = {
    "missing_here": "The deal is not in Comp",
    "missing_there": "The deal is not in their file",
    "only_theirs": "Only they pay it",
    "only_ours": "Only Comp pays it",
    "credit": "Credited with another amount",
    "rate": "Another rate of the same credit",
    "amount": "Another amount for the same deal",
    "exchange": "Another rate of exchange",
    "timing": "Paid in another period",
    "settlement": "Draws, caps, holdbacks and what is carried",
    "rounding": "Rounding",
    "stranger": "The person is not in Comp",
    "rest": "Not explained by evidence",
}
_CAUSES = """
SELECT t.period_starts_on, t.currency, c.key, sum(c.value::bigint)::bigint
FROM payouts_tieout t, jsonb_each_text(t.causes) c WHERE t.cut_over_id = %s GROUP BY 1, 2, 3
"""
#: Where a row stands.
STATES = {
    "alike": "Both pay the same",
    "evidence": "Explained by evidence",
    "explained": "Explained",
    "stale": "Explained before the amount moved",
    "open": "Unexplained",
}


def run_of(cut_over: CutOver) -> ParallelRun | None:
    return ParallelRun.objects.filter(cut_over=cut_over).select_related("tied_by").first()


def last_cause() -> int:
    """The latest cause for which any figure was redone."""
    return Cause.objects.aggregate(last=Max("id"))["last"] or 0


def lines_standing(cut_over: CutOver) -> QuerySet[LegacyLine]:
    """Lines of the files that were not taken back."""
    return LegacyLine.objects.filter(cut_over=cut_over, file__taken_back_at=None)


def ties(cut_over: CutOver) -> QuerySet[Any]:
    """The tied-out rows, each with `explained` (the amount of the explanation that stands, if one does) and `open`:
    what of its rest is not explained."""
    same = {name: OuterRef(name) for name in ("cut_over", "person", "period_starts_on", "currency")}
    standing = Explanation.objects.filter(**same, taken_back_at=None).values("amount_minor")
    return TieOut.objects.filter(cut_over=cut_over).annotate(
        explained=Subquery(standing),
        open=Case(
            When(rest_minor=F("explained"), then=Value(0)), default=Abs("rest_minor"),
            output_field=columns.BigIntegerField(),
        ),
    )  # fmt: skip


def state_of(row: Any) -> str:
    """Where a row of `ties` stands, a key of STATES."""
    if row.rest_minor:
        return "open" if row.explained is None else "explained" if not row.open else "stale"
    return "evidence" if row.causes else "alike"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many people there are, and of how many all periods are tied out."""

    people: int
    tied: int

    def __str__(self) -> str:
        return f"{self.tied:,} of {self.people:,} {'person' if self.people == 1 else 'people'} tied out"


def progress(cut_over: CutOver) -> Progress:
    rows = ties(cut_over).order_by()
    people = rows.values("person").distinct().count()
    return Progress(people, people - rows.filter(open__gt=0).values("person").distinct().count())


def totals(cut_over: CutOver) -> list[dict[str, Any]]:
    """Both sides, by period and currency, with the difference by cause."""
    at = ("period_starts_on", "currency")
    causes: dict[tuple[date, str], dict[str, int]] = defaultdict(dict)
    for day, currency, cause, minor in rows_read(_CAUSES, [cut_over.pk]):
        causes[day, currency][cause] = minor
    sums = {"theirs": Sum("theirs_minor"), "ours": Sum("ours_minor"), "open": Sum("rest_minor", filter=Q(open__gt=0))}
    rows = (
        ties(cut_over).order_by(*at).values(*at).annotate(people=Count("id"), **{f"of_{n}": s for n, s in sums.items()})
    )
    return [
        {"starts_on": row["period_starts_on"], "currency": row["currency"], "people": row["people"],
         "causes": causes[row["period_starts_on"], row["currency"]]}
        | {name: int(row[f"of_{name}"] or 0) for name in sums}
        for row in rows
    ]  # fmt: skip
