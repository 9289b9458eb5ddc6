"""What a component pays by attainment, set out for drawing as SVG. Points come exact from plans.rules; only places on
the page are rounded, to a tenth of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from plans.rules.compiled import Bonus, Component
from plans.rules.drawn import Point, pay_curve
from plans.rules.phrases import share

WIDTH, HEIGHT = 480, 200
LEFT, RIGHT, TOP, BOTTOM = 12, 12, 24, 26


@dataclass(frozen=True, slots=True)
class Mark:
    """A text at a place; `x` in the drawing's units."""

    x: str
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line and the area below it, the line before (empty where nothing changed), bounds and rates in words."""

    key: str
    name: str
    words: str
    line: str
    area: str
    before: str
    bounds: tuple[Mark, ...]
    rates: tuple[Mark, ...]
    highest: str

    view = f"0 0 {WIDTH} {HEIGHT}"
    top, base, left, right = TOP, HEIGHT - BOTTOM, LEFT, WIDTH - RIGHT
    below = HEIGHT - 8


def draw(component: Component, before: Component | None = None) -> Curve | None:
    """Pay against attainment, None for a component without such a curve. `before`: the component it replaces."""
    if not pay_curve(component) or (component.tiers is not None and component.tiers.pays != "rate"):
        return None
    compared = before is not None and bool(pay_curve(before)) and _paid_in(before) == _paid_in(component)
    end = max(_end(component), _end(before)) if before is not None and compared else _end(component)
    points = pay_curve(component, end)
    earlier = pay_curve(before, end) if before is not None and compared else []
    values = [value for _, value in [*points, *earlier]]
    low, high = min([Fraction(0), *values]), max([Fraction(0), *values])
    span = (high - low) or Fraction(1)

    def x(attained: Fraction) -> str:
        return _tenths(LEFT + attained / end * (WIDTH - LEFT - RIGHT))

    def y(value: Fraction) -> str:
        return _tenths(TOP + (high - value) / span * (HEIGHT - TOP - BOTTOM))

    def path(line: Sequence[Point]) -> str:
        return "M" + " L".join(f"{x(attained)} {y(value)}" for attained, value in line)

    marks = [(start, label) for start, label in _marks(component) if start < end]
    starts = [start for start, _ in marks]
    line, ghost = path(points), path(earlier) if earlier else ""
    middles = zip(marks, [*starts[1:], end], strict=True)
    return Curve(
        key=component.key,
        name=component.name,
        words=_words(points, _paid_in(component)),
        line=line,
        area=f"{line} L{x(end)} {y(Fraction(0))} L{x(Fraction(0))} {y(Fraction(0))} Z",
        before=ghost if ghost != line else "",
        bounds=tuple(Mark(x(start), share(start)) for start in starts),
        rates=tuple(Mark(x((start + stop) / 2), label) for (start, label), stop in middles),
        highest=f"{_percent(points[-1][1])} of {_paid_in(component)} at {_percent(end)}",
    )


def _paid_in(component: Component) -> str:
    """What a curve's pay is a share of."""
    if component.curve is None:
        return "quota"
    return "target pay" if component.kind == "incentive" else "the result"


def _marks(component: Component) -> list[tuple[Fraction, str]]:
    """Where something changes on the way, and what holds from there."""
    if component.tiers is not None:
        return [(tier.start, share(tier.rate)) for tier in component.tiers.rates]
    assert component.curve is not None
    return [(point.at, share(point.pays)) for point in component.curve.points]


def _end(component: Component) -> Fraction:
    return pay_curve(component)[-1][0]


def _words(points: Sequence[Point], paid_in: str) -> str:
    corners = dict(points)  # where it jumps, the value reached
    of = "it" if paid_in == "quota" else paid_in
    return "; ".join(f"at {_percent(at)} of quota {_percent(value)} of {of} is earned" for at, value in corners.items())


def _percent(value: Fraction) -> str:
    """With at most one decimal: a drawing's label, not a figure to pay by."""
    tenths = round(value * 1000)
    whole, rest = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole}{f'.{rest}' if rest else ''}%"


def _tenths(value: Fraction | int) -> str:
    tenths = round(Fraction(value) * 10)
    return f"{tenths // 10}.{tenths % 10}"


# ------------------------------------------------------------------ sketches


@dataclass(frozen=True, slots=True)
class Sketch:
    """The shape of what is paid, without figures: for lists."""

    line: str
    area: str

    view = "0 0 120 44"


def sketch(component: Component) -> Sketch | None:
    """How pay grows or falls with what is measured; None where that has no shape, as of a pool or a scorecard."""
    points = pay_curve(component) or _by_value(component)
    if len({value for _, value in points}) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    top = max(value for _, value in points)
    places = [
        (_tenths(2 + (at - first) / (last - first) * 116), _tenths(42 - value / top * 38)) for at, value in points
    ]
    line = "M" + " L".join(f"{x} {y}" for x, y in places)
    return Sketch(line, f"{line} L118 42 L2 42 Z")


def _by_value(component: Component) -> list[Point]:
    """Corners along what is measured itself, along the first number that a table asks for, or along places."""
    if component.curve is not None:
        steps = [(point.at, point.pays) for point in component.curve.points]
        return _stairs(steps) if component.curve.mode == "steps" else steps
    if component.bonus is not None:
        return _of_bonus(component.bonus)
    if component.rank is not None:
        return _stairs([(Fraction(place), Fraction(prize)) for place, prize in enumerate(component.rank.prizes)])
    if component.tiers is not None and len(component.tiers.rates) == 1:
        # One rate for all of it: what is earned rises in a straight line.
        return [(Fraction(0), Fraction(0)), (Fraction(1), component.tiers.rates[0].rate)]
    if component.tiers is not None and component.tiers.axis != "attainment":
        return _stairs([(tier.start, tier.rate) for tier in component.tiers.rates])
    if component.table is None:
        return []
    width = len(component.table.cells)
    for dimension in component.table.dimensions:
        width //= dimension.rows
        if dimension.starts:
            return _stairs(list(zip(dimension.starts, component.table.cells[::width], strict=False)))
    return []


def _of_bonus(bonus: Bonus) -> list[Point]:
    """Once at its bound; or once more with each credit."""
    amount = Fraction(bonus.amount)
    if bonus.at is not None:
        return _stairs([(Fraction(0), Fraction(0)), (bonus.at, amount)])
    return _stairs([(Fraction(count), count * amount) for count in range(4)])


def _stairs(steps: list[Point]) -> list[Point]:
    """Level from each step to the next, the last one as far again."""
    if len(steps) < 2:
        return []
    ends = [*(at for at, _ in steps[1:]), steps[-1][0] * 2 - steps[-2][0]]
    return [corner for (at, value), end in zip(steps, ends, strict=True) for corner in ((at, value), (end, value))]
