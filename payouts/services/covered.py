"""Deals that another system paid: when one of them changes after the switch was signed no pay follows by itself, and
somebody is asked to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from comp.outbox.services import publish, ring
from comp.tenancy.scope import current_tenant_id
from crediting.models import DataIssue, Deal, RawDelivery
from crediting.services.issues import OPENED, Question, questions_open
from crediting.services.locks import DRAIN_WAIT, intake_lock
from payouts.frames.read_fields import fields_of
from payouts.models import Opening
from payouts.reads.covered import covered_by, differs_since


def covered_tell(changes: Sequence[Mapping[str, Any]]) -> None:
    """News, one by one, of changes to deals that signed openings stand for."""
    people = {person for change in changes for person in change["participants"] if change["deal"]}
    standing = covered_by(people, chain.from_iterable(days for change in changes for days in change["dates"].values()))
    if not standing:
        return
    deals = Deal.objects.in_bulk({change["deal"] for change in changes if change["deal"]})
    answered = _answered(deals.values())
    for change in changes:
        own = [one for person in change["participants"] for one in standing.get(person, ())]
        mine = [one for one in own if one.holds(change["kind"], change["dates"])]
        deal = deals.get(change["deal"])
        if deal is None or not mine:
            continue
        known = [one.opening.cut_over.signed_at for one in mine if one.opening.cut_over.signed_at is not None]
        known += [answered[deal.external_id]] if deal.external_id in answered else []
        fields = [field for field, _ in fields_of(one.version.says for one in mine).named()]
        if change["kind"] != "deal" or differs_since(deal, max(known), fields):
            said = {"deal": deal.pk, "label": change["label"], "openings": sorted(one.opening.pk for one in mine)}
            publish(topic="openings.touched", payload=said | {"delivery": change["delivery"]})


def _answered(deals: Iterable[Deal]) -> dict[str, datetime]:
    """When somebody last closed the question about each of these deals: what it said by then is dealt with."""
    rows = DataIssue.objects.filter(kind=OPENED, value__in=[deal.external_id for deal in deals], state="resolved")
    closed = rows.order_by("resolved_at").values_list("value", "resolved_at")
    return {value: moment for value, moment in closed if moment is not None}


def on_openings_touched(payload: dict[str, Any]) -> None:
    """Asks, once a deal, what becomes of what another system paid for it."""
    intake_lock(wait=DRAIN_WAIT)  # while a person has it this worker is free for others
    ring(tenant_id=current_tenant_id())
    deal = Deal.objects.get(pk=payload["deal"])
    rows = Opening.objects.filter(pk__in=payload["openings"]).select_related("participant", "cut_over")
    names = list(dict.fromkeys(row.participant.name for row in rows.order_by("participant__name", "id")))
    last, source = f"{max(row.day for row in rows):%-d %B %Y}", rows[0].cut_over.source
    text = (
        f"{payload['label']}. {source} paid {' and '.join(names)} for what was before the switch, through {last}, this "
        "deal in it: no pay moves by itself. If more or less is due to them, enter an adjustment; then close this."
    )
    delivery = RawDelivery.objects.get(pk=payload["delivery"])
    questions_open(asked=[(delivery, Question(OPENED, deal.external_id, text))], waits=False)
