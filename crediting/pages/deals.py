"""One deal: what stands, who stands on it, and everything that was ever said of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from comp.core.money import format_money
from comp.core.numbers import plain_number
from comp.people.models import CreditRole, Participant
from comp.people.selectors import downline_ids
from comp.tenancy.capabilities import Can
from comp.web.access import anyone
from comp.web.parts import Event, Fact
from comp.web.templatetags.comp import day, money
from crediting import selectors
from crediting.models import Credit, Deal, DealRevision, FactRevision
from crediting.selectors_waiting import waiting, waiting_told
from plans.rules.fields import FACT_FIELDS
from plans.selectors import compiled

#: Fields whose change a revision is told by, with their words.
TOLD = (
    ("stage", "stage"),
    ("amount", "amount"),
    ("close_date", "close date"),
    ("engage_date", "engaged on"),
    ("product", "product"),
    ("account", "customer"),
    ("territory", "territory"),
    ("team", "team"),
)


#: How credit came to who has it, where not by standing on the deal.
_WAYS = {1: "rolled up", 2: "handed on"}


def may_see(request: HttpRequest, deal: Deal) -> bool:
    """Operations and Finance see every deal; representatives those they stand on, managers those of their people
    too."""
    can, own = request.can, request.participant  # type: ignore[attr-defined]
    if Can.PAY_ALL in can or Can.DATA_FIX in can:
        return True
    if own is None or Can.PAY_OWN not in can:
        return False
    people = [own.pk, *(downline_ids(manager_id=own.pk) if Can.PAY_TEAM in can else [])]
    return selectors.stands_on(deal, people)


@anyone
@require_GET
def deal(request: HttpRequest, tenant: str, deal: int) -> HttpResponse:
    """The deal as it stands, its team, its milestones and usage, and each revision with the delivery that it came
    by."""
    row = get_object_or_404(Deal.objects.select_related("product", "account", "endpoint"), pk=deal)
    if not may_see(request, row):
        raise Http404("no such deal")
    history = list(selectors.revisions(row))
    team: list[list[Any]] = history[-1].team
    ids = {member[1] for revision in history for member in revision.team}
    names = dict(Participant.objects.filter(id__in=ids).values_list("id", "name"))
    roles = dict(CreditRole.objects.values_list("key", "name"))
    said = selectors.facts_of(row)
    context = {
        "deal": row,
        "facts": list(_facts(row)),
        "custom": [
            Fact(name.replace("_", " "), "none" if value is None else value)
            for name, value in sorted(row.custom.items())
        ],
        "waiting": waiting_told(waiting().filter(deal=row).select_related("participant", "plan_version__plan")),
        "team": [(names.get(person, "unknown"), roles.get(role, role), weight) for role, person, weight in team],
        "weights": len({weight for _, _, weight in team}) > 1,
        "events": _events(tenant, history, names),
        "transfers": [(one, roles.get(one.role, one.role)) for one in selectors.transfers_of(row)],
        "credits": [
            (credit, roles.get(credit.role, credit.role), _WAYS.get(credit.kind, ""), _credited(credit))
            for credit in selectors.credits_of(row)
        ],
        "lines": [(fact, fact.external_id.removeprefix(f"{row.external_id}/")) for fact in _standing(said, "line")],
        "milestones": said.get("milestone", []),
        "readings": [
            (fact, stands, int(fact.values.get("used", 0)), int(fact.values.get("contracted", 0)))
            for fact, stands in said.get("usage", [])
        ],
        "happened": [
            (fact, stands, selectors.fact_words(fact))
            for kind in sorted(said.keys() - {"line", "milestone", "usage", "transfer"})
            for fact, stands in said[kind]
        ],
    }
    return render(request, "crediting/deal.html", context)


def _credited(credit: Credit) -> str:
    """A credit's amount: money, or a number of units where its rule counts these."""
    unit = next(rule.unit for rule in compiled(credit.plan_version).credit_rules if rule.key == credit.rule)
    if unit == "money":
        return format_money(credit.amount_minor, credit.currency)
    return f"{plain_number(credit.amount_minor)} units"


def _standing(said: dict[str, list[tuple[FactRevision, bool]]], kind: str) -> list[FactRevision]:
    return [fact for fact, stands in said.get(kind, []) if stands and fact.stands]


def _facts(row: Deal) -> Iterator[Fact]:
    yield Fact("Stage", row.stage.capitalize())
    yield Fact("Amount", money(row.amount_minor, row.currency), row.currency)
    yield Fact("Closed" if row.stage in ("won", "lost") else "Expected to close", day(row.close_date) or "no date")
    yield Fact("Engaged", day(row.engage_date) or "no date")
    yield Fact("Customer", row.account.name if row.account else "none", row.account.sector if row.account else "")
    yield Fact("Product", row.product.name if row.product else "none", row.product.series if row.product else "")
    if row.territory:
        yield Fact("Territory", row.territory)
    for name, value in sorted(row.values.items()):
        shown = money(value, row.currency) if FACT_FIELDS[name] == "money" else value
        yield Fact(name.replace("_", " ").capitalize(), shown)
    yield Fact("Source", row.endpoint.name)


def _events(tenant: str, history: list[DealRevision], names: dict[int, str]) -> list[Event]:
    """Each revision by what it changed, the latest first."""
    events = []
    before: dict[str, str] = {}
    for revision in history:
        said = _said(revision, names)
        changed = [
            f"{word} {before[key] or 'none'} → {said[key] or 'none'}"
            for key, word in TOLD
            if before and before[key] != said[key]
        ]
        what = ", ".join(text for text in (revision.stage.capitalize(), said["amount"]) if text)
        if not before:
            note = "first heard of"
        else:
            note = "; ".join(changed) or "nothing changed"
        url = reverse("delivery", kwargs={"tenant": tenant, "delivery": revision.delivery_id})
        version = f"version {revision.version}" if revision.version else ""
        events.append(Event(revision.event_time, what, version, note, url, "good" if revision.stage == "won" else ""))
        before = said
    return events[::-1]


def _said(revision: DealRevision, names: dict[int, str]) -> dict[str, str]:
    amount = revision.amount_minor
    return {
        "stage": revision.stage,
        "amount": "" if amount is None else format_money(amount, revision.currency),
        "close_date": str(revision.close_date or ""),
        "engage_date": str(revision.engage_date or ""),
        "product": revision.product.name if revision.product else "",
        "account": revision.account.name if revision.account else "",
        "territory": revision.territory,
        "team": ", ".join(f"{names.get(person, 'unknown')} ({role})" for role, person, _ in revision.team),
    }
