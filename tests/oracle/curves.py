"""From a running total to an earning: numbers 7 to 11, 13, 18 and 20, as functions of one number.

Money is in minor units, everything else in ones (a share of 90% is 9/10, three units are 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

from tests.oracle.fields import Sight, type_of
from tests.oracle.reading import Document, holding, minor, percent

NO_QUOTA, NO_INCENTIVE, NO_VALUE = 1, 2, 3


@dataclass(frozen=True)
class Terms:
    """What a line is rated by: its component as its version, its overrides and its gates leave it; its quota and its
    incentive (None: missing)."""

    document: Document
    component: dict[str, Any]
    quota: Fraction | None
    incentive: Fraction | None
    unit: str = "money"  # of what is measured
    column: int = 0
    plain: bool = False  # without accelerators
    bounds: Fraction = Fraction(1)  # the part of bounds in money or units that counts

    def money(self, text: str) -> int:
        return minor(text, self.document)


def needs_quota(component: dict[str, Any]) -> bool:
    return component.get("quota") is not None


def waits_for(terms: Terms) -> int:
    """What the line waits for; 0 for nothing (10, 20)."""
    if needs_quota(terms.component):
        if terms.quota is None and terms.component.get("missing_quota", "wait") == "wait":
            return NO_QUOTA
        if terms.quota == 0 and terms.component.get("zero_quota", "wait") == "wait":
            return NO_QUOTA
    if "incentive" in terms.component and terms.incentive is None:
        return NO_INCENTIVE if terms.component["missing_incentive"] == "wait" else 0
    return 0


def pays_nothing(terms: Terms) -> bool:
    """A missing incentive, or a quota that is missing or zero, for which the plan says that nothing is paid."""
    if "incentive" in terms.component and terms.incentive is None:
        return True
    if needs_quota(terms.component) and not terms.quota:
        choice = terms.component["missing_quota" if terms.quota is None else "zero_quota"]
        return bool(choice == "no_pay")
    return False


def flat_tier(terms: Terms) -> int | None:
    """The tier that holds everything where there is no quota to measure against; None where there is one (10)."""
    if not needs_quota(terms.component) or terms.quota:
        return None
    choice = terms.component["missing_quota" if terms.quota is None else "zero_quota"]
    return {"lowest_tier": 0, "highest_tier": len(tiers_of(terms)) - 1}[choice]


def earning_at(terms: Terms, x: Fraction) -> Fraction:
    """F(x)."""
    if pays_nothing(terms):
        return Fraction(0)
    x = limited(terms, x)
    match terms.component["kind"]:
        case "commission":
            return tiers_at(terms, x)
        case "bonus":
            return Fraction(terms.money(terms.component["bonus"]["amount"]) if reached(terms, x) else 0)
        case _:
            return incentive_at(terms, x)


def limited(terms: Terms, x: Fraction) -> Fraction:
    """The attainment that counts is limited (25 a)."""
    limit = terms.component.get("limits", {}).get("attainment")
    if limit is None or not terms.quota:
        return x
    return min(x, percent(limit) * terms.quota)


# ------------------------------------------------------------------ tiers


def tiers_of(terms: Terms) -> list[tuple[Fraction, dict[str, Any]]]:
    """Where each tier begins, and the tier; those from the quota on are left out without accelerators (19)."""
    stated = terms.component["tiers"]
    axis = stated.get("axis", "attainment")
    part = Fraction(1) if stated["mode"] == "each" else terms.bounds
    found = []
    for place, tier in enumerate(stated["rates"]):
        match axis:
            case "attainment":
                share = percent(tier["from"])
                start = share * (terms.quota or 0)
                beyond = share >= 1
            case "amount":
                start = part * terms.money(tier["from"])
                beyond = terms.quota is not None and start >= terms.quota
            case _:
                start = part * Fraction(tier["from"])
                beyond = terms.quota is not None and start >= terms.quota
        if place == 0 or not (terms.plain and beyond):
            found.append((start, tier))
    return found


def rate_of(terms: Terms, tier: dict[str, Any]) -> Fraction:
    """What a tier pays for each minor unit, or each unit."""
    stated = terms.component["tiers"]
    text = tier["rates"][terms.column] if "rates" in tier else tier[stated.get("pays", "rate")]
    match stated.get("pays", "rate"):
        case "rate":
            return percent(text)
        case "per_unit":
            return Fraction(terms.money(text))
        case _:
            assert terms.incentive is not None and terms.quota
            return Fraction(text) * terms.incentive / terms.quota


def in_full_points(terms: Terms, x: Fraction) -> Fraction:
    stated = terms.component["tiers"]
    if "full_points" not in stated:
        return x
    match stated.get("axis", "attainment"):
        case "attainment":
            point = percent(stated["full_points"]) * (terms.quota or 0)
        case "amount":
            point = Fraction(terms.money(stated["full_points"]))
        case _:
            point = Fraction(stated["full_points"])
    return point * floor(x / point) if point else x


def tier_at(terms: Terms, x: Fraction) -> int:
    starts = [start for start, _ in tiers_of(terms)]
    flat = flat_tier(terms)
    return (
        holding(starts, in_full_points(terms, limited(terms, x)), terms.component["tiers"]["boundary"])
        if flat is None
        else flat
    )


def rate_at(terms: Terms, x: Fraction) -> Fraction:
    """R(x), whatever the sign of x."""
    return rate_of(terms, tiers_of(terms)[tier_at(terms, x)][1])


def tiers_at(terms: Terms, x: Fraction) -> Fraction:
    if flat_tier(terms) is not None:
        return rate_at(terms, x) * x
    x = in_full_points(terms, x)
    tiers = tiers_of(terms)
    if x < 0:
        return rate_of(terms, tiers[0][1]) * x if terms.component["below_zero"] == "lowest_tier" else Fraction(0)
    match terms.component["tiers"]["mode"]:
        case "retroactive":
            return rate_at(terms, x) * x
        case "mixed":
            return mixed_at(terms, tier_at(terms, x), x)
    earning = Fraction(0)
    for index, (start, tier) in enumerate(tiers):
        top = min(x, tiers[index + 1][0]) if index + 1 < len(tiers) else x
        earning += rate_of(terms, tier) * max(Fraction(0), top - start)
    return earning


def mixed_at(terms: Terms, index: int, x: Fraction) -> Fraction:
    """F(x) as the tier at `index` gives it: from its start, from the start of the one below, or from zero."""
    tiers = tiers_of(terms)
    start, tier = tiers[index]
    rate = rate_of(terms, tier)
    back = "none" if index == 0 else tier["back"]
    if back == "all" or index == 0 or (back == "tier" and index == 1):
        return rate * x
    if back == "none":
        return mixed_at(terms, index - 1, start) + rate * (x - start)
    return mixed_at(terms, index - 2, tiers[index - 1][0]) + rate * (x - tiers[index - 1][0])


def proportional(terms: Terms, own: Fraction, final: Fraction) -> Fraction:
    """Own amount at the rate that holds the whole (9)."""
    if pays_nothing(terms):
        return Fraction(0)
    if flat_tier(terms) is None and final < 0 and terms.component["below_zero"] == "no_pay":
        return Fraction(0)
    return rate_at(terms, final) * own


# ------------------------------------------------------------------ bonuses


def reached(terms: Terms, x: Fraction) -> bool:
    if not terms.quota:
        return bool(terms.quota is not None and terms.component["zero_quota"] == "highest_tier")
    bound = percent(terms.component["bonus"]["at"]) * terms.quota
    return x > bound or (x == bound and terms.component["bonus"]["boundary"] == "above")


# ------------------------------------------------------------------ curves of points


def curve_at(stated: dict[str, Any], x: Fraction, at: Any, pays: Any) -> Fraction:
    """The value of a curve; `at` and `pays` read the text of a point's place and pay."""
    points = [(at(point["at"]), pays(point)) for point in stated["points"]]
    if "full_points" in stated:
        width = at(stated["full_points"])
        x = width * floor(x / width)
    match stated["mode"]:
        case "by_width":
            return by_width(points, x)
        case "steps":
            held = [pay for place, pay in points if place < x or (place == x and stated["boundary"] == "above")]
            return held[-1] if held else below(stated, points)
        case _:
            return below(stated, points) if x < points[0][0] else interpolated(stated, points, x)


def below(stated: dict[str, Any], points: list[tuple[Fraction, Fraction]]) -> Fraction:
    return {"zero": Fraction(0), "one": Fraction(1), "first": points[0][1]}[stated["below"]]


def by_width(points: list[tuple[Fraction, Fraction]], x: Fraction) -> Fraction:
    earned = Fraction(0)
    for (start, pay), (end, _) in zip(points, points[1:], strict=False):
        earned += pay * max(Fraction(0), min(Fraction(1), (x - start) / (end - start)))
    return earned


def interpolated(stated: dict[str, Any], points: list[tuple[Fraction, Fraction]], x: Fraction) -> Fraction:
    for (start, low), (end, high) in zip(points, points[1:], strict=False):
        if x <= end:
            return low + (high - low) * (x - start) / (end - start)
    if stated["beyond"] == "last" or len(points) == 1:
        return points[-1][1]
    (start, low), (end, high) = points[-2:]
    return high + (high - low) * (x - end) / (end - start)


def incentive_at(terms: Terms, x: Fraction) -> Fraction:
    """What a curve pays of the incentive, or in money, or as a result (20, 21)."""
    stated = terms.component["curve"]
    if stated["axis"] == "attainment":
        assert terms.quota
        x = x / terms.quota
    found = curve_at(stated, x, lambda text: place_of(terms, stated, text), lambda point: pay_of(terms, stated, point))
    if stated["pays"] == "share" and terms.component["kind"] == "incentive":
        assert terms.incentive is not None
        return found * terms.incentive
    return found


def place_of(terms: Terms, stated: dict[str, Any], text: str) -> Fraction:
    if stated["axis"] == "attainment" or text.endswith("%"):
        return percent(text)
    return Fraction(terms.money(text)) if terms.unit == "money" else Fraction(text)


def pay_of(terms: Terms, stated: dict[str, Any], point: dict[str, str]) -> Fraction:
    match stated["pays"]:
        case "share":
            return percent(point["pays"])
        case "amount":
            return Fraction(terms.money(point["pays"]))
        case _:
            return Fraction(point["pays"])


# ------------------------------------------------------------------ tables


def row_of(dimension: dict[str, Any], sight: Sight) -> int | None:
    """The row of a dimension that holds the fact's value, None where none does."""
    found = sight.value(dimension["field"])
    kind = type_of(dimension["field"], sight.document)
    if kind == "text":
        if found in dimension["values"]:
            return int(dimension["values"].index(found))
        return len(dimension["values"]) if dimension["else"] else None
    if found is None:
        return None
    read = {"money": lambda text: minor(text, sight.document), "number": Fraction, "date": date.fromisoformat}[kind]
    starts = [read(text) for text in dimension["from"]]
    found = abs(found) if kind == "money" else found
    if found < starts[0]:
        return None
    return holding(starts, found, dimension["boundary"])


def cell_of(table: dict[str, Any], sight: Sight) -> Any:
    """The text of the cell, None where no row holds."""
    cell = table["cells"]
    for dimension in table["dimensions"]:
        row = row_of(dimension, sight)
        if row is None:
            return None
        cell = cell[row]
    return cell
