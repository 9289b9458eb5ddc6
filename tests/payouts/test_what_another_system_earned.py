"""Openings out of the database: as of any moment, taken back, with what their tranches wait for, and left out."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from comp.core.days import day_number
from comp.outbox.services import publish
from comp.tenancy.capabilities import Role
from payouts.frames.read import calendars, pay_groups, read_versions
from payouts.models import Earning, Opening, Payable, Tranche
from payouts.services import replay
from payouts.services.recompute import right_figures
from tests.factories import member
from tests.intake.sending import event
from tests.payouts.cases import World, world

CASES = Path(__file__).resolve().parent.parent / "plans"
QUARTER = day_number(date(2026, 1, 1)), day_number(date(2026, 4, 1))


def earned(built: World, **asked: Any) -> dict[int, int]:
    """What is right for the first quarter, by kind of line."""
    calendar = calendars()[built.acme.pay_group.pk]
    found = right_figures(calendar, QUARTER, None, read_versions(), pay_groups(), **asked).earnings
    kinds, amounts = found["line_kind"].tolist(), found["earned_minor"].tolist()
    return {kind: sum(each for each, of in zip(amounts, kinds, strict=True) if of == kind) for kind in set(kinds)}


@pytest.mark.django_db
def test_what_is_brought_forward_stands_for_the_deals_before_it_until_it_is_taken_back() -> None:
    before = timezone.now()
    built = world(CASES / "opening-whose-tranches-wait.yaml")
    with built.acme.scope():
        # Deals of 50,000 and 10,000 at 10% were known before; the opening of 6,000 stands for them.
        line = Earning.objects.get()
        assert (line.line_kind, line.rule, line.period, line.fact, line.deal_id) == (
            5, "opening", date(2026, 1, 31), 0, None,
        )  # fmt: skip
        assert (line.position, line.before_minor, line.after_minor, line.earned_minor) == (1, 0, 6_000_000, 600_000)
        opening = Opening.objects.get()
        assert earned(built) == {5: 600_000} == earned(built, as_of=timezone.now())
        assert earned(built, as_of=before) == {}
        assert earned(built, openings=False) == {0: 600_000}
        waiting = Tranche.objects.get(state=Tranche.State.WAITING)
        assert (waiting.index, waiting.trigger, waiting.deal.external_id, waiting.amount_minor) == (
            3, "go-live", "D-2", 50_000,
        )  # fmt: skip
        assert sum(Payable.objects.filter(line_kind=5).values_list("amount_minor", flat=True)) == 350_000
    client = Client()
    client.force_login(
        member(built.acme, Role.FINANCE, "Fay Finance"), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = client.get(f"/t/acme/why/{line.pk}/").content.decode()
    assert "Brought forward from the system before: by 31 January 2026 it had counted $60,000.00" in page
    # Its go-live comes, and releases it on its day; one before the opening releases on the opening's own.
    built.crm.send(event("milestone.reached", "2026-05-01T00:00:00Z", deal="D-2", milestone="go-live", on="2026-05-04"))
    built.work()
    with built.acme.scope():
        days = dict(Tranche.objects.values_list("index", "release_day"))
        assert days[3] == date(2026, 5, 4) and days[4] == date(2026, 1, 31)
        assert replay.differences_found() == []
        known = timezone.now()
        opening.taken_back_at, opening.taken_back_by_id = timezone.now(), opening.cut_over.prepared_by_id
        opening.save(update_fields=["taken_back_at", "taken_back_by"])
        changes = [{"participant": opening.participant_id, "day": "2026-01-31"}]
        publish(topic="openings.changed", payload={"changes": changes, "label": "Taken back"})
    built.work()
    with built.acme.scope():
        assert earned(built) == {0: 600_000} and earned(built, as_of=known) == {5: 600_000}
        assert set(Earning.objects.values_list("line_kind", flat=True)) == {0}
        assert not Payable.objects.filter(line_kind=5).exists()
        assert replay.differences_found() == []
