"""Home: am I paid, when, and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from comp.people.models import Participant
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.live import live_response
from comp.web.parts import Bar, Change, WayStep
from crediting.selectors_waiting import waiting_of_person
from payouts.pages.approvals import decisions
from payouts.pages.links import link
from payouts.reads.attainment import deals_earning, meter, progress
from payouts.reads.changes import moved
from payouts.reads.payout import by_state, figures_version, next_payout, paid_statements
from payouts.reads.periods import open_span, pay_group_of, span_holding

#: Who comes back after this long pays a new visit; reloads in between do not hide what changed.
VISIT = timedelta(minutes=30)
#: How far back a first visit looks.
FIRST_LOOK = timedelta(days=7)


@needs(Can.PAY_OWN)
@require_GET
def home(request: HttpRequest, tenant: str) -> HttpResponse:
    """The next payout, this quarter's money by state, attainment, what changed, the last payouts."""
    person: Participant | None = request.participant  # type: ignore[attr-defined]
    if person is None:
        return render(request, "payouts/home_nobody.html", {"decisions": decisions(request)})
    _visit(request)
    context = {"version": figures_version(person), "decisions": decisions(request), **_figures(request, person)}
    return render(request, "payouts/home.html", context)


@needs(Can.PAY_OWN)
@require_GET
def figures(request: HttpRequest, tenant: str) -> HttpResponse:
    """The part of home that follows the figures."""
    person: Participant | None = request.participant  # type: ignore[attr-defined]
    if person is None:
        return HttpResponse(status=204)
    version = figures_version(person)
    context = {} if request.GET.get("v") == version else _figures(request, person)
    return live_response(request, version, "payouts/home_figures.html", context)


def _figures(request: HttpRequest, person: Participant) -> dict[str, Any]:
    group = pay_group_of(person)
    open_period = open_span(group)
    day = today(request.tenant)  # type: ignore[attr-defined]
    quarter = span_holding(group, open_period.starts_on, "quarter")
    payout = next_payout(person, group, open_period)
    paid = paid_statements(person)
    deals = reverse("my_deals", kwargs={"tenant": request.tenant.slug})  # type: ignore[attr-defined]
    asked = f"{deals}?from={quarter.starts_on.isoformat()}"
    steps = [
        WayStep(
            step.state,
            step.minor,
            step.currency,
            step.note,
            asked if step.state == "earned" else f"{asked}&state={step.state}",
            current=step.state == payout.state,
        )
        for step in by_state(person, quarter, open_period, payout.pay_on)
    ]
    since, first = _since(request)
    measures = progress([person], group, day)
    deals_of = deals_earning(person, measures)
    changes = [
        Change(
            one.what,
            one.minor,
            one.currency,
            f"{one.cause.label}, {_plain_when(one.at)}",
            link(request, "why", pk=one.earning_id) if one.earning_id else "",
        )
        for one in moved(person, since)
    ]
    return {
        "payout": payout,
        "quarter": quarter,
        "way": steps,
        "way_label": f"Money earned in {quarter.name}, by state",
        "unconverted": waiting_of_person(person.pk).count(),
        "measures": [(row, meter(row), deals_of.get((row.version.plan_id, row.component.key), 0)) for row in measures],
        "changes": changes,
        "changes_title": "In the last 7 days" if first else "Since your last visit",
        "bars": [Bar(span_holding(group, s.period_starts_on).name, s.payout_minor) for s in paid],
        "bars_title": f"Last {len(paid)} payouts" if len(paid) > 1 else "Payouts",
        "paid_total": sum(s.payout_minor for s in paid),
        "calculated_at": payout.statement.calculated_at if payout.statement else None,
        "data_at": payout.statement.data_at if payout.statement else None,
        "period_closes": open_period.last_day,
    }


def _plain_when(moment: datetime) -> str:
    """As the tag `when`, without markup."""
    local = timezone.localtime(moment)
    return f"{local:%H:%M}" if local.date() == timezone.localdate() else f"{local:%-d %b %H:%M}"


# ------------------------------------------------------------------ visits


def _visit(request: HttpRequest) -> None:
    """Keeps in the session when this tenant's home was last looked at, and since when changes are shown."""
    visits = request.session.get("visits", {})
    slug, now = request.tenant.slug, timezone.now()  # type: ignore[attr-defined]
    seen = visits.get(slug, {})
    last = datetime.fromisoformat(seen["last"]) if seen else None
    if last is not None and now - last > VISIT:
        seen["since"] = seen["last"]
    request.session["visits"] = {**visits, slug: {**seen, "last": now.isoformat()}}


def _since(request: HttpRequest) -> tuple[datetime, bool]:
    """The moment after which changes are new to this person, and whether this is their first visit."""
    seen = request.session.get("visits", {}).get(request.tenant.slug, {})  # type: ignore[attr-defined]
    if "since" in seen:
        return datetime.fromisoformat(seen["since"]), False
    return timezone.now() - FIRST_LOOK, True
