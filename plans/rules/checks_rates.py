"""What the rates of a component say together: bounds that rise, pay that jumps. See plans.rules.checks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from plans.rules.about import About
from plans.rules.checks_credit import rows_of
from plans.rules.forms import table_of
from plans.rules.look import Look, join
from plans.rules.values import Document, percent_text, read_money, read_percent


def check_rates(look: Look, component: Document, path: str, known: About) -> None:
    """Report what is wrong among tiers, bands and points."""
    if component.get("kind") == "commission":
        _tiers(look, table_of(component.get("tiers")), join(path, "tiers"), known)
        accelerator = table_of(component.get("accelerator"))
        rows = rows_of(accelerator, join(path, "accelerator"), "bands")
        if look.currency is not None:
            starts = [read_money(row.get("from"), look.currency) for _, row in rows]
            rising(look, starts, [place for place, _ in rows], "band", look.amount(0), look.amount)


def _tiers(look: Look, tiers: Document, path: str, known: About) -> None:
    rows = rows_of(tiers, path, "rates")
    paths = [place for place, _ in rows]
    axis = tiers.get("axis", "attainment")
    if axis == "attainment":
        starts: list[Any] = [percent_from(row.get("from")) for _, row in rows]
        rising(look, starts, paths, "tier", "0%", percent_text)
    if tiers.get("mode") == "retroactive" and axis == "attainment" and tiers.get("pays", "rate") == "rate":
        steps = [(start, percent_from(row.get("rate"))) for start, (_, row) in zip(starts, rows, strict=True)]
        for place, (lower, upper) in zip(paths[1:], pairwise(steps), strict=False):
            _jump(look, place, lower, upper)


def percent_from(value: Any) -> Fraction | None:
    share = read_percent(value)
    return share if share is not None and 0 <= share <= 1000 else None


def _jump(
    look: Look,
    path: str,
    lower: tuple[Fraction | None, Fraction | None],
    upper: tuple[Fraction | None, Fraction | None],
) -> None:
    """Warn of how far pay jumps where a retroactive tier begins, as a share of quota."""
    if lower[1] is None or upper[0] is None or upper[1] is None:
        return
    size = (upper[1] - lower[1]) * upper[0]
    if size == 0:
        return
    verb = "jumps" if size > 0 else "falls"
    # Six decimals show it; the exact size has up to sixteen.
    text = percent_text(Fraction(round(abs(size) * 10**8), 10**8))
    message = (
        f"At {percent_text(upper[0])} of quota pay {verb} by {text} of quota: the rate applies to the whole amount."
    )
    look.warn(path, f"{verb} by {text} of quota", "marginal tiers do not jump", message)


def rising(
    look: Look,
    starts: list[Any],
    paths: list[str],
    what: str,
    first: str,
    text: Callable[[Any], str],
) -> None:
    """Lower bounds start at zero and rise strictly."""
    if starts and starts[0] is not None and starts[0] != 0:
        message = (
            f"The first {what} starts at {text(starts[0])}; it has to start at {first}: what is below has no rate."
        )
        look.report(join(paths[0], "from"), text(starts[0]), first, message)
    for place in range(1, len(starts)):
        before, start = starts[place - 1], starts[place]
        if before is not None and start is not None and start <= before:
            message = f"This {what} starts at {text(start)}, the one before it at {text(before)}; bounds have to rise."
            look.report(join(paths[place], "from"), text(start), f"more than {text(before)}", message)
