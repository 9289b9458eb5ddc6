"""What earns how much, in sentences: tiers, curves, tables, bonuses, scorecards, pools and ranks."""

from __future__ import annotations

from fractions import Fraction

from plans.rules.compiled import (
    Accelerator,
    Bonus,
    Columns,
    CompiledPlan,
    Component,
    Dimension,
    PayCurve,
    Pool,
    Rank,
    Scorecard,
    Table,
    Tier,
    Tiers,
    Unit,
)
from plans.rules.phrases import both, field_words, money, named, share
from plans.rules.values import number_text
from plans.rules.words_reads import read_unit, read_words

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def number(value: Fraction) -> str:
    """A number for people: as many decimals as 6 hold."""
    return number_text(Fraction(round(value * 10**6), 10**6))


def amount_of(value: Fraction, unit: Unit, currency: str) -> str:
    """A bound, a value or a gate's least, in its unit."""
    match unit:
        case "money":
            return money(int(value), currency)
        case "share":
            return share(value)
        case "days":
            return f"{number(value)} days"
        case _:
            return number(value)


def tier_sentences(tiers: Tiers, plan: CompiledPlan) -> list[str]:
    """The rates, how they apply, and whose a bound is."""
    currency = plan.currency
    if tiers.columns is not None:
        told = [_matrix(tiers, tiers.columns, plan)]
    else:
        told = [f"The rate is {both(_rates(tiers, currency))}."]
    if tiers.pays == "times":
        told.append("The base rate is the target incentive divided by the quota.")
    if tiers.full_points is not None:
        told.append(f"Only full steps of {bound_words(tiers, tiers.full_points, currency)} count.")
    if tiers.mode == "each":
        told.append("Each credit goes through the tiers alone, from zero.")
    if len(tiers.rates) == 1:
        return told
    match tiers.mode:
        case "marginal":
            told.append("Each rate applies to its own slice only: passing a bound changes nothing below it.")
        case "retroactive":
            how = {
                "running": "the deal that crosses a bound brings the difference for those before it",
                "proportional": "every deal is paid at the rate reached in the end",
            }[tiers.attribution or "running"]
            told.append(f"The rate that is reached applies to the whole amount: {how}.")
        case "mixed":
            told += _backs(tiers, currency)
    told.append(f"Exactly on a bound belongs to the tier {tiers.boundary}.")
    return told


def _rates(tiers: Tiers, currency: str) -> list[str]:
    parts = []
    for tier, following in zip(tiers.rates, [*tiers.rates[1:], None], strict=True):
        rate = tier_pays(tiers, tier.rate, currency)
        if following is None:
            parts.append(f"{rate} beyond" if len(tiers.rates) > 1 else f"{rate} of all of it")
        else:
            parts.append(f"{rate} up to {bound_words(tiers, following.start, currency)}")
    return parts


def tier_pays(tiers: Tiers, rate: Fraction, currency: str) -> str:
    match tiers.pays:
        case "times":
            return f"{number(rate)} times the base rate"
        case "per_unit":
            return f"{money_exact(rate, currency)} a unit"
        case _:
            return share(rate)


def money_exact(minor: Fraction, currency: str) -> str:
    """Money that may lie between two minor units."""
    return money(int(minor), currency) if minor.denominator == 1 else f"{money(int(minor), currency)}…"


def bound_words(tiers: Tiers, start: Fraction, currency: str) -> str:
    match tiers.axis:
        case "amount":
            return money(int(start), currency)
        case "units":
            return f"{number(start)} units"
        case _:
            return f"{share(start)} of quota"


def _backs(tiers: Tiers, currency: str) -> list[str]:
    told = {
        "none": "applies to its own slice only",
        "tier": "reaches back over the tier below it",
        "all": "reaches back over the whole amount",
    }
    return [
        f"The rate from {bound_words(tiers, tier.start, currency)} {told[tier.back or 'none']}."
        for tier in tiers.rates[1:]
    ]


def column_starts(columns: Columns, plan: CompiledPlan) -> list[str]:
    """The lower bound of each column, in the unit of what is read."""
    unit, per = read_unit(plan, columns.read)
    return [amount_of(start * per, unit, plan.currency) for start in columns.starts]


def _matrix(tiers: Tiers, columns: Columns, plan: CompiledPlan) -> str:
    # The first column begins at zero.
    starts = both([f"from {start}" for start in reversed(column_starts(columns, plan)[1:])] + ["below that"])

    def row(tier: Tier) -> str:
        rates = " / ".join(tier_pays(tiers, rate, plan.currency) for rate in reversed(tier.rates))
        return f"{rates} from {bound_words(tiers, tier.start, plan.currency)}"

    rows = both(row(tier) for tier in tiers.rates)
    return f"The rate depends on {read_words(columns.read, plan)} ({starts}): {rows}."


def size_words(size: int, component: Component, currency: str) -> str:
    """The size of a fact, in the unit of its credit."""
    return money(size, currency) if component.credit_unit == "money" else f"{number(Fraction(size, 10**6))} units"


def accelerator_sentence(accelerator: Accelerator, component: Component, currency: str) -> str:
    word = "above" if accelerator.boundary == "below" else "from"
    bands = both(
        f"{number(band.times)} times {word} {size_words(band.start, component, currency)}" for band in accelerator.bands
    )
    return f"What a deal earns is multiplied by the size of the deal: {bands}."


def bonus_sentence(bonus: Bonus, component: Component, plan: CompiledPlan) -> str:
    amount = money(bonus.amount, plan.currency)
    if bonus.per == "credit":
        least = ""
        if bonus.min_deal is not None:
            least = f" of a deal of at least {size_words(bonus.min_deal, component, plan.currency)}"
        return f"Pays {amount} for each credit{least}; a negative credit takes it back."
    word = "is passed" if bonus.boundary == "below" else "is reached"
    return f"Pays {amount} once {share(bonus.at or Fraction(0))} of quota {word} in the {component.every}."


def curve_sentences(curve: PayCurve, unit: Unit, currency: str, what: str) -> list[str]:
    """The corners of a curve, how it goes between them, and what holds beside them. `what` names what it pays."""

    def at(value: Fraction) -> str:
        return f"{share(value)} of quota" if curve.axis == "attainment" else amount_of(value, unit, currency)

    def pays(value: Fraction) -> str:
        match curve.pays:
            case "share":
                return f"{share(value)} of {what}" if what else share(value)
            case "amount":
                return money(int(value), currency)
            case "times":
                return f"{number(value)} times"
            case _:
                return number(value)

    points = curve.points
    if curve.mode == "by_width":
        rows = [f"{pays(a.pays)} between {at(a.at)} and {at(b.at)}" for a, b in zip(points, points[1:], strict=False)]
        told = [f"Spread evenly over its width, each step pays: {both(rows)}."]
    elif curve.mode == "steps":
        told = [f"Pays {both(f'{pays(point.pays)} from {at(point.at)}' for point in points)}."]
        side = "has reached it" if curve.boundary == "above" else "has not reached it yet"
        told.append(f"Exactly on a step {side}.")
    else:
        told = [
            f"Pays {both(f'{pays(point.pays)} at {at(point.at)}' for point in points)}, in a straight line between."
        ]
    if curve.full_points is not None:
        told.append(f"Only full steps of {at(curve.full_points)} count.")
    below = {"zero": "nothing is paid", "first": "the first is paid", "one": "nothing changes"}
    if curve.below is not None:
        told.append(f"Below {at(points[0].at)} {below[curve.below]}.")
    if curve.beyond is not None:
        told.append(
            f"Beyond {at(points[-1].at)} "
            + ("the last is paid." if curve.beyond == "last" else "it goes on as steeply as before it.")
        )
    return told


def table_sentences(table: Table, currency: str) -> list[str]:
    """What each row of a table of one dimension pays; of several, what it depends on."""
    what = {"rate": "The rate depends", "amount": "What a credit pays depends", "times": "The factor depends"}[
        table.pays
    ]
    told = [f"{what} on {both(field_words(dimension.field) for dimension in table.dimensions)}."]
    rows = [row_words(dimension, currency) for dimension in table.dimensions]
    if len(rows) == 1:
        cells = [f"{cell_words(table, cell, currency)} {row}" for row, cell in zip(rows[0], table.cells, strict=True)]
        return [*told, f"It is {both(cells)}."]
    size = len(table.cells) // len(rows[0])
    for place, row in enumerate(rows[0]):
        mine = table.cells[place * size : (place + 1) * size]
        if len(rows) == 2:
            cells = [f"{cell_words(table, cell, currency)} {inner}" for inner, cell in zip(rows[1], mine, strict=True)]
            told.append(f"{row[:1].upper()}{row[1:]}: {both(cells)}.")
        else:
            low, high = min(mine), max(mine)
            span = cell_words(table, low, currency)
            if low != high:
                span += f" to {cell_words(table, high, currency)}"
            told.append(f"{row[:1].upper()}{row[1:]}: {span}.")
    return told


def row_words(dimension: Dimension, currency: str) -> list[str]:
    name = field_words(dimension.field)
    if dimension.values or dimension.otherwise:
        rows = [f"for the {name} {value}" for value in dimension.values]
        return [*rows, "for all else"] if dimension.otherwise else rows
    word = "above" if dimension.boundary == "below" else "from"
    unit: Unit = "money" if dimension.type == "money" else "number"
    return [f"{word} {amount_of(start, unit, currency)}" for start in dimension.starts]


def cell_words(table: Table, cell: Fraction, currency: str) -> str:
    match table.pays:
        case "rate":
            return share(cell)
        case "amount":
            return money(int(cell), currency)
        case _:
            return f"{number(cell)} times"


def scorecard_sentences(card: Scorecard) -> list[str]:
    parts = both(f"{share(part.weight)} of {named(part.component)}" for part in card.parts)
    told = [f"Pays the target incentive by the weighted results: {parts}."]
    bounds = [
        f"{word} {share(value)}"
        for word, value in (("at least", card.at_least), ("at most", card.at_most))
        if value is not None
    ]
    if bounds:
        told.append(f"The whole counts {both(bounds)}.")
    missing = {"zero": "counts as zero", "wait": "makes everything wait"}[card.missing_part]
    told.append(f"A part without a result {missing}.")
    return told


def pool_sentence(pool: Pool, currency: str) -> str:
    total = f"{share(pool.share)} of what is measured" if pool.share is not None else money(pool.amount or 0, currency)
    how = "equally" if pool.divide == "equal" else f"by the points {named(pool.points or '')}"
    after = {"keep": "stays as it was", "redivide": "is divided anew"}[pool.after_posting]
    return f"A pool of {total} is divided {how} between everybody on the plan; what was posted {after}."


def rank_sentence(rank: Rank, currency: str) -> str:
    prizes = both(
        f"{money(prize, currency)} for the {_ORDINALS[place]}" for place, prize in enumerate(rank.prizes[:10])
    )
    more = f", and {len(rank.prizes) - len(_ORDINALS)} more" if len(rank.prizes) > len(_ORDINALS) else ""
    order = {"high": "highest", "low": "lowest"}[rank.order]
    ties = {
        "share": "equals divide the prizes of their places",
        "all": "equals each get the best of their places",
    }[rank.ties]
    after = {"keep": "stays as it was", "redivide": "is divided anew"}[rank.after_posting]
    return f"Prizes by place, the {order} value first: {prizes}{more}; {ties}; what was posted {after}."
