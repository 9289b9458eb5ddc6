"""The team of a manager."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from comp.core.money import plain_money
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Fact, money_state
from crediting.selectors_waiting import waiting
from payouts.models import Statement
from payouts.pages.links import link
from payouts.reads.attainment import attained_words, meter, pace_words
from payouts.reads.payout import MONEY_STATE
from payouts.reads.team import Member, members

CSV_HEADER = (
    "Person",
    "Title",
    "Measure",
    "Attainment",
    "Total",
    "Quota",
    "Against pace",
    "Next payout",
    "State",
    "Currency",
)


@needs(Can.PAY_TEAM)
@require_GET
def team(request: HttpRequest, tenant: str) -> HttpResponse:
    """Who is behind, who is ahead, and what they are paid next, as far as the pay wall shows it."""
    person = request.participant  # type: ignore[attr-defined]
    if person is None:
        return render(request, "payouts/home_nobody.html")
    found = members(person, today(request.tenant))  # type: ignore[attr-defined]
    if "csv" in request.GET:
        return _csv(found)
    page = paginate(request, found, 50)
    behind = sum(1 for one in found if one.risk is not None and one.risk < 0)
    without = sum(1 for one in found if one.risk is None)
    shown = [one.statement for one in found if one.statement is not None]
    totals: dict[str, int] = {}
    for statement in shown:
        totals[statement.currency] = totals.get(statement.currency, 0) + statement.payout_minor
    context = {
        "page_obj": page,
        "rows": [
            {
                "member": one,
                "meters": [(row, meter(row), pace_words(row)) for row in one.measures],
                "url": _statement_url(request, one),
                "state": MONEY_STATE[Statement.State(one.statement.state)] if one.statement else "",
            }
            for one in page.object_list
        ],
        "facts": [
            Fact("People", len(found)),
            Fact("Behind the pace", behind),
            Fact("At or ahead of it", len(found) - behind - without),
            Fact("Without a quota now", without),
            *_unconverted([one.person.pk for one in found]),
        ],
        "totals": sorted(totals.items()),
        "shown": len(shown),
    }
    return render(request, "payouts/team.html", context)


def _unconverted(people: list[int]) -> list[Fact]:
    """How many of these people's credits wait for a rate of exchange, where any do."""
    count = waiting().filter(participant_id__in=people).count()
    return [Fact("Credits waiting for a rate", count, "see the statements")] if count else []


def _statement_url(request: HttpRequest, one: Member) -> str:
    if one.statement is None:
        return ""
    address = link(request, "statement", period=one.statement.period_starts_on, participant=one.person.pk)
    return f"{address}?run={one.statement.run}" if one.statement.run else address


def _csv(found: list[Member]) -> HttpResponse:
    def cells() -> Any:
        for one in found:
            statement = one.statement
            payout = plain_money(statement.payout_minor, statement.currency) if statement else ""
            state = money_state(MONEY_STATE[Statement.State(statement.state)]).word if statement else ""
            pay = [payout, state, statement.currency if statement else ""]
            if not one.measures:
                yield [one.person.name, one.title, "", "", "", "", "", *pay]
            for row in one.measures:
                currency = row.version.says.currency
                amounts = [plain_money(minor, currency) for minor in (row.total, row.quota or 0)]
                yield [one.person.name, one.title, row.name, attained_words(row), *amounts, pace_words(row), *pay]

    return csv_response("team", CSV_HEADER, cells())
