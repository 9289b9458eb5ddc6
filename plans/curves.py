"""What a component pays by attainment, set out for drawing as SVG. Points come exact from plans.rules; only places on
the page are rounded, to a tenth of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from plans.rules.compiled import Component
from plans.rules.phrases import share
from plans.rules.words import Point, pay_curve

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
    """The pay curve of a commission, None for a component without tiers. `before`: the component it replaces."""
    tiers = component.tiers
    if tiers is None:
        return None
    old = before.tiers if before is not None else None
    end = max(_end(component), _end(before)) if before is not None and old is not None else _end(component)
    points = pay_curve(component, end)
    earlier = pay_curve(before, end) if before is not None and old is not None else []
    values = [value for _, value in [*points, *earlier]]
    low, high = min([Fraction(0), *values]), max([Fraction(0), *values])
    span = (high - low) or Fraction(1)

    def x(attained: Fraction) -> str:
        return _tenths(LEFT + attained / end * (WIDTH - LEFT - RIGHT))

    def y(value: Fraction) -> str:
        return _tenths(TOP + (high - value) / span * (HEIGHT - TOP - BOTTOM))

    def path(line: Sequence[Point]) -> str:
        return "M" + " L".join(f"{x(attained)} {y(value)}" for attained, value in line)

    starts = [tier.start for tier in tiers.rates if tier.start < end]
    line, ghost = path(points), path(earlier) if earlier else ""
    middles = zip(starts, [*starts[1:], end], tiers.rates, strict=False)
    return Curve(
        key=component.key,
        name=component.name,
        words=_words(points),
        line=line,
        area=f"{line} L{x(end)} {y(Fraction(0))} L{x(Fraction(0))} {y(Fraction(0))} Z",
        before=ghost if ghost != line else "",
        bounds=tuple(Mark(x(start), share(start)) for start in starts),
        rates=tuple(Mark(x((start + stop) / 2), share(tier.rate)) for start, stop, tier in middles),
        highest=f"{_percent(points[-1][1])} of quota at {_percent(end)}",
    )


def _end(component: Component) -> Fraction:
    return pay_curve(component)[-1][0]


def _words(points: Sequence[Point]) -> str:
    corners = dict(points)  # where it jumps, the value reached
    return "; ".join(f"at {_percent(at)} of quota {_percent(value)} of it is earned" for at, value in corners.items())


def _percent(value: Fraction) -> str:
    """With at most one decimal: a drawing's label, not a figure to pay by."""
    tenths = round(value * 1000)
    whole, rest = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole}{f'.{rest}' if rest else ''}%"


def _tenths(value: Fraction | int) -> str:
    tenths = round(Fraction(value) * 10)
    return f"{tenths // 10}.{tenths % 10}"
