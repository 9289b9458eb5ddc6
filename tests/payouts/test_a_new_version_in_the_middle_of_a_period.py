"""A version that begins inside a measure period, carried on with, restarted or run again, stands as the kernel says."""

from __future__ import annotations

from datetime import date

import pytest

from payouts.frames.story import line_story
from payouts.models import Attainment, ChangedScope, Earning, Tranche
from payouts.reads.why import told, why_of
from payouts.services import scopes
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_the_whole_language_pays_from_the_database import full_agrees

PRORATED = (
    "proration: {method: calendar_days, first_day: counts, last_day: counts, leave: counts, of: [quota], "
    "round: minor}\n"
)
RESTART = (
    plan_text()
    .replace("on_new_version: carry", "on_new_version: restart")
    .replace("credit_rules:", f"{PRORATED}credit_rules:", 1)
)
RERUN = plan_text().replace("on_new_version: carry", "on_new_version: rerun")


def reckoned_from_nothing(acme: House) -> None:
    """The full recomputation into empty tables, which the figures have to come out of again."""
    with acme.acme.scope():
        for model in (Tranche, Earning, Attainment):
            model.objects.all().delete()
        scopes.scopes_everything(label="all")
    acme.work()
    with acme.acme.scope():
        assert list(ChangedScope.objects.values_list("error", flat=True)) == []


@pytest.mark.django_db
def test_restarted() -> None:
    """41 of the 90 days make a quota of 45,555.56 until 10 February, 49 one of 54,444.44 from then on: 60,000
    stand against each."""
    acme = house(RESTART)
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "60000.00", "2026-02-20")
    acme.work()
    acme.publish(RESTART.replace("20%", "25%"), starts_on=date(2026, 2, 11))
    full_agrees(acme)
    stands = measures(acme)
    assert stands == [(1, 4_555_556, 6_000_000), (2, 5_444_444, 6_000_000)]
    reckoned_from_nothing(acme)
    assert measures(acme) == stands
    full_agrees(acme)


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "second"), [("carry", "restart"), ("restart", "carry"), ("restart", "restart")])
def test_the_first_deal_of_another_version_parts_the_quota_of_those_before(first: str, second: str) -> None:
    """The later version is in force before anybody sells under it: which of the two ways holds for the quarter is said
    by its last credit."""
    acme = house(RESTART.replace("on_new_version: restart", f"on_new_version: {first}"))
    text = RESTART.replace("on_new_version: restart", f"on_new_version: {second}")
    acme.publish(text.replace("20%", "25%"), starts_on=date(2026, 2, 11))
    acme.won("A", "60000.00", "2026-01-10")
    acme.work()
    alone = acme.earned()
    acme.won("B", "60000.00", "2026-02-20")
    acme.work()
    assert (acme.earned()["A"] == alone["A"]) is (first == second)
    full_agrees(acme)
    acme.won("B", "60000.00", "2026-04-20", at="2026-04-20T10:00:00Z")
    acme.work()
    assert acme.earned()["A"] == alone["A"]
    full_agrees(acme)


@pytest.mark.django_db
def test_by_longer_periods_from_the_middle_of_the_year() -> None:
    """The first quarter and the year begin on the same day."""
    acme = house()
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "60000.00", "2026-08-10")
    acme.work()
    acme.publish(plan_text().replace("every: quarter", "every: year"), starts_on=date(2026, 7, 1))
    full_agrees(acme)
    assert [(number, total) for number, _, total in measures(acme)] == [(1, 6_000_000), (2, 6_000_000)]


@pytest.mark.django_db
def test_run_again_it_is_released_and_told_by_the_version_that_rates_it() -> None:
    acme = house(RERUN)
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "60000.00", "2026-02-20")
    acme.work()
    parts = "[{share: 50%, on: credit_date}, {share: 30%, on: signature}, {share: 20%, on: go-live}]"
    acme.publish(RERUN.replace("[{share: 100%, on: credit_date}]", parts), starts_on=date(2026, 2, 10))
    with acme.acme.scope():
        triggers = list(Tranche.objects.order_by("deal__external_id", "index").values_list("trigger", flat=True))
        assert triggers == ["credit_date", "signature", "go-live"] * 2
        for line in Earning.objects.select_related("participant", "plan_version"):
            found = why_of(line)
            assert (found.version.number, len(found.releases)) == (2, 3)
            steps = line_story(line, {})
            assert steps and told(found, steps).steps
    full_agrees(acme)


def measures(acme: House) -> list[tuple[int, int | None, int]]:
    with acme.acme.scope():
        rows = Attainment.objects.order_by("plan_version__number")
        return list(rows.values_list("plan_version__number", "quota_minor", "total_minor"))
