"""Beat looks at a sample of the figures: what differs from a recomputation raises an alert, which keeps the period from
being submitted and is gone when the figures are right."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from comp.local.postgres import SUPERUSER
from payouts import tasks
from payouts.models import Alert, ChangedScope
from payouts.services.batches import BatchError, batch_submit
from payouts.services.claims import scopes_recompute
from payouts.services.sampling import sample_verify
from payouts.services.scopes import scopes_everything
from tests.database import TestDatabase
from tests.payouts.house import House, house

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> House:
    found = house()
    found.won("A", "60000.00", "2026-01-10")
    found.work()
    return found


def sample(acme: House, seed: str = "1", size: int = 60) -> list[str]:
    return sample_verify(acme.acme.tenant.pk, size=size, seed=seed, seconds=60).wrong


def planted(database: TestDatabase, sql: str) -> None:
    """What no service writes, past every wall."""
    with closing(database.connect(SUPERUSER)) as superuser, superuser.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount == 1


def standing(acme: House) -> list[Alert]:
    with acme.acme.scope():
        return list(Alert.objects.filter(resolved_at=None))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("UPDATE payouts_earning SET earned_minor = earned_minor + 1", "1 earning row wrong"),
        ("DELETE FROM payouts_tranche", "1 tranche row missing"),
        ("UPDATE payouts_payable SET amount_minor = amount_minor + 1", "what is earned is not"),
    ],
)
def test_what_is_wrong_is_found_shown_and_healed(
    acme: House, test_database: TestDatabase, caplog: pytest.LogCaptureFixture, wrong: str, told: str
) -> None:
    assert sample(acme) == [] and standing(acme) == []
    planted(test_database, wrong)
    (problem,) = sample(acme)
    assert "Ann, credited from 2026-01-01 to before 2026-04-01" in problem and told in problem
    assert [record.levelname for record in caplog.records if told in record.getMessage()] == ["ERROR"]
    assert len(sample(acme, "2")) == 1, "what alerts name is looked at again"
    (alert,) = standing(acme)
    assert (alert.participant_id, alert.seed) == (acme.ann.pk, "1")

    jobs, submit = (
        reverse(name, args=["acme", *more]) for name, more in (("job_list", []), ("batch_submit", ["sales"]))
    )
    for user, page in ((acme.ops, jobs), (acme.preparer, submit)):
        client = Client()
        client.force_login(user)
        assert told in client.get(page).content.decode(), page
    with acme.acme.scope(acme.preparer), pytest.raises(BatchError, match=told):
        batch_submit(pay_group=acme.acme.pay_group, starts_on=date(2026, 1, 1), submitted_by=acme.preparer)

    with acme.acme.scope(acme.ops):
        assert scopes_everything(label="Everything anew")
    acme.work()
    assert standing(acme) == [] and sample(acme) == []
    acme.close(date(2026, 1, 1))


def test_who_waits_for_work_is_not_looked_at(acme: House, test_database: TestDatabase) -> None:
    planted(test_database, "UPDATE payouts_earning SET earned_minor = earned_minor + 1")
    with acme.acme.scope(acme.ops):
        scopes_everything(label="Everything anew")
        assert ChangedScope.objects.exists()
    assert sample(acme) == [] and standing(acme) == []
    assert scopes_recompute(acme.acme.tenant.pk)
    assert sample(acme) == []


def test_what_was_put_right_otherwise_is_no_alert_any_more(acme: House, test_database: TestDatabase) -> None:
    planted(test_database, "UPDATE payouts_earning SET earned_minor = earned_minor + 1")
    assert sample(acme)
    planted(test_database, "UPDATE payouts_earning SET earned_minor = earned_minor - 1")
    acme.close(date(2026, 1, 1))
    assert standing(acme) == []


def test_beat_looks_at_every_company_and_twice_is_once(acme: House, test_database: TestDatabase) -> None:
    house(slug="other")
    planted(test_database, "UPDATE payouts_earning SET earned_minor = earned_minor + 1")
    for minute in (7, 7, *range(8, 60)):
        assert tasks.sample(minute) == 2
        if standing(acme):
            break
    assert tasks.sample(minute) == 2
    (alert,) = standing(acme)
    assert alert.seed == f"{acme.acme.tenant.pk}-{minute}"


def test_a_company_that_cannot_be_looked_at_fails_the_task_and_holds_up_no_other(
    acme: House, test_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def unlucky(tenant_id: int, **how: object) -> None:
        looked.append(tenant_id)
        if len(looked) == 1:
            raise ValueError("no such calendar")

    monkeypatch.setattr(tasks, "sample_verify", unlucky)
    with pytest.raises(RuntimeError, match=rf"no sample can be taken of the tenants \[{acme.acme.tenant.pk}\]"):
        tasks.sample(0)
    assert looked == [acme.acme.tenant.pk]


def test_the_command_prints_the_seed_and_fails(acme: House, test_database: TestDatabase) -> None:
    out = StringIO()
    call_command("verify", "--tenant", "acme", "--sample", "60", "--seed", "s7", stdout=out)
    assert "seed s7" in out.getvalue()
    planted(test_database, "UPDATE payouts_earning SET earned_minor = earned_minor + 1")
    with pytest.raises(CommandError, match="1 of 1 checks failed"):
        call_command("verify", "--sample", "60", stdout=out)
    assert "Ann, credited from" in out.getvalue()
    with pytest.raises(CommandError, match="at least 1"):
        call_command("verify", "--sample", "0", stdout=out)
