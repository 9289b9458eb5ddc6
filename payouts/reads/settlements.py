"""A statement's settlements in words: how each plan makes a payout of what came in, the ledger of its draws, and what
is held back until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from django.db.models import Model, QuerySet

from payouts.kernel.explain_pay import settlement_steps
from payouts.kernel.say import Step
from payouts.models import BatchDraw, BatchSettlement, DrawStanding, Settlement, Statement
from payouts.reads.plans import Version, versions
from payouts.reads.unconverted import exchange_words
from payouts.selectors import TAKEN

#: The columns of settlements that the kernel tells of.
_TOLD = tuple(
    field.name.removesuffix("_minor") for field in Settlement._meta.concrete_fields if field.name.endswith("_minor")
)
_OF_DRAWS = {"recovered": "recovered_minor", "topped_up": "topped_up_minor", "written_off": "written_off_minor"}


@dataclass(frozen=True)
class DrawRow:
    """What became of a draw in a pay period, signed as it acts on pay, and what was owed at its end."""

    period: str
    topped_up_minor: int
    recovered_minor: int
    written_off_minor: int
    balance_minor: int


@dataclass(frozen=True)
class Draw:
    """A draw (`key` empty where its plan has one alone) and its ledger, the newest period first."""

    key: str
    rows: list[DrawRow]


@dataclass(frozen=True)
class HeldBack:
    """What a period held back and the statement's has not given back yet. `returns`: in which it comes back."""

    period: str
    returns: str
    minor: int


@dataclass(frozen=True)
class SettledPlan:
    """One plan's settlement in a statement."""

    version: Version
    currency: str
    rate: str  # by which amounts of the plan were converted, in words; empty where none were
    steps: list[Step]
    draws: list[Draw]
    held_back: list[HeldBack]
    clawback_minor: int  # owed at the end
    carried_minor: int
    review_minor: int
    anchor: str  # on the statement's page


def settled_plans(statement: Statement, name_of: Callable[[date], str]) -> list[SettledPlan]:
    """How each plan of a statement settles its period; `name_of` gives the period that begins on a day its name."""
    standing = statement.state == Statement.State.OPEN
    rows = _of(statement, Settlement if standing else BatchSettlement).select_related("rate")
    settlements = list(rows.order_by("plan__name"))
    if not settlements:
        return []
    draws = list(_of(statement, DrawStanding if standing else BatchDraw))
    earlier = {"participant_id": statement.participant_id, "batch__state__in": TAKEN}
    earlier["period_starts_on__lt"] = statement.period_starts_on
    past = list(BatchDraw.objects.filter(**earlier))
    kept = list(BatchSettlement.objects.filter(**earlier).exclude(held_back_minor=0))
    known = versions(row.plan_version_id for row in settlements)
    found = []
    for row in settlements:
        mine = [draw for draw in draws if draw.plan_id == row.plan_id]
        held = [each for each in (*kept, row) if each.plan_id == row.plan_id and each.held_back_minor]
        version = known[row.plan_version_id]
        found.append(
            SettledPlan(
                version=version,
                currency=row.currency,
                rate="" if row.rate is None else exchange_words(row.rate),
                steps=settlement_steps(
                    version.says,
                    {name: getattr(row, f"{name}_minor") for name in _TOLD},
                    _by_key(mine),
                    row.currency,
                    None if row.rate is None else Fraction(row.rate.rate),
                ),
                draws=_ledgers([*mine, *(draw for draw in past if draw.plan_id == row.plan_id)], name_of),
                held_back=[
                    HeldBack(
                        name_of(each.period_starts_on),
                        name_of(each.returns_on) if each.returns_on else "",
                        -each.held_back_minor,
                    )
                    for each in held
                    if each.returns_on is None or each.returns_on > statement.period_starts_on
                ],
                clawback_minor=row.clawback_balance_minor,
                carried_minor=row.carried_forward_minor,
                review_minor=row.review_minor,
                anchor="settled" if row is settlements[0] else f"settled-{version.key}",
            )
        )
    return found


def _of(statement: Statement, model: type[Model]) -> QuerySet[Any]:
    rows = model._base_manager.filter(
        participant_id=statement.participant_id, period_starts_on=statement.period_starts_on
    )
    return rows if model in (Settlement, DrawStanding) else rows.filter(batch__state__in=TAKEN)


def _by_key(draws: list[Any]) -> dict[str, list[tuple[str, int]]]:
    """The amounts of draws by column, where there are several; one alone is told without its key."""
    sums: dict[str, dict[str, int]] = {}
    for draw in draws:
        own = sums.setdefault(draw.key, dict.fromkeys((*_OF_DRAWS, "draw_balance"), 0))
        for name, column in _OF_DRAWS.items():
            own[name] += getattr(draw, column)
        own["draw_balance"] += draw.balance_minor
    if len(sums) < 2:
        return {}
    return {
        name: [(key, own[name]) for key, own in sorted(sums.items()) if own[name]]
        for name in (*_OF_DRAWS, "draw_balance")
    }


def _ledgers(rows: list[Any], name_of: Callable[[date], str]) -> list[Draw]:
    keys = sorted({row.key for row in rows})
    found = []
    for key in keys:
        by_period: dict[date, DrawRow] = {}
        for row in (row for row in rows if row.key == key):
            before = by_period.get(row.period_starts_on, DrawRow(name_of(row.period_starts_on), 0, 0, 0, 0))
            by_period[row.period_starts_on] = DrawRow(
                before.period,
                before.topped_up_minor + row.topped_up_minor,
                before.recovered_minor + row.recovered_minor,
                before.written_off_minor + row.written_off_minor,
                before.balance_minor + row.balance_minor,
            )
        ledger = [by_period[day] for day in sorted(by_period, reverse=True)]
        found.append(Draw(key if len(keys) > 1 else "", ledger))
    return found
