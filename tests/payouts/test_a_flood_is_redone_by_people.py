"""Where more waits than one transaction takes, nobody's periods are redone once for each part of it."""

from __future__ import annotations

import pytest

from comp.outbox.services import messages_drain
from payouts.models import ChangedScope
from payouts.services import claims, replay
from tests.payouts.house import house
from tests.payouts.test_one_bad_row_stops_nobody_else import also_bob, bobs


@pytest.mark.django_db
def test_all_that_waits_for_a_person_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = house()
    bob = also_bob(acme)
    for number in (1, 2, 3):
        acme.won(f"A{number}", "1000.00", f"2026-01-1{number}")
        bobs(acme, f"B{number}", "2000.00", f"2026-01-1{number}")
    acme.crm.drain()
    tenant = acme.acme.tenant.pk
    assert messages_drain(tenant) == 1
    monkeypatch.setattr(claims, "CLAIM", 2)
    monkeypatch.setattr(claims, "CLAIM_WHOLE", 3)
    assert claims.changes_recompute(tenant) == 3, "all of hers, though two changes are what is looked at"
    with acme.acme.scope():
        assert set(ChangedScope.objects.values_list("participant_id", flat=True)) == {bob.pk}
    assert claims.changes_recompute(tenant) == 3
    assert claims.changes_recompute(tenant) == 0
    with acme.acme.scope():
        assert replay.differences_found() == []
