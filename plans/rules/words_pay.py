"""When and to whom money goes, in sentences: release, clawback, and what concerns the plan as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

from comp.core.days import day_date
from plans.rules.compiled import CompiledPlan, Override
from plans.rules.compiled_pay import (
    Amortise,
    Clawback,
    ClawbackLimit,
    Currencies,
    Draw,
    EmploymentRules,
    PaymentCap,
    PlanCap,
    Settlement,
    Tranche,
)
from plans.rules.phrases import both, money, named, plain_words, share

_UNITS = {True: "s", False: ""}


def plural(count: int, what: str) -> str:
    return f"{count} {what}{_UNITS[count != 1]}"


def release_sentence(release: tuple[Tranche, ...]) -> str:
    """When what is earned becomes payable."""
    parts = [f"{share(tranche.share)} {trigger_words(tranche)}" for tranche in release]
    return f"Paid out: {both(parts)}."


def trigger_words(tranche: Tranche) -> str:
    """`at once`, `at 75% usage`, `2 months after the go-live`."""
    match tranche.on:
        case "credit_date":
            what = "at once"
        case "usage":
            live = ", while it lasts," if tranche.reading == "live" else ""
            what = f"at {share(tranche.at or tranche.share)} usage{live}".rstrip(",")
        case "paid":
            tax = " with tax" if tranche.tax == "with" else ""
            what = f"as the customer pays what is {tranche.base}{tax}"
        case "date":
            what = f"on {day_date(tranche.day or 0).isoformat()}"
        case "period_end":
            what = "at the end of the period"
        case _:
            what = f"at {named(tranche.on)}"
    after = tranche.after
    if after is None:
        return what
    if after.days is not None:
        later = plural(after.days, "day")
    elif after.periods is not None:
        later = plural(after.periods, "pay period")
    else:
        later = plural(after.months or 0, "month")
        if after.day is not None:
            later += f" (on day {after.day} of the month)"
    return f"{later} after it is due {what}" if what == "at once" else f"{later} after {what.removeprefix('at ')}"


def rate_sentence(release_rate: str) -> str | None:
    return {
        "this_share": "Each part is paid at the rate reached when it is released.",
        "true_up": "Each part is paid at the rate reached when it is released, and brings those before it up to that.",
    }.get(release_rate)


def clawback_sentences(clawback: Clawback) -> Iterator[str]:
    what = both((named(kind) for kind in clawback.on), "or")
    match clawback.formula:
        case "recompute":
            yield f"After a {what} everything is worked out anew, as if it had never been."
            return
        case "original":
            how = "what it earned"
        case "pro_rata":
            term = clawback.term_months
            of = f"of {plural(term, 'month')}" if isinstance(term, int) else f"of the {named(str(term))}"
            how = f"the part of what it earned for the months {of} that were not served"
        case "window":
            span = (
                plural(clawback.window_days, "day")
                if clawback.window_days is not None
                else plural(clawback.window_months or 0, "month")
            )
            how = f"what it earned, within {span}; nothing later"
        case "table":
            rows = both(f"{share(part)} from month {month}" for month, part in clawback.table)
            how = f"a part of what it earned: {rows}"
        case _:
            how = f"the part of what it earned that was not collected of what is {clawback.base}"
    yield f"A {what} takes back {how}, in proportion to what is reversed."
    if clawback.failing_month is not None:
        word = "counts" if clawback.failing_month == "counts" else "does not count"
        yield f"The month of it {word} as served."
    if clawback.floor is not None:
        yield f"At least {share(clawback.floor)} of it stays."
    if clawback.exchange == "origin":
        yield "It is paid at the rate of exchange of what it takes back."
    lowers = "lowers" if clawback.lowers_measure else "does not lower"
    takes = "Only what was released is taken back" if clawback.takes == "released" else "All of it is taken back"
    yield f"It {lowers} what is measured. {takes}."


def amortise_sentence(amortise: Amortise) -> str:
    months = amortise.months
    over = plural(months, "month") if isinstance(months, int) else f"the {named(months)}"
    start = "the month of the credit" if amortise.start == "credit_date" else "the month after"
    return f"Its cost is spread evenly over {over}, from {start} on."


# ------------------------------------------------------------------ the plan as a whole


def plan_sentences(plan: CompiledPlan) -> Iterator[str]:
    version = {
        "carry": "running totals go on, and each credit is paid by the version of its day",
        "restart": "totals begin anew, with quotas for the days that are left",
        "rerun": "the whole period is paid by the newer one",
    }[plan.on_new_version]
    yield f"Where a new version starts within a period, {version}."
    if plan.proration is not None:
        yield from proration_sentences(plan)
    if plan.employment is not None:
        yield employment_sentence(plan.employment)
    if plan.currencies is not None:
        yield currencies_sentence(plan.currencies)
    for cap in plan.caps:
        yield plan_cap_sentence(cap, plan.currency)
    for override in plan.overrides:
        yield override_sentence(override)
    if plan.settlement is not None:
        yield from settlement_sentences(plan.settlement, plan.currency)


def employment_sentence(rules: EmploymentRules) -> str:
    return (
        f"After leaving {'credit still counts' if rules.credits_after == 'count' else 'no credit is given'}; "
        f"on leave {'it counts' if rules.credits_on_leave == 'count' else 'none is given'}; what is released after "
        f"the last day {'is paid' if rules.release_after == 'paid' else 'is lost'}."
    )


def currencies_sentence(currencies: Currencies) -> str:
    when = {
        "credit_date": "the rate of the credit date",
        "period_average": "the average rate of the period",
        "release_date": "the rate of the day of release",
    }[currencies.pay_rate]
    return f"Deals in another currency count at the rate of their credit date; pay in another one goes by {when}."


def plan_cap_sentence(cap: PlanCap, currency: str) -> str:
    what = {"lost": "is lost", "review": "is reviewed"}[cap.excess]
    who = both(named(key) for key in cap.components) if cap.components else "All components"
    return f"{who[:1].upper()}{who[1:]} together earn at most {money(cap.amount, currency)} a {cap.every}; more {what}."


def override_sentence(override: Override) -> str:
    changes = both(_setting(path, value) for path, value in override.settings)
    return f"For the {override.attribute} {override.value}: {changes}."


def _setting(path: str, value: str) -> str:
    """`commission tiers rates 1 rate is 12%`."""
    said = json.loads(value)
    words = path.removeprefix("components.").replace(".", " ").replace("-", " ").replace("_", " ")
    return f"{words} is {plain_words(said)}"


def proration_sentences(plan: CompiledPlan) -> Iterator[str]:
    assert plan.proration is not None
    stated = plan.proration
    by = {
        "calendar_days": "calendar days",
        "working_days": "working days",
        "whole_months": "whole months",
    }[stated.method]
    names = {"tiers": "bounds of tiers", "plan_caps": "caps over all components"}
    of = both(names.get(each, named(each)) for each in stated.of)
    ends = both(
        f"the {word} day {'counts' if how == 'counts' else 'does not count'}"
        for word, how in (("first", stated.first_day), ("last", stated.last_day))
    )
    leave = "leave counts" if stated.leave == "counts" else "leave is left out"
    yield f"Prorated by {by}: {of}; {ends}; {leave}."


_STEPS = {
    "releases": "what is released",
    "adjustments": "adjustments",
    "clawbacks": "what is taken back",
    "carried": "what was carried",
    "recovery": "recovery of draws",
    "cap": "the cap",
    "holdback": "the holdback",
    "top_up": "the draw",
}


def settlement_sentences(settlement: Settlement, currency: str) -> Iterator[str]:
    yield f"Each pay period is settled in this order: {both(_STEPS[step] for step in settlement.order)}."
    if settlement.amounts_rate is not None:
        when = {
            "period_start": "the rate of the pay period's first day",
            "period_end": "the rate of the pay period's last day",
            "period_average": "the average rate that holds the pay period's first day",
        }[settlement.amounts_rate]
        yield f"Who is paid in another currency is settled in it, and the amounts stated here are converted at {when}."
    for draw in settlement.draws:
        yield from draw_sentences(draw, currency)
    for cap in settlement.caps:
        yield payment_cap_sentence(cap, currency)
    if settlement.clawback_limit is not None:
        yield from clawback_limit_sentences(settlement.clawback_limit, currency)
    if settlement.holdback is not None:
        later = plural(settlement.holdback_periods, "pay period")
        yield f"{share(settlement.holdback)} is held back and paid {later} later."
    if settlement.small_adjustments is not None:
        least = money(settlement.small_adjustments, currency)
        yield f"Adjustments of less than {least} are kept until they add up to it, the year ends or the person leaves."
    if settlement.minimum is not None:
        yield f"Less than {money(settlement.minimum, currency)} is carried to the next pay period."
    yield "A negative pay is carried on." if settlement.negative == "carried" else "A negative pay is collected."


def payment_cap_sentence(cap: PaymentCap, currency: str) -> str:
    what = "A pay period pays" if cap.per == "pay_period" else "A fiscal year pays"
    excess = {"lost": "is lost", "carried": "is carried on", "review": "is reviewed"}[cap.excess]
    return f"{what} at most {money(cap.amount, currency)}; more {excess}."


def clawback_limit_sentences(limit: ClawbackLimit, currency: str) -> Iterator[str]:
    rest = {"carried": "stays owed", "forgiven": "is forgiven"}[limit.excess]
    yield (
        f"What is taken back takes at most {share(limit.share)} of the pay of one pay period and leaves at least "
        f"{money(limit.keep, currency)}; the rest {rest}."
    )
    if limit.on_leaving is not None:
        yield f"What is owed of it when leaving {'stays owed' if limit.on_leaving == 'owed' else 'is forgiven'}."


def draw_sentences(draw: Draw, currency: str) -> Iterator[str]:
    kind = {
        "recoverable": "a recoverable draw",
        "non_recoverable": "a draw that is not recovered",
        "guarantee": "a guarantee",
    }[draw.kind]
    if draw.components:
        kind += f" of {both(named(each) for each in draw.components)}"
    dates = f"from {day_date(draw.start).isoformat()} to before {day_date(draw.end).isoformat()}"
    if draw.style == "top_up":
        tested = both(_STEPS[step] for step in draw.test)
        yield f"There is {kind} of {money(draw.amount, currency)} a pay period {dates}: {tested} is topped up to it."
    else:
        yield f"There is {kind} of {money(draw.amount, currency)} a pay period {dates}, paid in advance."
    if draw.recovery is not None:
        wait = f", after {plural(draw.recovery.after_periods, 'pay period')}" if draw.recovery.after_periods else ""
        yield (
            f"It is recovered from {share(draw.recovery.share)} of what is paid, leaving at least "
            f"{money(draw.recovery.keep, currency)}{wait}."
        )
    if draw.retest is not None:
        yield (
            "Late earning takes an earlier guarantee back first."
            if draw.retest
            else "An old guarantee stays as it was."
        )
    if draw.on_leaving is not None:
        yield f"What is owed when leaving {'stays owed' if draw.on_leaving == 'owed' else 'is written off'}."
