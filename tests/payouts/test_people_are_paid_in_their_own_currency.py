"""Who is paid in another currency than the plan's: earned in the plan's, paid by the rate that the plan states, from
the hook to the payment. The numbers are those of the domain, worked by hand."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from comp.core.errors import ProblemsError
from comp.people import services as people
from comp.people.models import Participant
from comp.people.rates import rate_set
from comp.tenancy.capabilities import Role
from crediting.models import DataIssue
from crediting.services.catalogue import account_create, product_create
from payouts.models import (
    AccrualVariance,
    BatchLine,
    Cause,
    Earning,
    FigureChange,
    LedgerEntry,
    Payable,
    Payment,
    Statement,
    Tranche,
)
from payouts.models.manual import State as Decision
from payouts.services import payroll_files, replay
from payouts.services.accruals import AccrualError, accrue, policy_set
from payouts.services.holds import hold_place, hold_release
from payouts.services.reviews import review_decide, review_prepare
from payouts.verify import batch_digests, identity, ledger_balance, payments_right
from plans import services as plans
from plans.models import Plan
from tests.factories import company, member, person, published
from tests.intake.sending import sender
from tests.payouts.house import House, plan_text

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
APRIL = date(2026, 4, 1)


def text(pay_rate: str = "credit_date", *, release: str = "credit_date", more: str = "") -> str:
    """10% of everything, earned in euros."""
    flat = plan_text(release=f"[{{share: 100%, on: {release}}}]").replace("currency: USD", "currency: EUR")
    flat = flat.replace("rates: [{from: 0%, rate: 10%}, {from: 100%, rate: 15%}, {from: 120%, rate: 20%}]",
                        "rates: [{from: 0%, rate: 10%}]")  # fmt: skip
    return flat.replace("credit_rules:", f"currencies: {{pay_rate: {pay_rate}}}\n{more}credit_rules:", 1)


def abroad(plan: str = "", paid_in: str = "USD") -> House:
    """A company in euros, whose Ann is paid in dollars."""
    acme = company("acme", currency="EUR")
    ops, other = member(acme, Role.SALES_OPS, "Olga Ops"), member(acme, Role.SALES_OPS, "Otto Ops")
    preparer, approver = member(acme, Role.FINANCE, "Fay Finance"), member(acme, Role.FINANCE, "Finn Finance")
    user = member(acme, Role.REPRESENTATIVE, "Ann")
    with acme.scope(ops):
        ann = person(acme, "Ann", currency=paid_in, user=user)
        product_create(key="gtx-pro", name="GTX Pro")
        account_create(key="acme", name="Acme Corporation")
        published("worked", ops=ops, other=other, text=plan or text())
        plans.assignment_set(participant=ann, plan=Plan.objects.get(key="worked"), starts_on=JANUARY)
        plans.quota_set(
            participant=ann, key="sales", starts_on=JANUARY, ends_on=APRIL, amount_minor=50_000_000, currency="EUR"
        )
    built = House(acme, sender(acme), ops, other, preparer, approver, ann)
    built.work()
    return built


def rate(of: House, source: str, target: str, value: str | None, starts_on: date = JANUARY, kind: str = "spot") -> None:
    with of.acme.scope(of.ops):
        rate_set(source=source, target=target, kind=kind, starts_on=starts_on, rate=value)
    of.work()


def stands(of: House) -> None:
    """What stands is right, in each currency, and what was posted is what was known."""
    with of.acme.scope():
        assert replay.differences_found() == []
        for check in (identity(), ledger_balance(), batch_digests(), payments_right()):
            assert check.wrong == []


def parts(of: House) -> list[tuple[int, str, int | None, str]]:
    with of.acme.scope():
        rows = Tranche.objects.order_by("deal__external_id", "index").select_related("rate")
        return [(t.amount_minor, t.currency, t.plan_minor, t.get_state_display()) for t in rows]


def asked(of: House) -> list[tuple[str, str, int]]:
    with of.acme.scope():
        rows = DataIssue.objects.filter(state="open").order_by("kind")
        return list(rows.values_list("kind", "message", "waiting"))


def owed(of: House) -> list[tuple[str, int, str, str]]:
    with of.acme.scope():
        return list(Payable.objects.order_by("id").values_list("kind", "amount_minor", "currency", "cause__label"))


@pytest.mark.django_db
def test_from_the_hook_to_the_payment_in_three_currencies() -> None:
    """100,000 GBP at 1.20 are 120,000 EUR, of which 10% are 12,000.00 EUR; at 1.10 they are 13,200.00 USD. Then the
    rate is said to have been 1.08: 12,960.00, so -240.00 in the open period; and taken back: all of it waits."""
    acme = abroad()
    rate(acme, "GBP", "EUR", "1.20")
    acme.won("A", "100000.00", "2026-01-10", currency="GBP")
    acme.work()
    # Earned, and it waits: a question, and no payable.
    assert acme.earned() == {"A": 1_200_000}
    waits = (1_200_000, "EUR", None, "Waiting for a rate of exchange")
    said = "1 payable waits in EUR: no rate from EUR to USD holds on 10 January 2026."
    assert parts(acme) == [waits] and owed(acme) == [] and asked(acme) == [("pay_rate", said, 1)]
    stands(acme)
    seen = Client()
    assert acme.ann.user is not None
    seen.force_login(acme.ann.user)
    home = seen.get("/t/acme/home/").content.decode()
    assert "12,000.00" in home and "rate of exchange" in home
    assert "rate of exchange" in seen.get("/t/acme/statements/2026-01-01/").content.decode()

    with acme.acme.scope():
        issue = DataIssue.objects.get(state="open")
    seen.force_login(acme.ops)
    asks = seen.get(f"/t/acme/issues/{issue.pk}/").content.decode()
    assert "rates/new/?source=EUR&amp;target=USD&amp;kind=spot" in asks and "Rate of pay" in asks
    assert 'value="USD"' in seen.get("/t/acme/rates/new/?source=EUR&target=USD&kind=spot").content.decode()
    seen.force_login(acme.preparer)
    assert "1 payable up to the period" in seen.get("/t/acme/payouts/open/sales/").content.decode()
    seen.force_login(acme.ann.user)

    rate(acme, "EUR", "USD", "1.10")
    assert parts(acme) == [(1_320_000, "USD", 1_200_000, "Dated")] and asked(acme) == []
    assert [row[:3] for row in owed(acme)] == [("release", 1_320_000, "USD")]
    stands(acme)
    statement = acme.statement(JANUARY)
    assert (statement.released_minor, statement.payout_minor, statement.currency) == (1_320_000, 1_320_000, "USD")
    batch = acme.close(JANUARY)
    assert batch.totals == {"USD": 1_320_000}
    with acme.acme.scope():
        line, payment = BatchLine.objects.get(), Payment.objects.get()
        assert (payment.amount_minor, payment.currency) == (1_320_000, "USD")
        trace = line.trace
        assert (trace["rate_from"], trace["rate"], trace["rate_starts_on"], trace["plan_minor"]) == (
            "EUR", 1.1, "2026-01-01", 1_200_000,
        )  # fmt: skip
        assert set(LedgerEntry.objects.values_list("currency", flat=True)) == {"USD"}
        why = Tranche.objects.get()
        assert why.rate is not None and why.rate.source == "EUR"
    stands(acme)
    for page, words in (
        ("home/", "13,200.00"),
        ("deals/", "12,000.00"),
        ("deals/?state=paid", "13,200.00"),
        ("statements/2026-01-01/", "13,200.00"),
        ("statements/2026-01-01/?csv=1", "12000.00"),
        ("deals/?csv=1", "13200.00"),
    ):
        assert words in seen.get(f"/t/acme/{page}").content.decode(), page
    with acme.acme.scope():
        line_id = Earning.objects.get().pk
    shown = seen.get(f"/t/acme/why/{line_id}/").content.decode()
    assert "1 EUR is 1.1 USD, the rate from 1 January 2026" in shown and "13,200.00" in shown

    # The rate was wrong: the difference is an adjustment of January's, told by its cause.
    rate(acme, "EUR", "USD", "1.08")
    cause = "EUR to USD (spot) 1.08 from 1 January 2026"
    assert owed(acme) == [("adjustment", -24_000, "USD", cause)]
    with acme.acme.scope():
        assert Payable.objects.get().cause.kind == Cause.Kind.RATE  # type: ignore[union-attr]
        moved = FigureChange.objects.filter(currency="USD").values_list("before_minor", "after_minor", "cause__label")
        assert list(moved) == [(1_320_000, 1_296_000, cause)]
    assert "13,200.00 → $12,960.00" in seen.get(f"/t/acme/why/{line_id}/").content.decode()
    stands(acme)
    # What was known when January was locked gives it again, digest for digest.
    with acme.acme.scope():
        again = replay.replay_period(acme.acme.pay_group, JANUARY)
        assert again.found == [] and again.total_minor == 1_320_000
    acme.won("B", "10000.00", "2026-02-10", currency="EUR")
    acme.work()
    acme.close(FEBRUARY)  # 1,000.00 EUR at 1.08 are 1,080.00, less 240.00
    statement = acme.statement(FEBRUARY)
    assert (statement.released_minor, statement.adjustments_minor, statement.payout_minor) == (108_000, -24_000, 84_000)
    stands(acme)
    # Taken back: nothing is right any more, and all that was paid is owed back until a rate is said.
    rate(acme, "EUR", "USD", None)
    assert sorted(row[1] for row in owed(acme)) == [-1_296_000, -108_000]
    assert [row[0] for row in asked(acme)] == ["pay_rate"]
    stands(acme)
    rate(acme, "EUR", "USD", "1.08")
    assert owed(acme) == [] and asked(acme) == []
    stands(acme)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("pay_rate", "minor"), [("credit_date", 1_100_000), ("period_average", 1_080_000), ("release_date", 1_050_000)]
)
def test_the_plan_states_which_rate(pay_rate: str, minor: int) -> None:
    """100,000 EUR at 10% with 1.10 on booking, 1.08 on average, 1.05 at payment: 11,000, 10,800 or 10,500 USD. A later
    rate moves what is released by it, whenever it was credited."""
    acme = abroad(text(pay_rate, release="go-live"))
    rate(acme, "EUR", "USD", "1.10")
    rate(acme, "EUR", "USD", "1.05", MARCH)
    rate(acme, "EUR", "USD", "1.08", kind="average")
    acme.won("A", "100000.00", "2026-01-10", currency="EUR")
    acme.work()
    amount = {"release_date": (1_000_000, "EUR", None)}.get(pay_rate, (minor, "USD", 1_000_000))
    assert parts(acme) == [(*amount, "Waiting for its trigger")]
    stands(acme)
    acme.milestone("A", "go-live", "2026-03-05")
    acme.work()
    assert parts(acme) == [(minor, "USD", 1_000_000, "Dated")]
    for month in (JANUARY, FEBRUARY, MARCH):
        acme.close(month)
    assert acme.statement(MARCH).payout_minor == minor
    stands(acme)
    rate(acme, "EUR", "USD", "1.06", MARCH)
    assert [row[1] for row in owed(acme)] == ([10_000] if pay_rate == "release_date" else [])
    stands(acme)


@pytest.mark.django_db
def test_who_cannot_be_paid_in_their_currency_is_refused_before() -> None:
    """A plan that does not say at which rate pay is converted, or that settles it in its own currency, has nobody on it
    who is paid in another one; and the currency that somebody is paid in is for good."""
    acme = abroad()
    settles = "settlement:\n  order: [releases, adjustments, clawbacks, carried]\n  negative: carried\n"
    in_euros = settles + "  settle_in: plan\n"
    silent = text().replace("currencies: {pay_rate: credit_date}\n", "")
    for version, words in (
        (silent, "does not say at which rate"),
        (text(more=settles), "settle_in: pay"),
        (text(more=in_euros), "settle_in: plan"),
    ):
        with pytest.raises(ProblemsError, match=words):
            acme.publish(version, starts_on=MARCH)
    with acme.acme.scope(acme.ops):
        plan = Plan.objects.create(key="silent", name="Silent")
        published("silent", ops=acme.ops, other=acme.other_ops, text=silent.replace("key: worked", "key: silent"))
        with pytest.raises(ProblemsError, match="Ann is paid in USD, and Silent, version 1"):
            plans.assignment_set(participant=acme.ann, plan=plan, starts_on=JANUARY)
        with pytest.raises(ProblemsError, match="another employee number"):
            people.participant_change(participant=acme.ann, currency="EUR")
        assert Participant.objects.get(pk=acme.ann.pk).currency == "USD"
    rate(acme, "EUR", "USD", "1.10")
    acme.won("A", "100.00", "2026-01-10", currency="EUR")
    acme.work()
    with acme.acme.scope(), pytest.raises(IntegrityError, match="tranche_converted_by_a_rate"), transaction.atomic():
        Tranche.objects.update(rate=None)


@pytest.mark.django_db
def test_two_people_of_one_group_are_paid_in_two_currencies() -> None:
    """Ann in dollars, Bob in euros, on one plan: one batch, a total and a file for each currency; a SQL look at what is
    stored says that Bob's rows hold nothing more than before."""
    acme = abroad()
    with acme.acme.scope(acme.ops):
        bob = person(acme.acme, "Bob")
        plans.assignment_set(participant=bob, plan=Plan.objects.get(key="worked"), starts_on=JANUARY)
        plans.quota_set(
            participant=bob, key="sales", starts_on=JANUARY, ends_on=APRIL, amount_minor=50_000_000, currency="EUR"
        )
    rate(acme, "EUR", "USD", "1.10")
    acme.won("A", "10000.00", "2026-01-10", currency="EUR")
    acme.won("B", "20000.00", "2026-01-11", currency="EUR", owner="bob")
    acme.work()
    with acme.acme.scope(acme.preparer):
        plan = Plan.objects.get(key="worked")
        hold = hold_place(reason="The rates are in doubt", by=acme.preparer, plan=plan)
    acme.work()
    seen = Client()
    seen.force_login(acme.preparer)
    listed = seen.get("/t/acme/holds/").content.decode()
    assert "€2,000.00" in listed and "$1,100.00" in listed
    table = seen.get("/t/acme/holds/?csv=1").content.decode()
    assert ",2000.00,EUR" in table and ",1100.00,USD" in table
    with acme.acme.scope(acme.approver):
        hold_release(hold=hold, by=acme.approver, reason="They are right")
    acme.work()
    batch = acme.close(JANUARY)
    assert batch.totals == {"EUR": 200_000, "USD": 110_000}
    stands(acme)
    with acme.acme.scope(acme.approver):
        body = payroll_files.batch_file(batch=batch, provider=None, by=acme.approver).body.decode()
        assert "USD,1100.00" in body and "EUR,2000.00" in body
        paid = set(
            Statement.objects.filter(period_starts_on=JANUARY).values_list(
                "participant__name", "payout_minor", "currency"
            )
        )
        assert paid == {("Ann", 110_000, "USD"), ("Bob", 200_000, "EUR")}
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM payouts_tranche WHERE plan_minor IS NOT NULL OR rate_id IS NOT NULL")
            assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_excess_that_two_people_pay_is_converted_when_they_do() -> None:
    """Of 1,000.00 EUR a cap leaves 600.00; two people pay the other 400.00: 440.00 USD at the rate of the credit."""
    capped = text().replace(
        "    cap: null\n", "    cap: null\n    caps: [{amount: 600.00, per: year, excess: review}]\n"
    )
    acme = abroad(capped)
    acme.won("A", "10000.00", "2026-01-10", currency="EUR")
    acme.work()
    with acme.acme.scope(acme.preparer):
        line = Earning.objects.get()
        review = review_prepare(earning=line, accept=True, reason="Sold in earnest", prepared_by=acme.preparer)
    with acme.acme.scope(acme.approver), pytest.raises(ProblemsError, match="from EUR to USD holds on 10 January 2026"):
        review_decide(review=review, state=Decision.APPROVED, decided_by=acme.approver)
    rate(acme, "EUR", "USD", "1.10")
    with acme.acme.scope(acme.approver):
        review = review_decide(review=review, state=Decision.APPROVED, decided_by=acme.approver)
        made = review.adjustment
        assert made is not None and (made.amount_minor, made.currency) == (44_000, "USD")
        assert "(€400.00 at the rate of 10 January 2026)" in made.reason
    assert sorted(row[:3] for row in owed(acme)) == [("manual", 44_000, "USD"), ("release", 66_000, "USD")]
    stands(acme)


@pytest.mark.django_db(transaction=True)
def test_a_month_is_accrued_in_what_it_will_be_paid_in() -> None:
    """1,000.00 EUR wait for a rate in January and are accrued as such; at 1.10 they are 1,100.00 USD in February's
    accrual, at 1.08 1,080.00 in March's: -20.00 of February's by the rate."""
    acme = abroad()
    rate(acme, "EUR", "USD", "1.10", APRIL)
    acme.won("A", "10000.00", "2026-01-10", currency="EUR")
    acme.work()
    with acme.acme.scope(acme.preparer):
        with pytest.raises(AccrualError, match="what waits for no-rate"):
            accrue(month=JANUARY, made_by=acme.preparer)
        policy_set(trigger="no-rate", share=100, reason="Rates are late and come")
        assert accrue(month=JANUARY, made_by=acme.preparer).totals == {"EUR": 100_000}
    rate(acme, "EUR", "USD", "1.10")
    with acme.acme.scope(acme.preparer):
        assert accrue(month=FEBRUARY, made_by=acme.preparer).totals == {"USD": 110_000}
        assert missed() == {("EUR", "probability", -100_000), ("USD", "probability", 110_000)}
    rate(acme, "EUR", "USD", "1.08")
    with acme.acme.scope(acme.preparer):
        march = accrue(month=MARCH, made_by=acme.preparer)
        assert march.totals == {"USD": 108_000}
        assert missed() == {("USD", "rate", -2_000)}
    stands(acme)


def missed() -> set[tuple[str, str, int]]:
    """What the latest true-up says, by currency and cause."""
    latest = AccrualVariance.objects.order_by("-accrual_id").values_list("accrual_id", flat=True)[:1]
    return set(AccrualVariance.objects.filter(accrual__in=latest).values_list("currency", "cause", "amount_minor"))
