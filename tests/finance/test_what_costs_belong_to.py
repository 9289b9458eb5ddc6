"""Where a cost belongs: to which budget, over how many months, in which account of the general ledger. Each table is
worked by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db.models import Sum

from comp.core.errors import ProblemsError
from comp.people.dated import attribute_set
from comp.people.models import Attribute
from crediting.models import Deal
from payouts.models import Account, CostLine, JournalLine, LedgerTransaction, Schedule
from payouts.reads.accounting import budget_rows
from payouts.selectors import TAKEN
from payouts.services import ledger
from payouts.services.accruals import accrue, policy_set
from payouts.services.budgets import budgets_from
from payouts.services.contract_costs import cost_policy_set, costs_run
from payouts.services.journals import journal_make, mapping_set
from payouts.services.ledger_checks import POSTED
from tests.finance.cast import FEBRUARY, JANUARY, World, company
from tests.finance.test_the_months_close import balances

MARCH = date(2026, 3, 1)


def test_what_is_not_posted_is_of_the_budget_in_which_it_will_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """165.50 are owed since January, and 60.00 wait, of which half is probable. Two budgets follow each other: what is
    owed is committed of the one that is running, and of it alone."""
    with world.scope():
        for person in world.people.values():
            Attribute.objects.create(participant=person, name="cost_centre", value="4711", starts_on=JANUARY)
        policy_set(trigger="credit_date", share=50, reason="Half of them came")
        halves = "4711,2026-01-01,2026-07-01,USD,1000.00\n4711,2026-07-01,2027-01-01,USD,1000.00\n"
        budgets_from("cost_centre,from,until,currency,amount\n" + halves)

    def rows(day: date) -> list[tuple[int, ...]]:
        with world.scope():
            found = budget_rows(day, [state for state in TAKEN if state not in POSTED])
            found.sort(key=lambda row: row.budget.starts_on)
            return [(row.used, row.committed, row.waiting, row.forecast, row.left) for row in found]

    nothing = (0, 0, 0, 0, 1000_00)
    owed = (0, 165_50, 30_00, 195_50, 834_50)
    assert rows(MARCH) == [owed, nothing]
    assert rows(date(2026, 8, 1)) == [nothing, owed]
    batch = world.submit()
    assert rows(date(2026, 8, 1)) == [nothing, owed]
    monkeypatch.setattr("payouts.services.ledger.today", lambda: date(2026, 8, 10))
    world.approve(batch)
    assert rows(date(2026, 8, 11)) == [nothing, (165_50, 0, 30_00, 195_50, 834_50)]


def test_a_contract_bears_its_cost_as_long_as_the_policy_says(db: None) -> None:
    """
    | deal | closed | policy | capitalised | a month | by the end of March |
    |---|---|---|---|---|---|
    | D-1 | January | benefit, 36 months, whatever the contract's own 12 | 360.00 | 10.00 from January | 30.00 |
    | D-2 | February | term of 12, with the practical expedient | nothing: expense at once | | |
    | D-3 | February | term of 13, with the expedient | 130.00 | 10.00 from February | 20.00 |
    | D-4 | February | term of 24, which begins on 1 March | 240.00 | 10.00 from March | 10.00 |
    | D-5 | March | the plan's own schedule: March, April, May | 90.00 | 30.00 from March | 30.00 |
    """
    world = company()
    fiona = world.users["fiona"]
    told = {
        "D-1": (360_00, date(2026, 1, 10), {"term_months": "12"}),
        "D-2": (120_00, date(2026, 2, 3), {"term_months": "12"}),
        "D-3": (130_00, date(2026, 2, 3), {"term_months": "13"}),
        "D-4": (240_00, date(2026, 2, 3), {"term_months": "24", "start_date": "2026-03-01"}),
        "D-5": (90_00, date(2026, 3, 2), {"term_months": "12"}),
    }
    for key, (minor, day, _) in told.items():
        world.earn("R1", key, minor, day)
    with world.scope():
        for key, (_, day, values) in told.items():
            Deal.objects.filter(external_id=key).update(close_date=day, values=values)
        line = {"participant": world.people["R1"], "pay_group": world.group, "plan": world.plan, "rule": "deals"}
        deal = Deal.objects.get(external_id="D-5")
        for number in (3, 4, 5):
            Schedule.objects.create(
                **line, fact=deal.pk, deal=deal, role="ae", split=0, component="commission", currency="USD",
                month=date(2026, number, 1), credit_date=date(2026, 3, 2), amount_minor=30_00,
            )  # fmt: skip
        policy_set(trigger="credit_date", share=0, reason="Nothing waits")
        said: dict[str, Any] = {"plan": world.plan, "component": "commission", "reason": "As the auditors agreed"}
        with pytest.raises(ProblemsError, match="A benefit period needs its number of months"):
            cost_policy_set(**said, treatment="benefit", months=None, expedient=False, starts_on=JANUARY)
        cost_policy_set(**said, treatment="benefit", months=36, expedient=False, starts_on=JANUARY)
        cost_policy_set(**said, treatment="term", months=None, expedient=True, starts_on=FEBRUARY)
        cost_policy_set(**said, treatment="schedule", months=None, expedient=False, starts_on=MARCH)
        booked = {}
        for month in (JANUARY, FEBRUARY, MARCH):
            accrue(month=month, made_by=fiona)
            costs_run(month=month, made_by=fiona)
            booked[month] = {name: balances(month=month).get(name, 0) for name in ("contract_cost", "amortisation")}
        sums = CostLine.objects.values_list("deal__external_id").annotate(
            Sum("capitalised_minor"), Sum("amortised_minor"), Sum("impaired_minor")
        )
        assert {key: rest for key, *rest in sums} == {
            "D-1": [360_00, 30_00, 0],
            "D-3": [130_00, 20_00, 0],
            "D-4": [240_00, 10_00, 0],
            "D-5": [90_00, 30_00, 0],
        }
        assert booked == {
            JANUARY: {"contract_cost": 350_00, "amortisation": 10_00},
            FEBRUARY: {"contract_cost": 370_00 - 20_00, "amortisation": 20_00},
            MARCH: {"contract_cost": 90_00 - 60_00, "amortisation": 60_00},
        }


def test_the_row_that_says_most_gives_the_account(world: World) -> None:
    """The table of docs/algorithms/ledger.md, and a legal entity beside it: Rita is of cost centre 4711 in the entity
    DE, Sam of 4711 alone."""
    fiona, rita, sam = world.users["fiona"], world.people["R1"], world.people["S1"]
    with world.scope():
        for person in (rita, sam):
            attribute_set(participant=person, name="cost_centre", value="4711", starts_on=JANUARY)
        attribute_set(participant=rita, name="entity", value="DE", starts_on=JANUARY)
        sides = [
            ledger.Row(person.pk, world.group.pk, account, "USD", sign * minor, world.plan.pk, component)
            for person, component, minor in (
                (rita, "commission", 1_00), (rita, "renewals", 2_00), (sam, "commission", 4_00), (sam, "renewals", 8_00)
            )
            for account, sign in ((Account.EXPENSE, 1), (Account.ACCRUED, -1))
        ]  # fmt: skip
        ledger.post_rows(kind=LedgerTransaction.Kind.ACCRUAL, rows=sides, month=JANUARY, day=date(2026, 1, 31))
        for code, more in (
            ("6000", {}),
            ("6999", {"cost_centre": "4711"}),
            ("6100", {"component": "renewals"}),
            ("6200", {"cost_centre": "4711", "entity": "DE"}),
        ):
            mapping_set(account="expense", code=code, name=f"Account {code}", starts_on=JANUARY, **more)
        mapping_set(account="accrued", code="2000", name="Accrued", starts_on=JANUARY)
        # Of two rows that say as much component goes first; of one that says more both of its words count.
        journal = journal_make(through=date(2026, 1, 31), made_by=fiona)
        lines = JournalLine.objects.filter(journal=journal).order_by("number")
        found = [(line.entity, line.code, line.debit_minor, line.credit_minor) for line in lines]
        assert sorted(found) == [
            ("", "2000", 0, 12_00), ("", "6100", 8_00, 0), ("", "6999", 4_00, 0),
            ("DE", "2000", 0, 3_00), ("DE", "6200", 3_00, 0),
        ]  # fmt: skip
        assert journal.totals == {"USD": 15_00}
