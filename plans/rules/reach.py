"""What the kernel works out from a case file, but cannot yet be given from the database: a version that needs it is not
published, rather than paid wrongly. Each row of the table below says what it is and where a plan has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from comp.core.errors import Problem
from plans.rules.compiled import CompiledPlan, Component, Condition, CreditRule, Group, Measure, Read, Table

#: Fields of deals that sources deliver, beside `custom.*`, and of people.
DELIVERED = frozenset(
    (
        "stage",
        "source",
        "product",
        "product.series",
        "account",
        "account.sector",
        "account.country",
        "territory",
        "currency",
        "amount",
        "close_date",
        "engage_date",
        "person.title",
        "person.team",
        "person.position",
        "person.tenure_months",
        "person.hired_on",
    )
)

Where = Iterator[str]


def unsupported(plan: CompiledPlan) -> list[Problem]:
    """What a plan needs that the database does not deliver, each with its path."""
    found = [
        Problem(path, what, "what the database delivers", f"{what}: {_NOT_YET}")
        for what, places in _WHOLE
        for path in places(plan)
    ]
    found += [_field(path, name) for path, name in _fields(plan) if not _delivered(name)]
    for number, rule in enumerate(plan.credit_rules):
        path = f"credit_rules[{number}]"
        found += [
            Problem(f"{path}.{key}", what, "what the database delivers", f"{what}: {_NOT_YET}")
            for key, what, has in _RULES
            if has(rule)
        ]
    for number, component in enumerate(plan.components):
        path = f"components[{number}]"
        found += [
            Problem(f"{path}.{key}", what, "what the database delivers", f"{what}: {_NOT_YET}")
            for key, what, has in _COMPONENTS
            if has(component)
        ]
        for key, read in _reads(component):
            if read.plan != plan.key or _every(plan, read) != component.every:
                what = "Reading another plan, or another measure period"
                found.append(Problem(f"{path}.{key}", what, "components of this plan", f"{what}: {_NOT_YET}"))
    return found


_NOT_YET = (
    "case files work it out, but the database does not deliver what it needs yet. Such a version is not published."
)

_WHOLE: tuple[tuple[str, Callable[[CompiledPlan], Where]], ...] = (
    ("A settlement", lambda plan: _if(plan.settlement, "settlement")),
    ("Proration", lambda plan: _if(plan.proration, "proration")),
    ("Rules of employment", lambda plan: _if(plan.employment, "employment")),
    ("Conversion of currencies", lambda plan: _if(plan.currencies, "currencies")),
    ("A cap over all components", lambda plan: _if(plan.caps, "caps")),
    ("An override", lambda plan: (f"overrides[{number}]" for number in range(len(plan.overrides)))),
)
_RULES: tuple[tuple[str, str, Callable[[CreditRule], bool]], ...] = (
    ("fact", "Credit from other facts than deals", lambda rule: rule.fact != "deal"),
    ("amount", "Credit in units", lambda rule: rule.unit != "money"),
    ("hold", "Held credit", lambda rule: rule.hold is not None),
    ("on_transfer", "Transfers of deals", lambda rule: rule.on_transfer is not None),
)
_COMPONENTS: tuple[tuple[str, str, Callable[[Component], bool]], ...] = (
    ("measure", "A measure by period", lambda row: row.measure.by == "period"),
    ("measure", "A measure over several periods", lambda row: row.measure.window != "discrete"),
    ("reads", "Reading what others earn", lambda row: row.reads is not None),
    ("incentive", "A target incentive", lambda row: row.incentive is not None),
    ("ramp", "A ramp", lambda row: row.ramp is not None),
    ("caps", "A cap per year, carried or under review", lambda row: any(_far(cap.per, cap.excess) for cap in row.caps)),
    ("budget", "A budget", lambda row: row.budget is not None),
    ("clawback", "A clawback", lambda row: row.clawback is not None),
    ("amortise", "Amortisation", lambda row: row.amortise is not None),
    ("release", "Release by cash", lambda row: any(tranche.on == "paid" for tranche in row.release)),
)


def _if(value: object, path: str) -> Where:
    if value:
        yield path


def _far(per: str, excess: str) -> bool:
    return per == "year" or excess != "lost"


def _delivered(name: str) -> bool:
    plain = name.removeprefix("deal.")
    return plain in DELIVERED or plain.startswith(("custom.", "computed."))


def _field(path: str, name: str) -> Problem:
    message = f"No source delivers the field {name} yet. Such a version is not published."
    return Problem(path, name, ", ".join(sorted(DELIVERED)), message)


def _fields(plan: CompiledPlan) -> Iterator[tuple[str, str]]:
    """All fields that a plan names, each with the path of the part that does."""
    for computed in plan.computed:
        yield from ((f"computed.{computed.name}", name) for name, _ in computed.reads)
    for number, rule in enumerate(plan.credit_rules):
        path = f"credit_rules[{number}]"
        for key, condition in (("when", rule.when), ("eligible", rule.eligible), ("hold", rule.hold)):
            yield from ((f"{path}.{key}", name) for name in _named(condition))
        yield f"{path}.credit_date", rule.credit_date
        if rule.amount != "one":
            yield f"{path}.amount", rule.amount
        yield from ((f"{path}.credit", entry.by.field) for entry in rule.credit if entry.by is not None)
    for number, component in enumerate(plan.components):
        path = f"components[{number}]"
        yield from ((f"{path}.{key}", name) for key, name in _component_fields(component))


def _component_fields(component: Component) -> Iterator[tuple[str, str]]:
    yield from (("eligible", name) for name in _named(component.eligible))
    yield from (("credits.when", name) for name in _named(component.when))
    yield from (("measure", name) for name in _measured(component.measure))
    yield from (("table", name) for name in _dimensions(component.table))
    for modifier in component.modifiers.each if component.modifiers is not None else ():
        yield from (("modifiers", name) for name in (*_named(modifier.when), *_dimensions(modifier.table)))
    for kicker in component.kickers:
        yield from (("kickers", name) for name in _named(kicker.when))


def _named(condition: Condition | None) -> Iterator[str]:
    if isinstance(condition, Group):
        for part in condition.parts:
            yield from _named(part)
    elif condition is not None:
        yield condition.field


def _measured(measure: Measure) -> Iterator[str]:
    yield from _named(measure.part)
    yield from (name for name in (measure.weight, measure.from_field, measure.to_field) if name is not None)


def _dimensions(table: Table | None) -> Iterator[str]:
    yield from (dimension.field for dimension in table.dimensions) if table is not None else ()


def _reads(component: Component) -> Iterator[tuple[str, Read]]:
    yield from ((f"gates[{number}]", gate.read) for number, gate in enumerate(component.gates))
    if component.tiers is not None and component.tiers.columns is not None:
        yield "tiers.columns", component.tiers.columns.read
    for number, modifier in enumerate(component.modifiers.each if component.modifiers is not None else ()):
        if modifier.read is not None:
            yield f"modifiers.each[{number}]", modifier.read
    for number, cap in enumerate(component.caps):
        if cap.of_component is not None:
            yield f"caps[{number}]", cap.of_component


def _every(plan: CompiledPlan, read: Read) -> str:
    return next((each.every for each in plan.components if each.key == read.component), "")
