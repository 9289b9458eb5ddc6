"""The openings of a case file: what the system before measured and earned. See docs/algorithms/openings.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from payouts.case_tables import columns
from payouts.kernel.batch import MILLIONTHS, MISSING_DAY, MISSING_MONEY, Milestones, Openings, OpeningTranches
from payouts.kernel.openings import refusal, version_for
from plans.rules.look import join
from plans.rules.values import Document, read_number

if TYPE_CHECKING:
    from payouts.case import Reader, Version

KEY = "openings"


def openings(
    reader: Reader, versions: Sequence[Version], milestones: Milestones
) -> tuple[Openings | None, OpeningTranches | None]:
    """`{person, component, day, measured: 1.00, earned: 1.00, tranches}`: `units` in place of `measured` where units
    are measured, `plan` where there are several. Without `tranches` all was released on the day."""
    rows: list[tuple[int, int, int, int, int, int]] = []
    given: list[tuple[int, int, int, int, int]] = []
    for path, row in reader.rows(KEY, reader.document):
        required, optional = ("person", "component", "day", "earned"), ("plan", "measured", "units", "tranches")
        table = reader.look.table(row, path, required, optional)
        person, day = reader.person(table, path), reader.day(table, path, "day")
        earned = _money(reader, table, path, "earned")
        place = None if day is None else version_of(reader, table, path, versions, day)
        if person is None or day is None or earned is None or place is None:
            continue
        component = next(each for each in versions[place].plan.components if each.key == table["component"])
        why = refusal(component)
        if why is not None:
            reader.look.report(path, component.key, "another component", f"{component.key} has no opening: {why}.")
        measured = _measured(reader, table, path, component.measure.unit == "money")
        parts = list(_tranches(reader, table, path, milestones, day, earned))
        if sum(amount for amount, _, _ in parts) != earned:
            message = "The tranches of an opening add up to what it earned."
            reader.look.report(join(path, "tranches"), table.get("tranches"), str(table["earned"]), message)
        if measured is not None:
            given += [(len(rows), index, *part) for index, part in enumerate(parts)]
            rows.append((person, place, versions[place].plan.components.index(component), day, measured, earned))
    if not rows:
        return None, None
    return Openings(*columns(rows, 6)), OpeningTranches(*columns(given, 5))


def version_of(reader: Reader, table: Document, path: str, versions: Sequence[Version], day: int) -> int | None:
    """The place of the version that something of a day belongs to, among those that have its component."""
    known = list(dict.fromkeys(component.key for version in versions for component in version.plan.components))
    key = reader.one_of(table, path, "component", known)
    keys = sorted({version.plan.key for version in versions})
    plan = reader.one_of(table, path, "plan", keys) if "plan" in table else None
    if plan is None and len(keys) > 1:
        reader.look.report(join(path, "plan"), "nothing", " or ".join(keys), "The case has several plans: say which.")
        return None
    mine = [
        place
        for place, version in enumerate(versions)
        if plan in (None, version.plan.key) and any(each.key == key for each in version.plan.components)
    ]
    spans = [(versions[place].start, versions[place].end) for place in mine]
    return mine[version_for(spans, day)] if key is not None and mine else None


def _measured(reader: Reader, table: Document, path: str, in_money: bool) -> int | None:
    """Minor units, or millionths."""
    name, other = ("measured", "units") if in_money else ("units", "measured")
    if name not in table or other in table:
        message = f"What this component measures is {'money: write `measured`' if in_money else 'none: write `units`'}."
        reader.look.report(path, other if other in table else "nothing", name, message)
        return None
    if in_money:
        return _money(reader, table, path, name)
    units = read_number(table[name])
    if units is None:
        reader.look.wrong(join(path, name), table[name], "a number with at most 6 decimals")
    return None if units is None else int(units * MILLIONTHS)


def _tranches(
    reader: Reader, table: Document, path: str, milestones: Milestones, opened: int, earned: int
) -> list[tuple[int, int, int]]:
    """The amount and release day of each, and what was paid for it: `{amount, on: DATE}` (with `paid: 1.00` of who is
    paid in another currency) or `{amount, deal, milestone}`."""
    if "tranches" not in table:
        return [(earned, opened, MISSING_MONEY)]
    found: list[tuple[int, int, int]] = []
    for place, row in reader.rows("tranches", table, path):
        part = reader.look.table(row, place, ("amount",), ("on", "deal", "milestone", "paid"))
        with reader.money_in(reader.paid_in(table), place):
            paid = _money(reader, part, place, "paid")
        if "paid" in part and reader.paid_in(table) is None:
            message = "Only who is paid in another currency than the plan's was paid another amount."
            reader.look.report(join(place, "paid"), part["paid"], "a person of `pay_currency`", message)
        amount, day = _money(reader, part, place, "amount"), reader.day(part, place, "on")
        deal, kind = reader.fact(part, place), reader.look.text(part, place, "milestone", 60)
        if ("on" in part) == ("milestone" in part) or ("deal" in part) != ("milestone" in part):
            message = "A tranche is released on a day (`on`), or by a `milestone` of a `deal`."
            reader.look.report(place, part, "on, or deal and milestone", message)
        elif deal is not None and kind is not None:
            day = _reached(milestones, deal, kind, opened)
        if amount is not None:
            found.append((amount, MISSING_DAY if day is None else day, MISSING_MONEY if paid is None else paid))
    return found


def _reached(milestones: Milestones, deal: int, kind: str, opened: int) -> int:
    """The day of a milestone, not before that of the opening; MISSING_DAY while it is not reached."""
    if kind not in milestones.kind.vocabulary:
        return MISSING_DAY
    mine = (milestones.deal == deal) & (milestones.kind.codes == milestones.kind.vocabulary.index(kind))
    return max(opened, int(milestones.day[mine].min())) if mine.any() else MISSING_DAY


def _money(reader: Reader, table: Document, path: str, key: str) -> int | None:
    value: Any = table.get(key)
    return reader.look.money_value(value, join(path, key), "any") if key in table else None
