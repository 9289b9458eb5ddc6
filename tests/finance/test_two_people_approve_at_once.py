"""Two threads approve the same batch at the same moment: one approval, one posting, and a clear word to the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from payouts import verify
from payouts.models import Batch, LedgerTransaction
from payouts.services import batches
from payouts.services.batches import BatchError
from tests.finance.cast import World, january


def at_once(*steps: Callable[[], object]) -> list[str]:
    """Runs the steps in threads that start together; what each came to: "done" or the refusal's words."""
    start = Barrier(len(steps))

    def run(step: Callable[[], object]) -> str:
        try:
            start.wait(timeout=10)
            step()
            return "done"
        except BatchError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(steps)) as threads:
        return sorted(threads.map(run, steps))


@pytest.mark.django_db(transaction=True)
def test_a_double_click_and_two_approvers_make_one_approval() -> None:
    world = january()
    batch = world.submit()
    said = at_once(
        lambda: world.approve(batch, by="frank"),
        lambda: world.approve(batch, by="frank"),
        lambda: world.approve(batch, by="greta"),
    )
    refusals = [text for text in said if text != "done"]
    assert len(refusals) == 2 and all("approved by" in text for text in refusals)
    with world.scope():
        assert LedgerTransaction.objects.count() == 1
        assert [check().wrong for check in (verify.ledger_balance, verify.ledger_chain, verify.audit_chain)] == [
            [],
            [],
            [],
        ]


@pytest.mark.django_db(transaction=True)
def test_approve_against_reject_leaves_one_decision() -> None:
    world = january()
    batch = world.submit()

    def reject(world: World = world) -> None:
        with world.scope():
            batches.batch_reject(batch=batch, rejected_by=world.users["greta"], reason="looks wrong")

    said = at_once(lambda: world.approve(batch), reject)
    assert said.count("done") == 1
    with world.scope():
        decided = Batch.objects.get(pk=batch.pk)
        assert decided.state in ("posted", "rejected")
        assert LedgerTransaction.objects.count() == (decided.state == "posted")
        assert verify.batch_digests().wrong == [] and verify.identity().wrong == []


@pytest.mark.django_db(transaction=True)
def test_two_submits_at_once_take_the_period_once() -> None:
    world = january()
    said = at_once(lambda: world.submit(by="fiona"), lambda: world.submit(by="frank"))
    assert said[1] == "done" and "its open period is February 2026" in said[0]
    with world.scope():
        assert Batch.objects.count() == 1
