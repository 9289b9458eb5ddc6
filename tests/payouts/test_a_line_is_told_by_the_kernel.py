"""A line whose plan goes beyond what is stored of it is worked out again, traced, and told in full."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.utils.html import strip_tags

from comp.tenancy.scope import Pay
from payouts.frames.story import line_story
from payouts.models import Earning
from plans import services as plans
from plans.models import Plan
from tests.factories import person
from tests.payouts.house import house, plan_text

BLOCK = (
    "proration: {method: calendar_days, first_day: counts, last_day: counts, leave: counts, of: [quota], "
    "round: minor}\n"
)
SHAPED = """    modifiers:
      combine: multiply
      each: [{key: large, when: {field: amount, op: at_least, value: 50000.00}, times: 1.2}]
    limits: {rate: 12%}
    cap: null
"""


@pytest.mark.django_db
def test_a_prorated_quota_a_modifier_and_a_limit_are_told() -> None:
    """49 of 90 days; 5,444.444 + 833.334 = 6,277.778, x 1.2 = 7,533.33, at most 12% of 60,000 = 7,200."""
    text = plan_text().replace("credit_rules:", f"{BLOCK}credit_rules:", 1).replace("    cap: null\n", SHAPED)
    of = house(text)
    with of.acme.scope(of.ops):
        bea = person(of.acme, "Bea")
        plans.assignment_set(participant=bea, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 2, 11))
        plans.quota_set(
            participant=bea, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    of.won("A", "60000.00", "2026-03-10", owner="bea")
    of.work()
    # Who sees their own pay only is told the same.
    with of.acme.scope(pay=Pay.of([bea.pk])):
        line = Earning.objects.get(deal__external_id="A")
        steps = line_story(line, {"ae": "Account executive"})
    assert steps is not None
    assert [step.sentence for step in steps] == [
        "The deal is worth $60,000.00.",
        "By rule won, the role Account executive is credited with 100% of it: $60,000.00.",
        "The quota is $100,000.00; 49 of 90 days count: $54,444.44.",
        "As credit 1 of the quarter it takes the total from $0.00 to $60,000.00, "
        "from 0% to 110.2% of the quota of $54,444.44.",
        "10% of $54,444.44 and 15% of $5,555.56 is $6,277.77….",
        "Modifier large counts 1.2 times.",
        "The modifiers multiplied count 1.2 times: $7,533.33….",
        "At most 12% is paid: $7,200.00.",
        "Rounded to the minor unit (half-even): $7,200.00.",
        "100% on credit date: $7,200.00, released on 10 March 2026.",
    ]
    client = Client()
    client.force_login(of.preparer)
    page = client.get(f"/t/{of.acme.tenant.slug}/why/{line.pk}/")
    said = " ".join(strip_tags(page.content.decode()).split())
    assert page.status_code == 200
    assert "49 of 90 days count" in said and "At most 12% is paid" in said


@pytest.mark.django_db
def test_a_line_that_moved_is_not_told() -> None:
    of = house(plan_text().replace("    cap: null\n", SHAPED))
    of.won("A", "60000.00", "2026-03-10")
    of.work()
    with of.acme.scope():
        line = Earning.objects.get()
        line.earned_minor += 1
        assert line_story(line, {}) is None
