"""Accruals, contract costs and journals of one company over three months, as an accountant would write them down."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Sum

from comp.core.errors import ProblemsError
from comp.people.dated import attribute_set
from crediting.models import Deal, Fact
from payouts.models import (
    Account,
    Accrual,
    AccrualVariance,
    Adjustment,
    BatchDraw,
    BatchSettlement,
    Cause,
    CostLine,
    CostRun,
    FigureChange,
    JournalLine,
    LedgerEntry,
    LedgerTransaction,
)
from payouts.reads.accounting import cost_of_contract
from payouts.services import ledger, posting
from payouts.services.accruals import AccrualError, accrue, policy_set
from payouts.services.budgets import budgets_from
from payouts.services.contract_costs import CostError, cost_policy_set, costs_run
from payouts.services.journals import JournalError, journal_make, mapping_set
from payouts.services.ledger_checks import ledger_problems
from tests.finance.cast import FEBRUARY, JANUARY, World, company

MARCH, END_OF_MARCH = date(2026, 3, 1), date(2026, 3, 31)


def balances(*, month: date | None = None) -> dict[str, int]:
    """Each account's balance, or what a month's close booked in it; nobody's side made up for by somebody else's."""
    rows = LedgerEntry.objects.all() if month is None else LedgerEntry.objects.filter(transaction__month=month)
    for off in rows.values("participant", "currency").annotate(minor=Sum("amount_minor")):
        assert off["minor"] == 0
    sums = rows.values("account").annotate(minor=Sum("amount_minor"))
    return {row["account"]: int(row["minor"]) for row in sums if row["minor"]}


def test_three_months_are_closed(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.services.ledger.today", lambda: date(2026, 4, 2))  # the budget's year
    world = company()
    fiona = world.users["fiona"]
    world.earn("R1", "D-1", 125_50, date(2026, 1, 20))
    world.earn("S1", "D-2", 40_00, None)
    with world.scope():
        Deal.objects.update(values={"term_months": "12"}, close_date=JANUARY)

        with pytest.raises(AccrualError, match="no share was chosen for what waits for credit_date"):
            accrue(month=JANUARY, made_by=fiona)
        with pytest.raises(CostError, match="accrue the month first"):
            costs_run(month=JANUARY, made_by=fiona)
        policy_set(trigger="credit_date", share=50, reason="Half of them came in the last two years")
        january = accrue(month=JANUARY, made_by=fiona)
        assert january.totals == {"USD": 125_50 + 20_00}
        assert balances(month=JANUARY) == {}  # the reversal stands beside it
        with pytest.raises(AccrualError, match="is not made again"):
            accrue(month=JANUARY, made_by=fiona)

        with pytest.raises(CostError, match="commission: no policy was chosen"):
            costs_run(month=JANUARY, made_by=fiona)
        said: dict[str, Any] = {"plan": world.plan, "component": "commission", "expedient": False, "months": None}
        cost_policy_set(**said, treatment="term", reason="Renewals pay alike", starts_on=JANUARY)
        for term in ("two years", "-3", "123456789012345678"):
            Deal.objects.filter(external_id="D-1").update(values={"term_months": term})
            with pytest.raises(CostError, match=f"commission: deal D-1 states a term of '{term}', where a number of"):
                costs_run(month=JANUARY, made_by=fiona)
        Deal.objects.update(values={"term_months": "12"})
        costs_run(month=JANUARY, made_by=fiona)
        # 125.50 / 12 and 20.00 / 12, each rounded.
        assert balances(month=JANUARY) == {
            "expense": -145_50,
            "contract_cost": 145_50 - 10_46 - 1_67,
            "amortisation": 12_13,
        }

    # Rita's deal shrank and was found late; what Sam waited for came in full.
    world.earn("R1", "D-1", 100_00, date(2026, 1, 20))
    world.earn("S1", "D-2", 40_00, date(2026, 2, 3))
    with world.scope():
        rita = world.people["R1"]
        deals = {deal.external_id: deal for deal in Deal.objects.all()}
        cause = Cause.objects.create(kind=Cause.Kind.DEAL, label="Deal D-1 changed", deal=deals["D-1"])
        FigureChange.objects.create(
            **{"participant": rita, "pay_group": rita.pay_group, "fact": deals["D-1"].pk, "deal": deals["D-1"]},
            **{"plan": world.plan, "component": "commission", "credit_date": date(2026, 1, 20), "cause": cause},
            **{"before_minor": 125_50, "after_minor": 100_00, "currency": "USD"},
        )
        february = accrue(month=FEBRUARY, made_by=fiona)
        assert february.totals == {"USD": 140_00}
        causes = AccrualVariance.objects.filter(accrual=january).values_list(
            "participant__key", "cause", "amount_minor"
        )
        # Sam's deal counts in February now, by its credit date: January's estimate of it came to nothing there.
        assert sorted(causes) == [("R1", "correction", -25_50), ("S1", "probability", -20_00)]
        costs_run(month=FEBRUARY, made_by=fiona)
        assert balances(month=FEBRUARY) == {
            "expense": 5_50,
            "contract_cost": -5_50 - (16_67 - 10_46) - (6_67 - 1_67),
            "amortisation": (16_67 - 10_46) + (6_67 - 1_67),
        }

        Fact.objects.create(
            **{"kind": "cancellation", "external_id": "X-2", "endpoint": world.endpoint, "deal": deals["D-2"]},
            **{"day": date(2026, 3, 10), "stands": True, "version": 1, "sender_id": "x", "revision_id": 1},
            event_time=datetime(2026, 3, 10, tzinfo=UTC),
        )
        accrue(month=MARCH, made_by=fiona)
        costs_run(month=MARCH, made_by=fiona)
        [*_, end] = cost_of_contract(deals["D-2"].pk)
        assert (end["amortised"], end["impaired"], end["balance"]) == (10_00 - 6_67, 30_00, 0)
        assert CostLine.objects.filter(deal=deals["D-1"]).aggregate(minor=Sum("amortised_minor"))["minor"] == 25_00

    batch = world.approve(world.submit())
    with world.scope():
        assert balances()["payable"] == -100_00
        assert (
            LedgerEntry.objects.filter(transaction__batch=batch, account="expense", component="commission").count() == 1
        )
        attribute_set(participant=rita, name="cost_centre", value="4711", starts_on=JANUARY)
        with pytest.raises(
            JournalError, match="No account is mapped for Accrued commission, .*Commission expense, .*4711"
        ):
            journal_make(through=END_OF_MARCH, made_by=fiona)
        for place, account in enumerate(Account.values):
            mapping_set(account=account, code=f"6{place:03}", name=account, starts_on=JANUARY)
        mapping_set(account="expense", cost_centre="4711", code="6999", name="Sales west", starts_on=JANUARY)
        journal = journal_make(through=END_OF_MARCH, made_by=fiona)
        assert journal.number == 1 and journal.postings == 3 * 4 + 3 - 1  # March's reversal falls into April
        lines = JournalLine.objects.filter(journal=journal)
        sums = lines.aggregate(debit=Sum("debit_minor"), credit=Sum("credit_minor"))
        assert sums["debit"] == sums["credit"] == journal.totals["USD"]
        assert {line.code for line in lines.filter(account="expense", cost_centre="4711")} == {"6999"}
        with pytest.raises(JournalError, match="in a journal already"):
            journal_make(through=END_OF_MARCH, made_by=fiona)
        assert ledger_problems()[1] == []

        for table in ("accrual", "accrualline", "costline", "costrun", "journal", "journalline", "journalposting"):
            for statement in ("UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}"):
                with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                    connection.cursor().execute(statement.format(f"payouts_{table}"))
        with pytest.raises(IntegrityError, match="ledger_month_once"), transaction.atomic():
            ledger.post_rows(kind=LedgerTransaction.Kind.ACCRUAL, month=MARCH, rows=[])
        assert Accrual.objects.count() == CostRun.objects.count() == 3
        for name, currency in (("4711", "USD"), ("4712", "EUR")):
            said = f"cost_centre,from,until,currency,amount\n{name},2026-01-01,2027-01-01,{currency},1000.00\n"
            assert budgets_from(said) == 1
        with pytest.raises(ProblemsError, match="line 2: .*another budget"):
            budgets_from("cost_centre,from,until,currency,amount\n4711,2026-02-01,2026-03-01,USD,1\n")
    _pages_show_it(world, deals["D-2"].pk)


def _pages_show_it(world: World, deal: int) -> None:
    fiona = world.client("fiona")
    for rest, shown in {
        "ledger/": "Amortisation of March 2026",
        "ledger/accounts/contract_cost/": "Capitalised cost",
        "ledger/accounts/expense/?csv=1": "145.50",
        "ledger/postings/1/": "Accrual of January 2026",
        "ledger/postings/1/?csv=1": "Accrued commission",
        "ledger/accruals/": "$145.50",
        "ledger/accruals/2026-01-01/": "Corrections of deals",
        "ledger/accruals/2026-01-01/?csv=1": "R1,ae,commission,D-1,USD,125.50,0.00,0.00,0.00,125.50",
        "ledger/costs/": "renewals are commensurate",
        "ledger/costs/?csv=1": "2026-01-01,USD,2,140.00,35.00,30.00,75.00",
        "ledger/costs/2026-01-01/": "D-2",
        f"ledger/contracts/{deal}/": "ended",
        "ledger/journals/": "6999",
        "ledger/journals/1/": "Sales west",
        "ledger/journals/1/?format=csv": "4711",
        "ledger/journals/1/?format=xlsx": "xl/worksheets",
        "ledger/budgets/": "4711",
        "ledger/budgets/?csv=1": "4711,2026-01-01,2027-01-01,USD,1000.00,100.00,0.00,0.00,100.00,900.00",
    }.items():
        answer = fiona.get(world.url(rest))
        assert answer.status_code == 200 and shown in answer.content.decode(errors="replace"), rest
    page = fiona.get(world.url("ledger/journals/")).content.decode()
    for offered in (
        'value="ae">Account executive</',
        'value="commission">Account executive</',
        'value="4711"></option>',
    ):
        assert offered in page, offered
    said = {"account": "expense", "plan": "nobody", "code": "6100", "name": "x", "starts_on": "2026-01-01"}
    assert b"No plan has the key" in fiona.post(world.url("ledger/journals/mapping/"), said).content


def test_what_the_waterfall_makes_of_a_batch_is_booked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rita's 125.50 are topped up by a draw to 200.00; Sam's 40.00 by a guarantee to 90.00, of which 10.00 are held
    back, 5.00 lost to a cap and 15.00 carried."""
    monkeypatch.setattr(posting, "AT_ONCE", 0)
    monkeypatch.setattr("comp.outbox.services.bells.is_first", lambda tenant_id, queue: False)
    batch = world.approve(world.submit())
    with world.scope():
        taken = {key: world.people[key] for key in ("R1", "S1")}
        common: dict[str, Any] = {"batch": batch, "pay_group": world.group, "plan": world.plan, "currency": "USD"}
        names = [f.attname for f in BatchSettlement._meta.concrete_fields if f.attname.endswith("_minor")]
        rest = {"plan_version": world.version, "period_starts_on": JANUARY}
        for key, moved in {
            "R1": {"inflow": 125_50, "topped_up": 74_50, "payout": 200_00, "draw_balance": 74_50},
            "S1": {
                **{"inflow": 40_00, "topped_up": 50_00, "held_back": -10_00, "capped": -5_00},
                **{"carried_forward": 15_00, "payout": 60_00},
            },
        }.items():
            amounts = dict.fromkeys(names, 0) | {f"{name}_minor": minor for name, minor in moved.items()}
            BatchSettlement.objects.create(participant=taken[key], **common, **rest, **amounts)
        BatchDraw.objects.create(
            **{"participant": taken["R1"], "key": "draw", "period_starts_on": JANUARY, "origin_starts_on": JANUARY},
            **{"recovered_minor": 0, "topped_up_minor": 74_50, "written_off_minor": 0, "opened_minor": 0},
            balance_minor=74_50,
            **common,
        )
        first = ledger.post_part(batch=batch, part=0, people=[taken["R1"].pk])
        assert balances() == {"expense": 125_50, "payable": -200_00, "draw": 74_50} and first.entries == 4
        ledger.post_part(batch=batch, part=1, people=[taken["S1"].pk])
        assert balances() == {
            "expense": 125_50 + 40_00 + 50_00 - 5_00,
            "payable": -200_00 - 60_00,
            "draw": 74_50,
            "held_back": -10_00,
            "carried": -15_00,
        }
        with pytest.raises(IntegrityError, match="ledger_once"), transaction.atomic():
            ledger.post_part(batch=batch, part=1, people=[taken["S1"].pk])
        for number in (7, 8):
            ledger.write_off(
                Adjustment(
                    **{"number": number, "participant": taken["R1"], "pay_group": world.group, "plan": world.plan},
                    **{"balance": "draw:draw", "amount_minor": 10_00, "currency": "USD"},
                )
            )
        assert balances()["draw"] == 54_50 and balances()["expense"] == 210_50 + 20_00
        with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
            row = ledger.Row(taken["R1"].pk, world.group.pk, Account.PAID, "USD", 5)
            other = ledger.Row(taken["S1"].pk, world.group.pk, Account.PAYABLE, "USD", -5)
            ledger.post_rows(kind=LedgerTransaction.Kind.ACCRUAL, month=JANUARY, rows=[row, other])
