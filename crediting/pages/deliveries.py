"""What came in: every delivery as it came, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET

from comp.tenancy.capabilities import Can
from comp.web.access import anyone, needs
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import Fact, Link
from comp.web.templatetags.comp import badge, when
from crediting import selectors
from crediting.models import RawDelivery
from crediting.pages.deals import may_see

State = RawDelivery.State
#: Tone and icon of each state.
LOOKS = {
    State.PENDING: ("plain", "clock"),
    State.DONE: ("good", "check"),
    State.WAITING: ("wait", "clock"),
    State.PARKED: ("stop", "exclamation-triangle"),
    State.SPLIT: ("good", "check"),
    State.QUARANTINED: ("stop", "no-symbol"),
}
CSV_LIMIT = 10_000


@needs(Can.DATA_FIX)
@require_GET
def delivery_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Deliveries, the latest first, by state and by the sender's id."""
    state = request.GET.get("state", "")
    state = state if state in State.values else ""
    search = request.GET.get("q", "").strip()[:200]
    rows = selectors.deliveries(state=state, search=search)
    if request.GET.get("format") == "csv":
        header = ("Delivery", "Sender's id", "Endpoint", "Received", "State", "Error")
        cells = (
            (d.pk, d.sender_id, d.endpoint.name, d.received_at, d.get_state_display(), d.error)
            for d in rows[:CSV_LIMIT]
        )
        return csv_response("deliveries", header, cells)
    counts = selectors.delivery_counts()
    here = reverse("delivery_list", kwargs={"tenant": tenant})
    tabs = [Link("All", here, not state, counts.total())]
    tabs += [Link(str(s.label), f"{here}?state={s}", s == state, counts[s]) for s in State]
    page = paginate(request, rows)
    context = {
        "page_obj": page,
        "rows": [(delivery, _badge(delivery)) for delivery in page],
        "tabs": tabs,
        "state": state,
        "search": search,
        "csv": f"?{urlencode({'state': state, 'q': search, 'format': 'csv'})}",
    }
    return render(request, "crediting/delivery_list.html", context)


@anyone
@require_GET
def delivery(request: HttpRequest, tenant: str, delivery: int) -> HttpResponse:
    """One delivery: its raw body, what became of it, what it waits for. Those on its deal may open it, down from their
    pay."""
    row = get_object_or_404(RawDelivery.objects.select_related("endpoint"), pk=delivery)
    result = selectors.outcome(row)
    fixes = Can.DATA_FIX in request.can  # type: ignore[attr-defined]
    if not fixes and (result is None or result[0] is None or not may_see(request, result[0])):
        raise Http404("no such delivery")
    facts = [
        Fact("From", row.endpoint.name),
        Fact("Sender's id", row.sender_id),
        Fact("Signed by the sender", when(row.sent_at)),
        Fact("Received", when(row.received_at)),
        Fact("Taken", when(row.processed_at) or "not yet"),
        Fact("SHA-256 of the body", format_html("<code>{}…</code>", row.body_sha256[:16]), f"{len(row.body):,} bytes"),
    ]
    if result:
        deal, what = result
        if deal is None:
            facts.append(Fact("It told of", what))
        else:
            url = reverse("deal", kwargs={"tenant": tenant, "deal": deal.pk})
            facts.append(Fact("It told of", f"Deal {deal.external_id}", what, url))
    if fixes:
        facts += _batch(tenant, row)
    context = {
        "delivery": row,
        "badge": _badge(row),
        "facts": facts,
        "headers": [Fact(name, value) for name, value in sorted(row.headers.items())],
        "questions": selectors.questions_of(row) if fixes else [],
        "body": _body(row),
        "crumbs": [Link("Deliveries", reverse("delivery_list", kwargs={"tenant": tenant}))] if fixes else [],
    }
    return render(request, "crediting/delivery.html", context)


def _batch(tenant: str, row: RawDelivery) -> Iterator[Fact]:
    """The batch that a delivery came in, or the items that it was taken apart to."""
    if row.parent_id:
        url = reverse("delivery", kwargs={"tenant": tenant, "delivery": row.parent_id})
        yield Fact("Part of", f"Delivery {row.parent_id}", f"item {(row.place or 0) + 1}", url)
    elif row.state == State.SPLIT:
        counts = selectors.item_counts(row)
        told = ", ".join(f"{counts[state]} {state.label.lower()}" for state in State if counts[state])
        yield Fact("Taken apart to", f"{counts.total()} deliveries", told)


def _body(row: RawDelivery) -> bytes | str:
    """What was sent; of a file its name, for its rows are deliveries of their own."""
    if "file" in row.headers:
        return f"The file {row.headers['file']}, packed to {len(row.body):,} bytes."
    return bytes(row.body)


def _badge(row: RawDelivery) -> str:
    tone, icon = LOOKS[State(row.state)]
    return badge(str(row.get_state_display()), tone, icon)
