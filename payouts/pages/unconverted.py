"""The card of credits that wait for a rate of exchange, as statements and lists of deals show it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from comp.web.paging import paginate
from crediting.models import WaitingCredit
from crediting.selectors_waiting import waiting_told
from payouts.pages.links import link

PER_PAGE = 20


def waiting_page_of(request: HttpRequest, rows: QuerySet[WaitingCredit]) -> dict[str, Any]:
    """What templates/payouts/_unconverted.html shows."""
    page = paginate(request, rows.select_related("participant", "plan_version__plan"), PER_PAGE, "unconverted")
    told = waiting_told(page.object_list)
    return {
        "unconverted_page": page,
        "unconverted": [(one, link(request, "deal", deal=one.deal.pk) if one.deal else "") for one in told],
    }
