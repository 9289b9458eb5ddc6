"""The navigation by capability: what a role may open is listed here and shown in this order."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from comp.tenancy.capabilities import Can


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the rail. `extra` ones are left out of the phone's bottom bar."""

    label: str
    name: str  # URL name below /t/<tenant>/
    needs: Can
    icon: str  # heroicons name
    extra: bool = False
    also: tuple[str, ...] = ()  # first words of other paths that belong to it


ITEMS = (
    Item("Home", "home", Can.PAY_OWN, "home"),
    Item("Deals", "my_deals", Can.PAY_OWN, "briefcase"),
    Item("Statements", "statement_list", Can.PAY_OWN, "document-text", also=("my-disputes",)),
    Item("Team", "team", Can.PAY_TEAM, "user-group"),
    Item("Payouts", "batch_list", Can.BATCH_READ, "banknotes", also=("closes", "payments", "downloads")),
    Item(
        *("Adjustments", "adjustment_list", Can.BATCH_READ, "pencil-square"),
        extra=True,
        also=("holds", "differences", "side-letters", "relief", "reviews", "debts"),
    ),
    Item("Decisions", "decision_list", Can.BATCH_READ, "pencil-square", extra=True),
    Item("Payroll", "payroll", Can.BATCH_PAY, "credit-card", extra=True),
    Item("Switches", "cutover_list", Can.BATCH_READ, "arrow-right-circle", extra=True),
    Item("Plans", "plan_list", Can.PLAN_READ, "clipboard-document-list"),
    Item("People", "assignment_list", Can.PEOPLE_READ, "users"),
    Item("Data quality", "issue_list", Can.DATA_FIX, "inbox"),
    Item("Disputes", "dispute_list", Can.DISPUTE_HANDLE, "chat-bubble-left-ellipsis", extra=True),
    Item("Uploads", "upload_list", Can.DATA_FIX, "arrow-up-tray", extra=True),
    Item("Deliveries", "delivery_list", Can.DATA_FIX, "arrow-down-on-square", extra=True),
    Item("Recomputations", "job_list", Can.PLAN_READ, "clock", extra=True),
    Item("Calendars", "calendar_list", Can.PEOPLE_READ, "calendar-days", extra=True),
    Item("Rates of exchange", "rate_list", Can.PLAN_READ, "arrows-right-left", extra=True),
    Item("API keys", "key_list", Can.KEY_EDIT, "key", extra=True),
    Item("Endpoints", "endpoint_list", Can.ENDPOINT_EDIT, "server-stack", extra=True),
    Item("Webhooks", "webhook_list", Can.KEY_EDIT, "paper-airplane", extra=True),
    Item("Ledger", "ledger", Can.LEDGER_READ, "book-open", extra=True),
    Item("Approval rules", "rule_list", Can.AUDIT_READ, "scale", extra=True),
    Item("Erasure", "erasure_list", Can.PEOPLE_EDIT, "user-minus", extra=True),
    Item("Access review", "access_review", Can.AUDIT_READ, "eye", extra=True),
    Item("Audit", "audit", Can.AUDIT_READ, "shield-check", extra=True),
)


def navigation(request: HttpRequest) -> list[dict[str, object]]:
    """The items that the signed-in person may open, the current one marked."""
    tenant, can = request.tenant, request.can  # type: ignore[attr-defined]
    match = request.resolver_match
    word = request.path.split("/")[3] if request.path.count("/") > 3 else ""  # behind /t/<tenant>/
    found = []
    for item in ITEMS:
        if item.needs not in can or (item.needs == Can.PAY_OWN and request.participant is None):  # type: ignore[attr-defined]
            continue
        try:
            url = reverse(item.name, kwargs={"tenant": tenant.slug})
        except NoReverseMatch:
            continue
        section = match.kwargs.get("section", match.url_name) if match else ""
        current = bool(match) and (section == item.name or request.path.startswith(url) and item.name != "home")
        current = current or word in item.also
        found.append({"label": item.label, "url": url, "icon": item.icon, "extra": item.extra, "current": current})
    return found
