"""Why this number: from the result down to the raw event."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from comp.core.money import format_money
from comp.people.models import PayGroup
from comp.tenancy.capabilities import Can
from comp.web.access import anyone
from comp.web.parts import Event, Link, Step
from crediting.models import DealRevision, FactRevision
from crediting.selectors import fact_words
from payouts.frames.story import line_story
from payouts.kernel import say
from payouts.models import Earning, Tranche
from payouts.pages.links import link, may_question
from payouts.reads.changes import of_line
from payouts.reads.disputes import of_line_standing
from payouts.reads.labels import line_label
from payouts.reads.lines import BATCH_STATES, hold_words, lines, told
from payouts.reads.periods import open_span, pay_group_of, span_holding
from payouts.reads.plans import rate_words
from payouts.reads.why import LineMoved, ReleaseRow, Sent, Why, exact_words, sent, spread_over, team_parts, why_of
from payouts.reads.why import told as retold
from plans.rules.words_rates import number

#: The steps that say what a line earns before factors and caps.
_BASES = ("bonus", "tiers", "curve", "table", "pool", "rank", "scorecard", "result", "nothing")
#: Why a tranche is not released that waits for no trigger.
_HELD_BACK = {
    Tranche.State.HELD: "held with its credit",
    Tranche.State.WITHHELD: "withheld by a gate",
    Tranche.State.LOST: "lost",
    Tranche.State.NO_RATE: "a rate of exchange",
}
#: A batch's state in the vocabulary of money.
BATCH_STATE = {batch: state for state, batches in BATCH_STATES.items() for batch in batches}


@anyone
@require_GET
def why(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A line's story, for whom the pay wall shows the line."""
    earning = (
        Earning.objects.select_related("participant", "deal__account", "deal__product", "deal__endpoint")
        .filter(pk=pk)
        .first()
    )
    if earning is None:
        raise Http404("no such line, or not yours to see")
    try:
        found = why_of(earning)
        if not found.steps:
            steps = line_story(earning, found.role_names)
            if steps is None:
                raise LineMoved(f"line {earning.pk} is not what it was")
            found = retold(found, steps)
    except LineMoved:
        raise Http404("this line is being recomputed; open it again from the list of deals") from None
    group = pay_group_of(earning.participant)
    open_period = open_span(group)
    (line,) = told(lines(earning.participant_id, open_period.ends_on).filter(pk=pk), open_ends=open_period.ends_on)
    own = earning.participant == request.participant  # type: ignore[attr-defined]
    history = sent(earning)
    label = line_label(earning, earning.deal)
    context = {
        "why": found,
        "line": line,
        "label": label,
        "over": f"{label} · {found.component.name}" + ("" if own else f" · {earning.participant.name}"),
        "own": own,
        "say": _say(found),
        "steps": _steps(request, found, own),
        "releases": [_release(row, group, earning) for row in found.releases],
        "may_read_rates": Can.PLAN_READ in request.can,  # type: ignore[attr-defined]
        "months": spread_over(earning),
        "usage": _usage_words(history),
        "parts": team_parts(found),
        "body": found.revision.delivery.body if found.revision else None,
        "delivery_url": link(request, "delivery", delivery=found.revision.delivery_id) if found.revision else "",
        "history": history,
        "events": _events(request, history),
        "current": _is_current(found),
        "changes": [_change_event(change) for change in of_line(earning)],
        "version_url": _version_url(request, found),
        "deal_url": link(request, "deal", deal=earning.deal_id) if earning.deal_id else "",
        "crumbs": [Link("Deals", link(request, "my_deals"))] if own else [],
        "dispute": of_line_standing(earning),
        "question_url": link(request, "dispute_add", why=pk) if may_question(request, earning.participant) else "",
    }
    return render(request, "payouts/why.html", context)


def _is_current(why: Why) -> bool:
    """Whether the line stands on the latest revision of its deal."""
    deal, revision = why.earning.deal, why.revision
    return deal is None or revision is None or why.earning.fact != deal.pk or revision.pk == deal.revision_id


def _say(why: Why) -> str:
    """The result in one sentence."""
    earning, currency = why.earning, why.version.says.currency
    by_code = {step.label_code: step for step in why.steps}
    for code in ("waits", "clawback", "carried"):
        if code in by_code:
            return by_code[code].sentence
    credit = format_money(earning.credit_minor, currency)
    base = next((step for step in why.steps if step.label_code in _BASES), None)
    if base is not None and (not why.told_from_rows or base.label_code == "bonus"):
        text = base.sentence.removesuffix(".")
    else:
        total = earning.after_minor
        text = f"{rate_words(why.version.says, why.component, vars(earning), total)} of {credit}"
        position = by_code.get("position")
        if position is not None and position.detail["attainment"]:
            before, after = (say.percent_text(share) for share in position.detail["attainment"])
            text += f", because this deal took attainment from {before} to {after} of quota"
    lost = earning.rounded_minor - earning.earned_minor
    return f"{text}; the cap takes {format_money(lost, currency)} of it." if lost else f"{text}."


def _steps(request: HttpRequest, why: Why, own: bool) -> list[Step]:
    """The arithmetic, each input named and linked, its result last."""
    currency = why.version.says.currency
    notes = {
        "tiers": ("", "#tiers" if why.tiers else "", "The tier rows"),
        "position": (
            "",
            f"{link(request, 'my_deals')}?from={why.earning.period_starts_on.isoformat()}" if own else "",
            "The others",
        ),
    }
    if why.rule is not None:
        deal = why.earning.deal
        source = f", as {deal.endpoint.name} sent it" if deal is not None else ""
        notes["deal"] = (f"{why.rule.amount}{source}", "#sent" if why.revision else "", "What was sent")
        notes["credit"] = (f"rule {why.rule.key} of {why.version}", "#rule", "The rule")
    found = []
    for step in why.steps:
        note, url, label = notes.get(step.label_code, ("", "", ""))
        if step.label_code == "deal" and not _is_current(why):
            note += "; a later revision is being worked in"
        found.append(Step(step.sentence.replace("….", "…"), _value(step, currency), note, url, label))
    return [*found, Step("Earned", format_money(why.earning.earned_minor, currency), result=True)]


def _value(step: say.Step, currency: str) -> str:
    if step.label_code == "position":
        shares = step.detail["attainment"]
        return say.percent_text(shares[1]) if shares else ""
    if step.unit == "money" and step.value is not None:
        return exact_words(step.value, currency)
    if step.unit == "factor" and step.value is not None:
        return f"× {number(Fraction(step.value))}"
    return ""


def _release(row: ReleaseRow, group: PayGroup, earning: Earning) -> dict[str, Any]:
    """A tranche for the page: what releases it, whether it is met, and its state with its cause."""

    def payout(day: date) -> str:
        return span_holding(group, day).name

    state, cause = "waiting", _HELD_BACK.get(row.state, "")
    if row.taken:
        last = row.taken[-1]
        state, cause = last.statement.state, f"{payout(last.period_starts_on)} payout"
    elif row.payable is not None and row.payable.hold is not None:
        state, cause = "held", hold_words(row.payable.hold)
    elif row.payable is not None:
        state, cause = "payable", f"{payout(row.payable.period_starts_on)} payout"
    elif row.release_on is not None and row.amount_minor:
        cause = f"the {payout(row.release_on)} payout"
    elif row.release_on is not None:
        state, cause = "earned", "nothing to pay"
    note = f"met on {row.met_on:%-d %B %Y}" if row.met_on else f"missing: {_supplier(row, earning)}"
    if row.state in _HELD_BACK:
        note = _HELD_BACK[row.state]
    if row.payable is not None and row.taken:
        more = format_money(row.payable.amount_minor, row.payable.currency)
        note += f"; {more} more in the {payout(row.payable.period_starts_on)} payout"
    return {"row": row, "state": state, "cause": cause or row.trigger, "note": note}


def _supplier(row: ReleaseRow, earning: Earning) -> str:
    what = "a usage reading" if row.usage else f"the milestone {row.trigger}"
    if earning.deal is None:
        return f"{what} has to be reported"
    return f"{what} has to be reported for this deal ({earning.deal.endpoint.name}, {earning.deal.external_id})"


def _usage_words(history: Sent) -> str:
    last = history.reading
    used, contracted = (Decimal(last.values.get(name, 0)) if last else 0 for name in ("used", "contracted"))
    if last is None or not contracted:
        return ""
    share = int(used * 1000 // contracted)
    return f"Usage stood at {share // 10}.{share % 10}% of what is contracted on {last.day:%-d %B %Y}."


def _events(request: HttpRequest, history: Sent) -> list[Event]:
    """Everything reported for the deal, the latest first."""

    def event(row: DealRevision | FactRevision, what: str) -> Event:
        received = timezone.localtime(row.delivery.received_at)
        note = f"received {received:%-d %b %Y %H:%M:%S}, delivery {row.delivery_id}"
        return Event(row.event_time, what, "", note, link(request, "delivery", delivery=row.delivery_id))

    found = [event(row, _revision_words(row)) for row in history.revisions]
    found += [event(row, fact_words(row) + (f", {row.day:%-d %b %Y}" if row.day else "")) for row in history.facts]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _revision_words(row: DealRevision) -> str:
    words = [row.stage]
    if row.amount_minor is not None:
        words.append(format_money(row.amount_minor, row.currency))
    if row.close_date is not None:
        words.append(f"closing {row.close_date:%-d %b %Y}")
    return ", ".join(words)


def _change_event(change: Any) -> Event:
    before, after = (format_money(minor, change.currency) for minor in (change.before_minor, change.after_minor))
    return Event(change.at, f"{before} → {after}", change.cause.actor, change.cause.label)


def _version_url(request: HttpRequest, why: Why) -> str:
    if Can.PLAN_READ not in request.can:  # type: ignore[attr-defined]
        return ""
    return link(request, "version", key=why.version.key, number=why.version.number)
