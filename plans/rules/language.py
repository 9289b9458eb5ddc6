"""The form of a plan document, declared once: plans.rules.checks judges by it, plans.rules.normal writes by it, and
plans.rules.schema publishes it to editors. What it means: docs/plan-language.md."""

from __future__ import annotations

from typing import Any, get_args

from plans.rules.about import About
from plans.rules.compiled import FactKind
from plans.rules.fields import CUSTOM_FIELD, FACT_FIELDS, FIELD_TYPES
from plans.rules.forms import (
    Anything,
    Currency,
    Date,
    Field,
    Fields,
    FieldText,
    Form,
    Money,
    Percent,
    Slug,
    Text,
    When,
    Whole,
    Word,
    table_of,
)
from plans.rules.language_components import EVERY, KINDS, component, exemplars
from plans.rules.language_release import SETTLEMENT
from plans.rules.look import Look, join
from plans.rules.shapes import By, Opt, Rows, Slugs, Table, Words
from plans.rules.values import read_date

FORMAT = "comp/plan/1"
MAX_RULES = 50
MAX_COMPONENTS = 50
MAX_ROLES = 50
MAX_LEVELS = 10
MAX_OVERRIDES = 200
MAX_EXAMPLES = 200

FACTS: tuple[str, ...] = get_args(FactKind)
#: The attributes that overrides are for, in the order in which they are applied.
ATTRIBUTES = ("region", "title", "position", "person")


def _declared(look: Look, fields: Any, path: str, about: About) -> None:
    if not isinstance(fields, dict):
        look.wrong(path, fields, "a table of custom fields and their types")
        return
    for name in fields:
        place = join(path, str(name))
        look.visit(place)
        if name in FACT_FIELDS:
            look.report(place, name, "custom.*", f"{name} is a field of every fact; it is not declared.")
        elif not isinstance(name, str) or not CUSTOM_FIELD.fullmatch(name):
            allowed = "custom. and small letters, digits and underscores, like custom.term_months"
            look.report(place, str(name), allowed, f"{name} is no name for a field of your own; allowed: {allowed}.")
        look.word(fields, path, name, FIELD_TYPES)


_PERIOD = Table({"first": Date(), "last": Date()})
_PERIODS = Rows(_PERIOD, 1, 60, "periods")


def _own_periods(look: Look, periods: Any, path: str, about: About) -> None:
    """Named lists of periods, each of which begins after the one before has ended."""
    if not isinstance(periods, dict) or not periods:
        look.wrong(path, periods, "a table of names, each with a list of periods")
        return
    for name, rows in periods.items():
        place = join(path, str(name))
        look.visit(place)
        look.slug_value(name, place)
        if name in EVERY:
            message = f"{name} is a period of the calendar; periods of your own need another name."
            look.report(place, name, "another name", message)
        _PERIODS.check(look, rows, place, about)
        ended = None
        for number, row in enumerate(rows if isinstance(rows, list) else []):
            first, last = (read_date(table_of(row).get(key)) for key in ("first", "last"))
            if first is not None and last is not None and last < first:
                message = f"A period from {first} to {last} has no day: both its first and its last day are in it."
                look.report(join(join(place, number), "last"), str(last), f"{first} or later", message)
            elif first is not None and ended is not None and first <= ended:
                message = f"This period begins on {first}, before the one before it has ended, on {ended}."
                look.report(join(join(place, number), "first"), str(first), f"a day after {ended}", message)
            ended = last if last is not None else ended


def _settings(look: Look, settings: Any, path: str, about: About) -> None:
    if not isinstance(settings, dict) or not settings:
        look.wrong(path, settings, "a table of paths, like components.commission.cap.amount, each with its new value")


def _shares(look: Look, shares: Any, path: str, about: About) -> None:
    if not isinstance(shares, dict) or not shares:
        look.wrong(path, shares, "a table of texts and their shares")
        return
    for text in shares:
        place = join(path, str(text))
        look.visit(place)
        FieldText().check(look, text, place, about)
        Percent().check(look, shares[text], place, about)


_SHARES = Fields(_shares, Percent().schema(), Percent())
_SHARE_BY = Table({"by": Field(("text",)), "values": _SHARES, "else": Percent()})


def _share(value: Any, about: About) -> Form:
    return _SHARE_BY if isinstance(value, dict) else Percent(zero=False)


def _override_for(value: Any, about: About) -> Table:
    named = [name for name in ATTRIBUTES if name in table_of(value)]
    if not named:
        return Table({name: Opt(FieldText()) for name in ATTRIBUTES})
    return Table({name: FieldText() for name in named[:1]})


_CREDIT = Table(
    {
        "role": Slug(),
        "share": By(_share, ("", {})),
        "split": Opt(Word(("weights", "equal", "each"))),
        "counts_for": Opt(Word(("both", "quota", "pay"))),
    }
)
_ROLL_UP = Table({"from": Slugs("roles"), "to": Slug(), "levels": Whole(1, MAX_LEVELS), "limit": Percent(zero=False)})
RULE = Table(
    {
        "key": Slug(),
        "fact": Word(FACTS),
        "class": Slug(),
        "when": When(),
        "eligible": Opt(When(person=True)),
        "hold": Opt(When()),
        "credit_date": Field(("date",)),
        "amount": Field(("money", "number"), ("one",)),
        "credit": Rows(_CREDIT, 1, MAX_ROLES, "roles"),
        "limit": Opt(Percent(zero=False)),
        "on_transfer": Opt(Table({"rolled": Word(("stays", "follows"))})),
        "roll_up": Rows(_ROLL_UP, 0, MAX_ROLES, "roll-ups"),
    }
)
COMPONENT = By(component, tuple(row for kind in KINDS for row in exemplars(kind)), "kind")

PRORATION = Table(
    {
        "method": Word(("calendar_days", "working_days", "whole_months")),
        "first_day": Word(("counts", "does_not_count")),
        "last_day": Word(("counts", "does_not_count")),
        "leave": Word(("counts", "excluded")),
        "of": Words(("quota", "incentive", "tiers", "caps", "plan_caps", "draw")),
        "round": Word(("minor", "whole")),
    }
)
EMPLOYMENT = Table(
    {
        "credits_after": Word(("none", "count")),
        "credits_on_leave": Word(("none", "count")),
        "release_after": Word(("lost", "paid")),
    }
)
PLAN_CAP = Table(
    {
        "amount": Money(),
        "every": Word(EVERY),
        "excess": Word(("lost", "review")),
        "components": Opt(Slugs("components")),
    }
)
OVERRIDE = Table(
    {
        "for": By(_override_for, tuple({name: ""} for name in ATTRIBUTES)),
        "set": Fields(_settings, {}),
    }
)
#: plans.rules.expressions judges computed fields, payouts.case the rest of an example.
_COMPUTED = Table(
    {
        "type": Word(FIELD_TYPES),
        "decimals": Opt(Whole(0, 6)),
        "mode": Opt(Word(("half-even", "half-up"))),
        "is": Text(1000),
    }
)
_EXAMPLE = Anything()
PLAN = Table(
    {
        "format": Word((FORMAT,)),
        "key": Slug(),
        "name": Text(120),
        "currency": Currency(),
        "on_new_version": Word(("carry", "restart", "rerun")),
        "rounding": Table(
            {
                "at": Word(("line", "curve", "total")),
                "mode": Word(("half-even", "half-up")),
                "step": Word(("minor", "whole", "tens")),
            }
        ),
        "periods": Opt(Fields(_own_periods, _PERIODS.schema(), _PERIODS)),
        "fields": Opt(Fields(_declared, {"enum": list(FIELD_TYPES)})),
        "computed": Opt(Fields(lambda look, value, path, about: None, _COMPUTED.schema())),
        "proration": Opt(PRORATION),
        "employment": Opt(EMPLOYMENT),
        "currencies": Opt(Table({"pay_rate": Word(("credit_date", "period_average", "release_date"))})),
        "credit_rules": Rows(RULE, 1, MAX_RULES, "credit rules"),
        "components": Rows(COMPONENT, 1, MAX_COMPONENTS, "components"),
        "caps": Opt(Rows(PLAN_CAP, 1, 20, "caps")),
        "overrides": Opt(Rows(OVERRIDE, 1, MAX_OVERRIDES, "overrides")),
        "settlement": Opt(SETTLEMENT),
        "examples": Opt(Rows(_EXAMPLE, 0, MAX_EXAMPLES, "examples")),
    }
)
