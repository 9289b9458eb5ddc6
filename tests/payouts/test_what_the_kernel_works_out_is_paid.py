"""Credit dates that are computed, periods of a plan's own, and credit that is held are paid from the database."""

from __future__ import annotations

from datetime import date

import pytest

from comp.core.errors import ProblemsError
from crediting.models import Credit
from payouts.models import Attainment, Earning, Statement, Tranche
from payouts.reads.attainment import progress
from payouts.reads.lines import lines, told, with_money
from payouts.reads.statements import adjustment_lines, adjustments
from payouts.reads.why import why_of
from payouts.services import replay
from plans import services as plans
from plans.models import Plan, Quota
from tests.factories import person
from tests.payouts.house import House, house, plan_text

COMPUTED = """fields: {custom.signed: date}
computed:
  computed.counts: {type: date, is: 'COUNTS'}
credit_rules:"""


def full_agrees(of: House) -> None:
    with of.acme.scope():
        assert replay.differences_found() == []


def counting(expression: str) -> str:
    text = plan_text().replace("credit_rules:", COMPUTED.replace("COUNTS", expression), 1)
    return text.replace("credit_date: close_date", "credit_date: computed.counts")


@pytest.mark.django_db
def test_a_credit_date_is_the_later_of_two() -> None:
    """Signed in April what was closed in January counts for the second quarter, and goes back when that is corrected;
    once the signature is not known any more it counts for none."""
    acme = house(counting("max(close_date, custom.signed)"))
    for starts, ends in ((date(2026, 4, 1), date(2026, 7, 1)), (date(2026, 7, 1), date(2026, 10, 1))):
        with acme.acme.scope(acme.ops):
            plans.quota_set(
                participant=acme.ann, key="sales", starts_on=starts, ends_on=ends, amount_minor=4_000_000,
                currency="USD",
            )  # fmt: skip
    acme.won("A", "60000.00", "2026-01-10", custom={"signed": "2026-04-15"})
    acme.work()
    with acme.acme.scope():
        assert [line.period_starts_on for line in Earning.objects.all()] == [date(2026, 4, 1)]
    # 4,000.00 to the quota of 40,000, 1,200.00 on 8,000 beyond it at 15%, 2,400.00 on the rest at 20%.
    assert acme.earned() == {"A": 760_000}
    full_agrees(acme)
    acme.won("A", "60000.00", "2026-01-10", version=2, at="2026-04-16T10:00:00Z", custom={"signed": "2026-01-05"})
    acme.work()
    assert acme.earned() == {"A": 600_000}
    full_agrees(acme)
    acme.won("A", "60000.00", "2026-07-10", version=3, at="2026-07-16T10:00:00Z", custom={"signed": "2026-01-05"})
    acme.work()
    with acme.acme.scope():
        assert [line.credit_date for line in Earning.objects.all()] == [date(2026, 7, 10)]
    full_agrees(acme)
    acme.won("A", "60000.00", "2026-07-10", version=4, at="2026-07-17T10:00:00Z", custom={"signed": ""})
    acme.work()
    assert acme.earned() == {}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_credit_date_is_a_day_that_the_plan_states() -> None:
    """What has no signature counts on 1 March, whatever day it was closed on."""
    acme = house(counting('if_missing(custom.signed, "2026-03-01")'))
    acme.won("A", "60000.00", "2025-11-10")
    acme.won("B", "50000.00", "2026-02-10", custom={"signed": "2026-02-20"})
    acme.work()
    with acme.acme.scope():
        days = dict(Credit.objects.values_list("deal__external_id", "credit_date"))
    assert days == {"A": date(2026, 3, 1), "B": date(2026, 2, 20)}
    # B comes first: 5,000.00; A: 50,000 at 10%, 10,000 at 15%.
    assert acme.earned() == {"A": 650_000, "B": 500_000}
    full_agrees(acme)
    acme.won("B", "50000.00", "2026-02-10", version=2, at="2026-02-12T10:00:00Z")
    acme.work()
    with acme.acme.scope():
        assert set(Credit.objects.values_list("credit_date", flat=True)) == {date(2026, 3, 1)}
    full_agrees(acme)


@pytest.mark.django_db
def test_a_day_that_no_calendar_holds_is_not_put_in_force() -> None:
    acme = house()
    with pytest.raises(
        ProblemsError, match="The credit date of won may be 2150-01-01; nothing is credited but on a day"
    ):
        acme.publish(counting('if_missing(custom.signed, "2150-01-01")'), starts_on=date(2026, 4, 1))


@pytest.mark.django_db
def test_a_plan_measures_by_periods_of_its_own() -> None:
    """A kick-off from 15 January to 14 February, with a quota of its own: what is closed before it counts nothing."""
    text = plan_text().replace("{every: quarter}", "{every: kick-off}")
    periods = "periods: {kick-off: [{first: 2026-01-15, last: 2026-02-14}]}\ncredit_rules:"
    acme = house(text.replace("credit_rules:", periods, 1))
    kick_off = {"starts_on": date(2026, 1, 15), "ends_on": date(2026, 2, 15)}
    acme.won("A", "60000.00", "2026-01-14")
    acme.won("B", "60000.00", "2026-01-15")
    acme.won("C", "60000.00", "2026-02-14")
    acme.work()
    assert acme.earned() == {"B": 0, "C": 0}
    with acme.acme.scope(acme.ops):
        with pytest.raises(ProblemsError, match="and for no period that a plan states itself"):
            plans.quota_set(
                participant=acme.ann, key="kick", amount_minor=1, currency="USD", starts_on=date(2026, 1, 15),
                ends_on=date(2026, 2, 14),
            )  # fmt: skip
        plans.quota_remove(quota=Quota.objects.get())
        plans.quota_set(participant=acme.ann, key="sales", amount_minor=10_000_000, currency="USD", **kick_off)
    acme.work()
    assert acme.earned() == {"B": 600_000, "C": 700_000}
    with acme.acme.scope():
        held = Attainment.objects.get()
        assert (held.starts_on, held.ends_on, held.total_minor) == (*kick_off.values(), 12_000_000)
        (inside,) = progress([acme.ann], acme.acme.pay_group, date(2026, 2, 14))
        assert (inside.total, inside.quota) == (12_000_000, 10_000_000)
        assert inside.name == "Commission, kick off, 15 Jan to 14 Feb 2026"
        assert progress([acme.ann], acme.acme.pay_group, date(2026, 2, 15)) == []
    full_agrees(acme)


@pytest.mark.django_db
def test_held_credit_is_paid_once_it_is_held_no_more() -> None:
    """Ann is paid nothing of A while it is flagged; paid, then flagged again, it is taken back until it is not."""
    text = plan_text().replace("credit_rules:", "fields: {custom.flagged: boolean}\ncredit_rules:", 1)
    hold = "    hold: {field: custom.flagged, op: is, value: true}\n    credit_date:"
    acme = house(text.replace("    credit_date:", hold, 1))
    acme.won("A", "60000.00", "2026-01-10", custom={"flagged": True})
    acme.work()
    assert acme.earned() == {"A": 600_000}
    assert acme.statement(date(2026, 1, 1)).payout_minor == 0
    with acme.acme.scope():
        assert Tranche.objects.get().state == Tranche.State.HELD
        (shown,) = told(with_money(lines(acme.ann.pk, date(2026, 2, 1))), open_ends=date(2026, 2, 1))
        assert (shown.state, shown.cause) == ("waiting", "release from hold")
    acme.won("A", "60000.00", "2026-01-10", version=2, at="2026-01-12T10:00:00Z", custom={"flagged": False})
    acme.work()
    assert acme.statement(date(2026, 1, 1)).payout_minor == 600_000
    full_agrees(acme)
    acme.close(date(2026, 1, 1))
    acme.won("A", "60000.00", "2026-01-10", version=3, at="2026-02-12T10:00:00Z", custom={"flagged": True})
    acme.work()
    assert acme.statement(date(2026, 2, 1)).payout_minor == -600_000
    full_agrees(acme)


@pytest.mark.django_db
def test_a_release_for_some_people_only() -> None:
    """All are paid on signature but Ann, who is paid 40% at once and 60% when it is live; Bo's deal waits whole."""
    override = """overrides:
  - for: {person: ann}
    set: {components.commission.release: [{share: 40%, on: credit_date}, {share: 60%, on: go-live}]}
"""
    acme = house(plan_text(release="[{share: 100%, on: signature}]") + override)
    with acme.acme.scope(acme.ops):
        bo = person(acme.acme, "Bo")
        plans.assignment_set(participant=bo, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=bo, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=10_000_000, currency="USD",
        )  # fmt: skip
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "50000.00", "2026-01-11", owner="bo")
    acme.milestone("A", "go-live", "2026-02-10")
    acme.work()
    with acme.acme.scope():
        parts = Tranche.objects.order_by("participant__name", "index")
        assert list(parts.values_list("participant__name", "trigger", "amount_minor", "release_day")) == [
            ("Ann", "credit_date", 240_000, date(2026, 1, 10)),
            ("Ann", "go-live", 360_000, date(2026, 2, 10)),
            ("Bo", "signature", 500_000, None),
        ]
        rows = {line.participant.name: why_of(line).releases for line in Earning.objects.all()}
    said = {name: [(row.share, row.trigger) for row in found] for name, found in rows.items()}
    assert said == {"Ann": [("40%", "its date"), ("60%", "go-live")], "Bo": [("100%", "signature")]}
    full_agrees(acme)
    acme.milestone("B", "signature", "2026-02-11")
    acme.work()
    full_agrees(acme)
    acme.close(date(2026, 1, 1))
    acme.close(date(2026, 2, 1))
    acme.milestone("A", "go-live", "2026-02-10", reached=False, at="2026-03-01T10:00:00Z")
    acme.work()
    with acme.acme.scope():
        statement = Statement.objects.get(participant=acme.ann, period_starts_on=date(2026, 3, 1))
        (taken,) = adjustment_lines(statement, adjustments(statement), {date(2026, 2, 1): "February"})
    assert (taken.component, taken.minor) == ("Commission, go-live", -360_000)
    full_agrees(acme)
