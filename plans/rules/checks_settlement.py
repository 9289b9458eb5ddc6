"""What the steps, draws and caps of a settlement say together. See plans.rules.checks."""

from __future__ import annotations

from plans.rules.checks_credit import once, rows_of, slug_of, slugs_of
from plans.rules.forms import table_of
from plans.rules.language_release import STEPS
from plans.rules.look import Look, join, listed
from plans.rules.values import Document, read_date, read_percent

ALWAYS = ("releases", "adjustments", "clawbacks", "carried")
#: What the pay of some components alone can be told from.
OF_COMPONENTS = ("releases", "clawbacks", "recovery")


def check_settlement(look: Look, plan: Document, settlement: Document) -> None:
    """Report what is wrong with the waterfall of a plan."""
    path = "settlement"
    draws = rows_of(settlement, path, "draws")
    if "draw" in settlement and "draws" in settlement:
        message = "Either there is one draw, or several: `draw` has no place beside `draws`."
        look.report(join(path, "draw"), "draw and draws", "draw or draws", message)
    if isinstance(settlement.get("draw"), dict):
        draws = [(join(path, "draw"), settlement["draw"]), *draws]
    _paid_in(look, plan, settlement)
    steps = _order(look, settlement, [draw for _, draw in draws])
    if steps is None:
        return
    for number, (place, draw) in enumerate(draws):
        _test(look, settlement, steps, place, draw, first=not number)
        _dates(look, place, draw)
    _of_components(look, plan, settlement, draws)
    if "clawback_limit" in settlement and steps.get("releases", 0) > steps.get("clawbacks", 0):
        message = "With a limit clawbacks take of what stands before them: `releases` has to come first."
        look.report(join(path, "order"), "clawbacks before releases", "releases, then clawbacks", message)
    tables = [(join(place, "recovery"), draw.get("recovery")) for place, draw in draws]
    tables += [(join(path, key), settlement.get(key)) for key in ("holdback", "clawback_limit")]
    for place, table in tables:
        share = read_percent(table_of(table).get("share"))
        if share is not None and share > 1:
            message = f"At most all of it can be kept; found {table_of(table)['share']}."
            look.report(join(place, "share"), table_of(table)["share"], "above 0% to 100%", message)


def _paid_in(look: Look, plan: Document, settlement: Document) -> None:
    """In which currency it settles who is paid in another one, and at which rate its own amounts are then converted."""
    pays, rated = settlement.get("settle_in") == "pay", "amounts_rate" in settlement
    path = "settlement.amounts_rate"
    if pays and "currencies" not in plan:
        message = "Nobody is paid in another currency here: the plan has no `currencies`."
        look.report("settlement.settle_in", "pay", "plan, or currencies in the plan", message)
    if pays and not rated:
        allowed = "period_start, period_end or period_average"
        message = "It settles in the currency of pay, and does not say at which rate its amounts are converted into it."
        look.report(path, "nothing", allowed, message)
    elif rated and not pays:
        message = "Only a settlement in the currency of pay (settle_in: pay) converts its amounts."
        look.report(path, settlement["amounts_rate"], "nothing, or settle_in: pay", message)


def _order(look: Look, settlement: Document, draws: list[Document]) -> dict[str, int] | None:
    """The place of each step; None where they cannot be told. Reports those that are missing or have nothing to do."""
    order = settlement.get("order")
    steps = [step for step in order if isinstance(step, str)] if isinstance(order, list) else []
    if not set(steps) <= set(STEPS):
        return None
    recovers = any(draw.get("kind") == "recoverable" for draw in draws)
    needed = {
        **dict.fromkeys(ALWAYS, "every settlement has it"),
        **({"recovery": "a recoverable draw is recovered"} if recovers else {}),
        **({"cap": "there is a cap"} if {"cap", "caps"} & set(settlement) else {}),
        **({"holdback": "there is a holdback"} if "holdback" in settlement else {}),
        **({"top_up": "there is a draw"} if draws else {}),
    }
    path = "settlement.order"
    for step, why in needed.items():
        if isinstance(order, list) and step not in steps:
            look.report(path, ", ".join(steps) or "nothing", step, f"The step {step} is missing: {why}.")
    for number, step in enumerate(steps):
        if step in ("recovery", "cap", "holdback", "top_up") and step not in needed:
            message = f"There is nothing for the step {step} to do: this settlement has none."
            look.report(join(path, number), step, "the steps that are needed", message)
    return {step: place for place, step in enumerate(steps)}


def _test(look: Look, settlement: Document, steps: dict[str, int], path: str, draw: Document, *, first: bool) -> None:
    """What a top-up is tested against has to be known when it comes."""
    tested = draw.get("test")
    limited = "clawback_limit" in settlement
    allowed = [step for step in OF_COMPONENTS if not (limited and step == "clawbacks")]
    for number, step in enumerate(tested if isinstance(tested, list) else []):
        place = join(join(path, "test"), number)
        if not isinstance(step, str):
            continue
        if "components" in draw and step not in allowed:
            what = "under a limit the step" if step == "clawbacks" else "the step"
            message = f"The draw is of some components, and {what} {step} is of no component."
            look.report(place, step, listed(allowed), message)
        elif step == "top_up" and first:
            message = "The first draw is tested against top_up, but no draw comes before it."
            look.report(place, step, "top_up only for a later draw", message)
        elif step != "top_up" and steps.get(step, 0) > steps.get("top_up", len(steps)):
            message = f"The top-up is tested against {step}, which comes after it."
            look.report(place, step, "steps before top_up", message)


def _dates(look: Look, path: str, draw: Document) -> None:
    start, end = read_date(draw.get("from")), read_date(draw.get("to"))
    if start is not None and end is not None and end <= start:
        message = f"A draw from {start} to {end} is given on no day: `to` is the first day without it."
        look.report(join(path, "to"), str(end), f"a date after {start}", message)


def _of_components(look: Look, plan: Document, settlement: Document, draws: list[tuple[str, Document]]) -> None:
    """Keys of draws, and the components that they are of: each in one draw."""
    seen: dict[str, str] = {}
    keys: dict[str, str] = {}
    for path, draw in draws:
        once(look, keys, slug_of(draw, "key"), join(path, "key"), "draw")
        if draw.get("retest") is True and "small_adjustments" in settlement:
            message = "A guarantee that is tested again needs adjustments as they come: none may be kept."
            look.report(join(path, "retest"), "true", "false, or no small_adjustments", message)
        if draw.get("retest") is True and "components" in draw:
            message = "A guarantee of some components is not tested again: adjustments are of no component."
            look.report(join(path, "retest"), "true", "false", message)
        for place, name in check_named(look, plan, draw, path):
            if seen.setdefault(name, path) != path:
                look.report(
                    place, name, "each in one draw", f"What {name} pays is of the draw at {seen[name]} already."
                )


def check_named(look: Look, plan: Document, row: Document, path: str) -> list[tuple[str, str]]:
    """The components that a row names, each with its path; reports those that are not there or pay nothing."""
    paying = [slug_of(each, "key") for _, each in rows_of(plan, "", "components") if each.get("kind") != "result"]
    known = [key for key in paying if key is not None]
    found = []
    for number, name in enumerate(slugs_of(row, "components")):
        place = join(join(path, "components"), number)
        if known and name not in known:
            message = f"No component of this plan that pays has the key {name}; known are {listed(known)}."
            look.report(place, name, listed(known), message)
        else:
            found.append((place, name))
    return found
