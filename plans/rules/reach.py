"""What the kernel works out from a case file, but cannot yet be given from the database: a version that needs it is not
published, rather than paid wrongly. Each row of the table below says what it is and where a plan has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from comp.core.errors import Problem
from comp.core.money import NO_CURRENCY
from plans.rules.compiled import CompiledPlan, CreditRule
from plans.rules.dates import credit_dates
from plans.rules.fields import FACT_FIELDS, PERSON_FIELDS, YEARS
from plans.rules.named import named_fields
from plans.rules.specialise import specialise

#: Fields of facts that sources deliver, beside `custom.*`, and of people.
DELIVERED = frozenset((*FACT_FIELDS, *PERSON_FIELDS))

Where = Iterator[str]


def unsupported(plan: CompiledPlan) -> list[Problem]:
    """What a plan needs that the database does not deliver, each with its path."""
    found = [
        Problem(path, what, "what the database delivers", f"{what}: {_NOT_YET}")
        for what, places in _WHOLE
        for path in places(plan)
    ]
    found += [_field(path, name) for path, name, _ in named_fields(plan) if not _delivered(name)]
    for number, rule in enumerate(plan.credit_rules):
        path = f"credit_rules[{number}]"
        found += [
            Problem(f"{path}.{key}", what, "what the database delivers", f"{what}: {_NOT_YET}")
            for key, what, has in _RULES
            if has(rule)
        ]
        found += _stated_days(plan, rule, path)
    for place in range(len(plan.overrides)):
        found += _keeps(plan, specialise(plan, (place,)), place)
    return found


def _stated_days(plan: CompiledPlan, rule: CreditRule, path: str) -> Iterator[Problem]:
    """Days that a computed credit date may be, and no calendar holds."""
    for field in sorted(credit_dates(plan, rule.credit_date)):
        if field[:1].isdigit() and int(field[:4]) not in YEARS:
            allowed = f"a day from {YEARS[0]} to {YEARS[-1]}"
            message = f"The credit date of {rule.key} may be {field}; nothing is credited but on {allowed}."
            yield Problem(f"{path}.credit_date", field, allowed, message)


def _keeps(plan: CompiledPlan, for_some: CompiledPlan, place: int) -> Iterator[Problem]:
    """Whether what was posted stays, where an override changes that: it is asked of the plan's own component."""
    for number, (ours, theirs) in enumerate(zip(plan.components, for_some.components, strict=True)):
        for key in ("pool", "rank"):
            own, other = getattr(ours, key), getattr(theirs, key)
            if own is not None and other is not None and own.after_posting != other.after_posting:
                path = f"overrides[{place}].components[{number}].{key}.after_posting"
                what = "A share that stays for some people only"
                yield Problem(path, what, "the same for everybody", f"{what}: {_NOT_YET}")


_NOT_YET = (
    "case files work it out, but the database does not deliver what it needs yet. Such a version is not published."
)

_WHOLE: tuple[tuple[str, Callable[[CompiledPlan], Where]], ...] = (
    ("A plan without a currency", lambda plan: _if(plan.currency == NO_CURRENCY, "currency")),
)
_RULES: tuple[tuple[str, str, Callable[[CreditRule], bool]], ...] = ()


def _if(value: object, path: str) -> Where:
    if value:
        yield path


def _delivered(name: str) -> bool:
    plain = name.removeprefix("deal.")
    return plain in DELIVERED or plain.startswith(("custom.", "computed."))


def _field(path: str, name: str) -> Problem:
    message = f"No source delivers the field {name} yet. Such a version is not published."
    return Problem(path, name, ", ".join(sorted(DELIVERED)), message)
