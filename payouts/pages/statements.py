"""Statements: one's own, and those of others whose pay the visitor may see: the database's pay wall decides."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from comp.core.money import format_money, plain_money
from comp.people.models import Participant, PayGroup
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import anyone, needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Fact, Link, Step
from comp.web.templatetags.comp import day, money, state_badge
from crediting.selectors_waiting import waiting_of_person
from payouts.models import CutOver, Dispute, Statement
from payouts.pages.links import link, may_question
from payouts.pages.unconverted import waiting_page_of
from payouts.reads.disputes import marked, of_period
from payouts.reads.labels import line_label
from payouts.reads.leaving import Leaving, final_statements, leaving_of, may_read
from payouts.reads.lines import STATES, hold_words, sums, told
from payouts.reads.payments import of_statement
from payouts.reads.payout import MONEY_STATE, pay_day
from payouts.reads.periods import open_span, pay_group_of, span_holding
from payouts.reads.settlements import SettledPlan, settled_plans
from payouts.reads.statements import (
    Adjustment,
    Released,
    adjustment_lines,
    adjustments,
    earned_and_waiting,
    held,
    neighbours,
    parts,
    plans_of,
    released,
    released_lines,
)
from payouts.services.opening_batch import RUN
from payouts.services.unconverted import awaiting_rates, why_not_yet

PER_PAGE = 50
CSV_HEADER = (
    "Kind", "Deal", "Customer", "Component", "Plan", "Credit date", "Belongs to", "Credit", "Rate", "Earned",
    "Amount", "Currency", "Cause",
)  # fmt: skip


@needs(Can.PAY_OWN)
@require_GET
def statement_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """One's own statements, the newest first."""
    person = request.participant  # type: ignore[attr-defined]
    if person is None:
        return render(request, "payouts/home_nobody.html")
    group = pay_group_of(person)
    rows = Statement.objects.filter(participant=person).order_by("-period_starts_on", "-run")
    page = paginate(request, rows, 24)
    final = _final(request, person)
    context = {
        "page_obj": page,
        "final": final.pk if final else None,
        "questioned": Dispute.objects.filter(participant=person).exists(),
        "rows": [
            (row, span_holding(group, row.period_starts_on).name, MONEY_STATE[Statement.State(row.state)])
            for row in page.object_list
        ],
    }
    return render(request, "payouts/statement_list.html", context)


@needs(Can.PAY_OWN)
@require_GET
def own_statement(request: HttpRequest, tenant: str, period: date) -> HttpResponse:
    """One's own statement of the pay period that starts on that day."""
    person = request.participant  # type: ignore[attr-defined]
    if person is None:
        raise Http404("you are no participant here")
    return _statement(request, person, period, own=True)


@anyone
@require_GET
def statement_of(request: HttpRequest, tenant: str, period: date, participant: int) -> HttpResponse:
    """Somebody's statement, read-only: for those who may see that person's pay."""
    person = Participant.objects.filter(pk=participant).first()
    if person is None:
        raise Http404("no such participant")
    return _statement(request, person, period, own=False)


def _statement(request: HttpRequest, person: Participant, period: date, *, own: bool) -> HttpResponse:
    # Which payout of the period: an off-cycle one, what another system paid (-1), or else its regular one.
    run = request.GET.get("run", "")
    run_number = int(run) if run == str(RUN) or run.isdecimal() and len(run) < 5 else 0
    rows = Statement.objects.filter(participant=person, period_starts_on=period, run=run_number)
    statement = marked(rows).first()
    if statement is None:
        raise Http404("no such statement, or not yours to see")
    if "csv" in request.GET:
        return _csv(person, statement, final=_final(request, person) == statement)
    group = pay_group_of(person)
    open_period = open_span(group)
    leaving = leaving_of(person, statement, open_period.ends_on) if _may_read_leaving(request, person) else None
    settled = settled_plans(statement, lambda day: span_holding(group, day).name)
    span = span_holding(group, statement.period_starts_on)
    name = span.name
    switches = CutOver.objects.filter(pay_group=statement.pay_group_id).exclude(state=CutOver.State.ABANDONED)
    if statement.run == RUN and (switch := switches.first()):
        name += f", brought forward from {switch.source}"
    state = MONEY_STATE[Statement.State(statement.state)]
    pay_on = pay_day(group, span, statement.run)
    abroad = person.currency != request.tenant.currency  # type: ignore[attr-defined]
    standing = statement.state == Statement.State.OPEN and not statement.run
    made_of = parts(statement)
    lines_page = paginate(request, released(statement), PER_PAGE)
    later_page = paginate(request, adjustments(statement), PER_PAGE, "adjustments")
    waiting = earned_and_waiting(person.pk, span, open_period)
    waiting_page = paginate(request, waiting, PER_PAGE, "waiting")
    before, after = neighbours(statement)
    without_rate = waiting_of_person(person.pk).filter(credit_date__gte=span.starts_on, credit_date__lt=span.ends_on)
    context = {
        "person": person,
        "over": f"Statement · {name}" if own else f"{person.name} · statement · {name}",
        "statement": statement,
        "span": span,
        "state": state,
        "pay_on": pay_on,
        "payments": of_statement(statement),
        "facts": _facts(person, statement, span.name, pay_on, plans_of(made_of), state),
        "sum": _sum(statement, lines_page.paginator.count, later_page.paginator.count),
        "parts": made_of,
        "lines_page": lines_page,
        "lines": [
            (
                line,
                link(request, "deal", deal=line.deal.pk) if line.deal else "",
                link(request, "why", pk=line.earning_id) if line.earning_id else "",
            )
            for line in released_lines(statement, lines_page.object_list)
        ],
        "later_page": later_page,
        "adjustments": [
            (
                line,
                link(request, "deal", deal=line.deal.pk) if line.deal else "",
                _explained(request, line),
            )
            for line in adjustment_lines(
                statement,
                later_page.object_list,
                {
                    row.origin_starts_on: span_holding(group, row.origin_starts_on).name
                    for row in later_page.object_list
                },
            )
        ],
        "waiting_page": waiting_page,
        "waiting": [
            (line, link(request, "why", pk=line.earning.pk))
            for line in told(waiting_page.object_list, open_ends=open_period.ends_on, state="waiting")
        ],
        "own_currency": request.tenant.currency,  # type: ignore[attr-defined]
        "waiting_total": sums(waiting, [STATES["waiting"]])[STATES["waiting"]],
        **waiting_page_of(request, without_rate),
        **_held(statement),
        "unsettled": why_not_yet(awaiting_rates(participant=person)) if standing and abroad else "",
        "settled": settled,
        "leaving": leaving,
        "may_come": _may_come(leaving, settled),
        "final": _address(request, leaving.final, own) if leaving else "",
        "final_name": _name(group, leaving.final) if leaving and leaving.final else "",
        "before": _address(request, before, own),
        "after": _address(request, after, own),
        "crumbs": [Link("Statements", link(request, "statement_list"))] if own else _crumbs(request),
        "calculated_at": statement.calculated_at,
        "data_at": statement.data_at,
        "period_closes": span.last_day if statement.state == Statement.State.OPEN else None,
        "disputes": _disputes(request, person, statement),
        "question_url": _question(request, person, statement),
    }
    return render(request, "payouts/statement.html", context)


def _disputes(request: HttpRequest, person: Participant, statement: Any) -> list[tuple[Dispute, str]]:
    """What of the period is questioned, and where."""
    if not statement.disputed:
        return []
    return [(one, link(request, "dispute", pk=one.pk)) for one in of_period(person.pk, statement)]


def _question(request: HttpRequest, person: Participant, statement: Statement) -> str:
    """Where this statement is questioned, for whom that is open."""
    if not may_question(request, person):
        return ""
    url = link(request, "dispute_add_statement", period=statement.period_starts_on, participant=person.pk)
    return f"{url}?run={statement.run}" if statement.run else url


def _may_read_leaving(request: HttpRequest, person: Participant) -> bool:
    herself: bool = request.participant == person  # type: ignore[attr-defined]
    return may_read(person, herself=herself, day=today(request.tenant))  # type: ignore[attr-defined]


def _final(request: HttpRequest, person: Participant) -> Statement | None:
    """The person's final statement, for who may read that she leaves."""
    return final_statements([person]).get(person.pk) if _may_read_leaving(request, person) else None


def _name(group: PayGroup, statement: Statement) -> str:
    """The period and, of an off-cycle payout, which one: the same period has a regular statement too."""
    name = span_holding(group, statement.period_starts_on).name
    return f"{name}, off-cycle {statement.run}" if statement.run > 0 else name


def _may_come(leaving: Leaving | None, settled: list[SettledPlan]) -> str:
    """What may come behind a final statement, in words: what waits, what is held, and what plans held back."""
    if leaving is None or leaving.final is not None:
        return ""
    back: dict[str, int] = {}
    for plan in settled:
        for row in plan.held_back:
            back[plan.currency] = back.get(plan.currency, 0) + row.minor
    words = [f"{format_money(minor, currency)} was held back and comes back" for currency, minor in back.items()]
    return "; ".join([*leaving.may_come, *words])


def _crumbs(request: HttpRequest) -> list[Link]:
    team = Can.PAY_TEAM in request.can  # type: ignore[attr-defined]
    return [Link("Team", link(request, "team"))] if team else []


def _address(request: HttpRequest, statement: Statement | None, own: bool) -> str:
    if statement is None:
        return ""
    whose = {} if own else {"participant": statement.participant_id}
    address = link(request, "statement", period=statement.period_starts_on, **whose)
    return f"{address}?run={statement.run}" if statement.run else address


def _facts(person: Participant, statement: Statement, period: str, pay_on: date, plans: str, state: str) -> list[Fact]:
    return [
        Fact("Person", person.name),
        Fact("Plan", plans or "nothing released"),
        Fact("Period", period),
        Fact("Paid on" if state == "paid" else "To be paid on", day(pay_on, long=True)),
        Fact("State", state_badge(state)),
        Fact("Revision", statement.revision),
        Fact("Currency", statement.currency),
    ]


def _sum(statement: Statement, lines: int, adjustments: int) -> list[Step]:
    """The payout, visibly adding up."""

    def counted(count: int, what: str) -> str:
        return f"{count:,} {what}{'' if count == 1 else 's'}"

    return [
        Step("Released in this period", money(statement.released_minor, statement.currency), counted(lines, "line")),
        Step(
            "Prior-period adjustments",
            money(statement.adjustments_minor, statement.currency),
            counted(adjustments, "adjustment"),
        ),
        *(
            Step(what, money(getattr(statement, f"{name}_minor"), statement.currency), note, "#settled", "How")
            for name, what, note in _SETTLED
            if getattr(statement, f"{name}_minor")
        ),
        Step("Payout", money(statement.payout_minor, statement.currency), result=True),
    ]


#: What a settlement makes of released and adjusted pay, by column of a statement.
_SETTLED = (
    ("topped_up", "Topped up", "by a draw or guarantee"),
    ("recovered", "Recovered", "of a draw paid before"),
    ("withheld", "Withheld", "above a cap or held back; less what comes back"),
    ("carried", "Carried", "brought forward, less what goes on into the next period"),
    ("forgiven", "Forgiven", "of what was to be taken back"),
)


def _explained(request: HttpRequest, line: Adjustment) -> str:
    """Where an adjustment is explained: with its line, or with what people decided."""
    if line.by_hand:
        return link(request, "adjustment", pk=line.by_hand)
    return link(request, "why", pk=line.earning_id) if line.earning_id else ""


def _held(statement: Statement) -> dict[str, Any]:
    rows = list(held(statement))
    return {
        "held": [(line_label(row, row.deal), row, hold_words(row.hold)) for row in rows],
        "held_total": sum(row.amount_minor for row in rows),
    }


def _number(line: Released | Adjustment) -> str:
    """The source's own number of a deal; what a line without one is for."""
    return line.deal.external_id if line.deal is not None else line.label


def _plain(minor: int | None, line: Released) -> str:
    """An amount in the plan's currency."""
    return "" if minor is None else plain_money(minor, line.version.says.currency)


def _csv(person: Participant, statement: Statement, *, final: bool) -> HttpResponse:
    group = pay_group_of(person)
    currency = statement.currency
    later = list(adjustments(statement))
    names = {row.origin_starts_on: span_holding(group, row.origin_starts_on).name for row in later}

    def amount(minor: int | None) -> str:
        return "" if minor is None else plain_money(minor, currency)

    def cells() -> Any:
        here = span_holding(group, statement.period_starts_on).name
        for line in released_lines(statement, released(statement)):
            yield [
                "Released", _number(line), line.customer, line.component, str(line.version), line.credited_on,
                here, _plain(line.credit_minor, line), line.rate, _plain(line.earned_minor, line), amount(line.minor),
                currency, "",
            ]  # fmt: skip
        for row, past in zip(later, adjustment_lines(statement, later, names), strict=True):
            yield [
                "Adjustment", _number(past), past.customer, past.component, "", row.credit_date,
                past.origin, "", "", "", amount(past.minor), currency, str(past.cause or ""),
            ]  # fmt: skip
        for name, what, _ in _SETTLED:
            if minor := getattr(statement, f"{name}_minor"):
                yield [what, "", "", "", "", "", here, "", "", "", amount(minor), currency, ""]

    name = "final-statement" if final else "statement"
    return csv_response(f"{name}-{person.key}-{statement.period_starts_on.isoformat()}", CSV_HEADER, cells())
