"""Whoever will have a credit that waits for a rate of exchange reads that it waits and why, and so does who leads them,
signs for them or can put it right. Nobody else does."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client

from comp.people.rates import rate_set
from crediting.models import DataIssue, Deal, WaitingCredit
from payouts.verify import incremental
from tests.pages.rep.world import OCTOBER, World, hired

WHY = "version 1, converts no other currencies, and the deal is in GBP"


def page(world: World, name: str, path: str, status: int = 200) -> str:
    client = Client()
    client.force_login(world.users[name], backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(f"{world.base}/{path}")
    assert answer.status_code == status, (name, path, answer.content[:500])
    return answer.content.decode()


@pytest.mark.django_db
def test_everybody_concerned_is_told_and_nobody_else() -> None:
    world = hired()
    with world.company.scope(world.users["Olga"]):
        rate_set(source="GBP", target="USD", kind="spot", starts_on=date(2026, 10, 1), rate="1.25")
    world.won("D1", "2026-10-11", "12000.00")
    world.won("P1", "2026-10-12", "1000.00", currency="GBP", account="konex")
    world.work()
    with world.company.scope():
        deal = Deal.objects.get(external_id="P1")
        assert set(WaitingCredit.objects.values_list("participant__name", flat=True)) == {"Ann", "Mia"}
        issue = DataIssue.objects.get(kind="convert", value="GBP/account-executive")
        assert ", 2 credits wait for a rate of exchange" in incremental().looked_at
    # The representative: on home, among the deals, on the deal's page and the statement.
    assert "1 of your credits waits for a rate of exchange and is in no figure yet" in page(world, "Ann", "home/")
    for path in ("deals/", f"deals/{deal.pk}/", f"statements/{OCTOBER}/"):
        shown = page(world, "Ann", path)
        assert WHY in shown and "Konex" in shown, path
    assert "The credit of Ann waits: " in page(world, "Ann", f"deals/{deal.pk}/")
    # Who leads: their own and the report's.
    shown = page(world, "Mia", f"deals/{deal.pk}/")
    assert "The credit of Ann waits: " in shown and "The credit of Mia waits: " in shown
    assert WHY in page(world, "Mia", f"statements/{OCTOBER}/{world.people['Ann'].pk}/")
    assert "Credits waiting for a rate" in page(world, "Mia", "team/")
    # Finance, before signing.
    shown = page(world, "Fay", "payouts/open/sales/")
    assert "2 of 2 people, in no figure" in shown and "wait for a rate of exchange and are not in this batch" in shown
    # Sales Ops, who can put it right.
    shown = page(world, "Olga", f"issues/{issue.pk}/")
    assert "What waits" in shown and "Konex" in shown and f"{world.base}/plans/account-executive/" in shown
    assert "converts no other currencies" in page(world, "Olga", "issues/")
    # A colleague knows nothing of it.
    assert "rate of exchange" not in page(world, "Bob", "home/") + page(world, "Bob", "deals/")
    page(world, "Bob", f"deals/{deal.pk}/", 404)
