"""A case file made into a company: the lines and tranches that stand are the kernel's on the case itself, to the last
one; a recomputation of everything finds nothing else, and every line is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from payouts.frames.story import line_story
from payouts.models import Earning
from payouts.reads.why import told, why_of
from payouts.services import replay
from plans.rules.load import read_yaml
from tests.payouts.cases import fits, kernel_lines, world

CASES = Path(__file__).resolve().parent.parent / "plans"
#: What the database once could not hold; `tests.payouts.cases.fits` says which others could stand here.
NAMES = (
    "overrides-on-reports-and-on-overrides",
    "reads-of-self-of-the-team-and-of-what-is-released",
    "a-report-who-moves-inside-the-quarter",
    "a-team-changed-inside-the-quarter",
    "a-goal-of-all-with-joiners-and-leavers",
    "a-period-belongs-to-the-version-of-its-last-day",
    "gate-on-a-scorecard",
    "rolling-over-the-end-of-the-year-and-the-year-to-date-not",
    "year-to-date-against-quotas-so-far-or-of-the-year",
    "year-to-date-by-period-against-added-quotas",
    "excess-carried-beside-the-next-cap",
    "excess-carried-until-the-year-ends",
    "caps-per-credit-and-per-deal-under-review",
    "gate-running-with-catch-up",
    "plan-cap-takes-period-lines-last",
    "override-by-attainment-of-a-quota-in-earnings",
    "no-credit-after-leaving-or-on-leave",
    "prorated-by-calendar-days",
    "bonus-on-the-third-deal",
    "shared-pots-that-are-divided-anew",
    "overrides-on-what-is-released-to-others",
    "scorecard-with-a-missing-part",
    "in-transition-at-least-what-the-old-plan-would-pay",
    "bounds-in-money-prorated-for-a-joiner",
    "plan-cap-prorated-by-leave-and-reviewed",
    "credit-goes-on-after-leaving-and-on-leave",
    "no-credit-outside-employment-and-on-leave",
    "eligible-by-region-on-the-credit-date",
    "override-begins-inside-a-quarter",
    "prorated-by-working-days-without-leave",
    "prorated-by-working-days-to-whole-units",
    "releases-after-leaving-are-lost-or-paid",
    "prorated-without-the-last-day",
    "periods-of-the-plan-s-own",
    "held-credit-earns-and-is-held",
    "held-credit-earns-and-its-tranches-are-held",
    "rolled-credit-is-held-and-needs-eligibility-too",
    "periods-of-the-plan-s-own-are-prorated-read-and-carried-on",
    "transfer-that-goes-on-and-comes-back",
    "transfer-with-rolled-credit-that-stays-or-follows",
    "euros-paid-in-dollars-at-three-dates",
    "pounds-on-a-quota-in-euros-paid-in-dollars",
    "missing-rates-of-exchange-wait",
    "converted-once-and-divided-after",
    "opening-whose-tranches-wait",
    "opening-is-what-a-year-to-date-has-earned-before",
    "opening-above-a-cap",
    "openings-of-two-quarters-under-a-cap-of-the-year",
    "openings-of-whole-periods-of-a-team",
)


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_the_database_pays_what_the_kernel_says(name: str) -> None:
    path = CASES / f"{name}.yaml"
    assert fits(read_yaml(path.read_text(encoding="utf-8"), "case")) == ""
    built = world(path)
    assert built.lines() == kernel_lines(built.case)
    with built.acme.scope():
        assert replay.differences_found() == []
        for line in Earning.objects.select_related("participant", "deal", "plan_version")[:10]:
            found = why_of(line)
            steps = found.steps or line_story(line, found.role_names)
            assert steps and told(found, steps).steps
