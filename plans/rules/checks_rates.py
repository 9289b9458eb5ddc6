"""What the rates of a component say together: bounds that rise, pay that jumps, what is never reached, units that do
not match. See plans.rules.checks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from plans.rules.about import About
from plans.rules.checks_credit import Row, once, rows_of, slug_of
from plans.rules.compiled import Unit
from plans.rules.forms import table_of
from plans.rules.look import Look, join
from plans.rules.values import (
    Document,
    number_text,
    percent_text,
    read_date,
    read_money,
    read_number,
    read_percent,
)

NAMES: dict[Unit | None, str] = {
    "money": "money",
    "units": "units",
    "share": "a share",
    "number": "a number",
    "days": "days",
}


def check_rates(look: Look, component: Document, path: str, known: About) -> None:
    """Report what is wrong among tiers, bands, tables, points and what shapes a line."""
    unit = known.unit(component)
    kind = component.get("kind")
    if kind == "commission":
        _tiers(look, component, path, known)
        _table(look, table_of(component.get("table")), join(path, "table"), known)
        place = join(path, "accelerator")
        bands = rows_of(table_of(component.get("accelerator")), place, "bands")
        check_bounds(look, bands, "band", "units" if unit == "units" else "money")
        _units(look, component, path, unit)
    if kind in ("incentive", "result"):
        curve = table_of(component.get("curve"))
        by_value = curve.get("axis") == "value"
        _points(look, curve, join(path, "curve"), unit if by_value else "share")
        if not by_value:
            _beyond(look, rows_of(curve, join(path, "curve"), "points"), "at", "point", component, curve)
    _bonus(look, component, path)
    _modifiers(look, component, path, known)
    if kind in ("commission", "bonus", "incentive"):
        _limits(look, component, path, unit)


# ------------------------------------------------------------------ values and bounds


def value_of(value: Any, unit: Unit | None, look: Look) -> Fraction | None:
    """A value of a unit, where it is one and not below zero."""
    found: Fraction | int | None
    if unit == "share":
        found = read_percent(value)
    elif unit == "money":
        found = None if look.currency is None else read_money(value, look.currency)
    else:
        found = None if unit is None else read_number(value)
    return Fraction(found) if found is not None and found >= 0 else None


def unit_text(value: Fraction, unit: Unit | None, look: Look) -> str:
    if unit == "share":
        return percent_text(value)
    return look.amount(int(value)) if unit == "money" else number_text(value)


def check_bounds(look: Look, rows: list[Row], what: str, unit: Unit | None) -> None:
    """Lower bounds start at zero and rise."""
    starts = [value_of(row.get("from"), unit, look) for _, row in rows]
    paths = [join(place, "from") for place, _ in rows]
    if starts and starts[0]:
        text, first = unit_text(starts[0], unit, look), unit_text(Fraction(0), unit, look)
        message = f"The first {what} starts at {text}; it has to start at {first}: what is below has no rate."
        look.report(paths[0], text, first, message)
    rising(look, starts, paths, what, lambda value: unit_text(value, unit, look))


def rising(look: Look, starts: list[Any], paths: list[str], what: str, text: Callable[[Any], str]) -> None:
    """Report bounds that do not rise."""
    for place, (before, start) in zip(paths[1:], pairwise(starts), strict=False):
        if before is not None and start is not None and start <= before:
            message = f"This {what} starts at {text(start)}, the one before it at {text(before)}; bounds have to rise."
            look.report(place, text(start), f"more than {text(before)}", message)


# ------------------------------------------------------------------ tiers


def _tiers(look: Look, component: Document, path: str, known: About) -> None:
    tiers = table_of(component.get("tiers"))
    path = join(path, "tiers")
    rows = rows_of(tiers, path, "rates")
    axis = tiers.get("axis")
    unit: Unit = "money" if axis == "amount" else "units" if axis == "units" else "share"
    check_bounds(look, rows, "tier", unit)
    _jumps(look, tiers, rows, unit)
    if unit == "share":
        _beyond(look, rows, "from", "tier", component, tiers)
    points = value_of(tiers.get("full_points"), unit, look)
    for place, row in rows:
        start = value_of(row.get("from"), unit, look)
        if points and start is not None and start % points:
            text, step = unit_text(start, unit, look), unit_text(points, unit, look)
            message = f"Only whole points of {step} count, so that this tier begins at the first of them above {text}."
            look.warn(join(place, "from"), text, f"a multiple of {step}", message)
    if rows and tiers.get("mode") == "mixed" and rows[0][1].get("back") in ("tier", "all"):
        message = "Nothing is below the first tier: its `back` is none."
        look.report(join(rows[0][0], "back"), rows[0][1]["back"], "none", message)
    columns = table_of(tiers.get("columns"))
    if columns:
        _columns(look, columns, join(path, "columns"), known)


def _columns(look: Look, columns: Document, path: str, known: About) -> None:
    unit = known.read_unit(columns.get("reads"))
    values = columns.get("from")
    starts = [value_of(value, unit, look) for value in (values if isinstance(values, list) else [])]
    paths = [join(join(path, "from"), place) for place in range(len(starts))]
    if starts and starts[0]:
        text, first = unit_text(starts[0], unit, look), unit_text(Fraction(0), unit, look)
        message = f"The first column starts at {text}; it has to start at {first}: what is below has no column."
        look.report(paths[0], text, first, message)
    rising(look, starts, paths, "column", lambda value: unit_text(value, unit, look))


def _jumps(look: Look, tiers: Document, rows: list[Row], unit: Unit) -> None:
    """Warn of how far pay jumps where a tier applies to what is below it."""
    mode, pays = tiers.get("mode"), str(tiers.get("pays", "rate"))
    if mode not in ("retroactive", "mixed"):
        return
    reached: list[Fraction] = []  # just below the start of each tier
    starts: list[Fraction] = []
    earned: Callable[[Fraction], Fraction] | None = None
    for place, row in rows:
        start, rate = value_of(row.get("from"), unit, look), _rate(row, pays, look)
        if start is None or rate is None:
            return
        below = Fraction(0) if earned is None else earned(start)
        back = "all" if mode == "retroactive" else row.get("back")
        base = {"all": (Fraction(0), Fraction(0)), "none": (below, start)}.get(str(back))
        if back == "tier" and reached:
            base = (reached[-1], starts[-1])
        if base is None:
            return
        earned = _line(base, rate)
        if earned(start) != below:
            _tell_jump(look, place, earned(start) - below, start, unit, pays)
        reached.append(below)
        starts.append(start)


def _line(base: tuple[Fraction, Fraction], rate: Fraction) -> Callable[[Fraction], Fraction]:
    return lambda x: base[0] + rate * (x - base[1])


def _rate(row: Document, pays: str, look: Look) -> Fraction | None:
    """The rate of a tier; with columns that of the first."""
    key, unit = _PAYS.get(pays, ("rate", "share"))
    rates = row.get("rates")
    return value_of(rates[0] if isinstance(rates, list) and rates else row.get(key), unit, look)


_PAYS: dict[str, tuple[str, Unit]] = {
    "rate": ("rate", "share"),
    "times": ("times", "number"),
    "per_unit": ("per_unit", "money"),
}


def _tell_jump(look: Look, path: str, size: Fraction, start: Fraction, unit: Unit, pays: str) -> None:
    verb = "jumps" if size > 0 else "falls"
    # Six decimals show it; the exact size may have more.
    share = percent_text(Fraction(round(abs(size) * 10**8), 10**8))
    text = look.amount(round(abs(size)))
    if unit == "share":
        of = {"rate": f"{share} of quota", "times": f"{share} of the target incentive"}
        text = of.get(pays, f"{text} for each unit of quota")
    elif pays == "times":
        text = f"{number_text(Fraction(round(abs(size) * 10**6), 10**6))} times the base rate"
    at = f"{percent_text(start)} of quota" if unit == "share" else unit_text(start, unit, look)
    whole = "the rate applies to the whole amount" if pays == "rate" else "it applies to the whole"
    message = f"At {at} pay {verb} by {text}: {whole}."
    look.warn(path, f"{verb} by {text}", "marginal tiers do not jump", message)


def _beyond(look: Look, rows: list[Row], key: str, what: str, component: Document, curve: Document) -> None:
    """Report tiers and points that a limit of attainment keeps from being reached."""
    limit = value_of(table_of(component.get("limits")).get("attainment"), "share", look)
    if not limit:
        return
    before: Fraction | None = None
    for place, row in rows:
        start = value_of(row.get(key), "share", look)
        if start is None:
            continue
        ends = start > limit or (start == limit and curve.get("boundary") == "below")
        # A point beyond the limit is still where the way from the one before it leads to.
        leads = curve.get("mode") in ("interpolated", "by_width") and (before is None or before < limit)
        if ends and not leads and what != "column":
            message = f"This {what} is never reached: attainment counts up to {percent_text(limit)} (`limits`)."
            look.report(join(place, key), percent_text(start), f"up to {percent_text(limit)}", message)
        before = start


# ------------------------------------------------------------------ tables, points, modifiers


def _table(look: Look, table: Document, path: str, known: About) -> None:
    """Report dimensions that stand twice, and rows that no value meets."""
    fields: dict[str, str] = {}
    for place, row in rows_of(table, path, "dimensions"):
        name = row.get("field")
        if not isinstance(name, str):
            continue
        if name in fields:
            message = f"{name} is a dimension twice; each field needs one only."
            look.report(join(place, "field"), name, "each field once", message)
        fields.setdefault(name, place)
        kind = known.person_types.get(name)
        values, starts = row.get("values"), row.get("from")
        seen: list[Any] = []
        for number, value in enumerate(values if isinstance(values, list) else []):
            if value in seen:
                message = f"{value} stands here twice; the second row would never be reached."
                look.report(join(join(place, "values"), number), value, "each once", message)
            seen.append(value)
        starts = starts if isinstance(starts, list) else []
        bounds = [_bound(value, kind, look) for value in starts]
        paths = [join(join(place, "from"), number) for number in range(len(bounds))]
        rising(look, bounds, paths, "row", _told_by(dict(zip(bounds, starts, strict=True))))


def _bound(value: Any, kind: str | None, look: Look) -> Any:
    if kind == "date":
        return read_date(value)
    if kind == "money":
        return value_of(value, "money", look)
    return read_number(value) if kind == "number" else None


def _points(look: Look, curve: Document, path: str, unit: Unit | None) -> None:
    rows = rows_of(curve, path, "points")
    ats = [value_of(row.get("at"), unit, look) for _, row in rows]
    rising(look, ats, [join(place, "at") for place, _ in rows], "point", lambda at: unit_text(at, unit, look))
    mode = curve.get("mode")
    least = 2 if mode == "by_width" or curve.get("beyond") == "extend" else 1
    if rows and len(rows) < least:
        why = (
            "`by_width` pays for the way from one point to the next" if mode == "by_width" else "`extend` needs a slope"
        )
        look.report(join(path, "points"), f"{len(rows)} point", f"at least {least}", f"Found one point; {why}.")
    elif mode == "by_width" and rows:
        place, last = rows[-1]
        paid = read_percent(last.get("pays"))
        paid = read_number(last.get("pays")) if paid is None else paid
        if paid:
            message = f"The last point ends the curve and pays nothing more; found {last['pays']}, allowed: 0."
            look.report(join(place, "pays"), last["pays"], "0", message)


def _modifiers(look: Look, component: Document, path: str, known: About) -> None:
    keys: dict[str, str] = {}
    place = join(path, "modifiers")
    for at, row in rows_of(table_of(component.get("modifiers")), place, "each"):
        once(look, keys, slug_of(row, "key"), join(at, "key"), "modifier")
        _table(look, table_of(row.get("table")), join(at, "table"), known)
        if "reads" in row:
            _points(look, row, at, known.read_unit(row.get("reads")))
    kickers: dict[str, str] = {}
    for at, row in rows_of(component, path, "kickers"):
        once(look, kickers, slug_of(row, "key"), join(at, "key"), "kicker")
        if "rate" in row and known.unit(component) not in ("money", None):
            unit = NAMES[known.unit(component)]
            message = f"A rate is a share of money, and this is measured in {unit}; pay an amount instead."
            look.report(join(at, "rate"), row["rate"], "an amount", message)


def _bonus(look: Look, component: Document, path: str) -> None:
    """Report a bonus whose bound is never reached."""
    bonus = table_of(component.get("bonus"))
    limit = value_of(table_of(component.get("limits")).get("attainment"), "share", look)
    at = value_of(bonus.get("at"), "share", look)
    if component.get("kind") == "bonus" and limit and at and at > limit:
        message = f"This bonus is never paid: attainment counts up to {percent_text(limit)} (`limits`)."
        look.report(join(join(path, "bonus"), "at"), percent_text(at), f"up to {percent_text(limit)}", message)


def _limits(look: Look, component: Document, path: str, unit: Unit | None) -> None:
    limits = table_of(component.get("limits"))
    path = join(path, "limits")
    if limits.get("rate") is not None and unit not in ("money", None):
        message = f"A rate limits a share of money, and this is measured in {NAMES[unit]}."
        look.report(join(path, "rate"), limits["rate"], "no limit of rate", message)
    if limits.get("attainment") is not None and component.get("quota") is None:
        message = "Attainment is limited, but there is no quota."
        look.report(join(path, "attainment"), limits["attainment"], "a component with a quota", message)


# ------------------------------------------------------------------ units


def _units(look: Look, component: Document, path: str, unit: Unit | None) -> None:
    """Report tiers and tables that do not fit what the measure is counted in."""
    if unit is None:
        return
    tiers, table = table_of(component.get("tiers")), table_of(component.get("table"))
    place = join(path, "tiers")
    needs = _needs(tiers, table)
    for key, where, needed in needs:
        if unit not in needed:
            allowed = " or ".join(NAMES[each] for each in needed)
            found = (tiers if where == "tiers" else table).get(key) or "rate"
            place = join(join(path, where), key)
            message = f"`{key}: {found}` needs a measure in {allowed}; this component is measured in {NAMES[unit]}."
            look.report(place, NAMES[unit], f"a measure in {allowed}", message)


def _needs(tiers: Document, table: Document) -> list[tuple[str, str, tuple[Unit, ...]]]:
    found: list[tuple[str, str, tuple[Unit, ...]]] = []
    if tiers:
        pays: dict[str, tuple[Unit, ...]] = {"per_unit": ("units",), "times": ("money", "units")}
        found.append(("pays", "tiers", pays.get(str(tiers.get("pays")), ("money",))))
        axis: dict[str, tuple[Unit, ...]] = {"amount": ("money",), "units": ("units",)}
        if str(tiers.get("axis")) in axis:
            found.append(("axis", "tiers", axis[str(tiers["axis"])]))
    if table.get("pays") == "rate":
        found.append(("pays", "table", ("money",)))
    return found


def _told_by(texts: dict[Any, Any]) -> Callable[[Any], str]:
    """A bound as the document writes it."""
    return lambda bound: str(texts[bound])
