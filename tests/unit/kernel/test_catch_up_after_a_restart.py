"""A running gate with `catch_up` upon a component that a new version begins anew (19, 27)."""

from __future__ import annotations

from datetime import date

from tests.oracle.agree import differences
from tests.oracle.bridge import kernel_facts
from tests.oracle.case import Version
from tests.oracle.meaning import meaning
from tests.oracle.plain import JANUARY, case, deal, plan


def test_what_the_first_stretch_reached_stays_reached() -> None:
    """1,000.00 on 10 January by the first version reach the 500.00 that the gate asks for; the second begins at 0 and
    comes to 100.00 only. Both bonuses are released on their own days."""
    first = plan()
    first |= {"on_new_version": "restart"}
    first["proration"] = {"method": "calendar_days", "first_day": "counts", "last_day": "counts", "leave": "counts"}
    first["proration"] |= {"of": ["quota"], "round": "minor"}
    gate = {"key": "reached", "reads": {"component": "commission", "value": "measure"}, "at_least": "500.00"}
    gate |= {"read_at": "running", "catch_up": True, "effect": "withhold"}
    bonus = {"key": "bonus", "name": "Bonus", "clause": "You earn 5.00 a deal.", "kind": "bonus", "quota": None}
    bonus |= {"credits": {"classes": ["bookings"], "roles": ["ae"]}, "measure": {"every": "month"}, "cap": None}
    bonus |= {"bonus": {"amount": "5.00", "per": "credit"}, "gates": [gate]}
    bonus |= {"release": [{"share": "100%", "on": "credit_date"}]}
    first["components"].append(bonus)
    change = date(2026, 2, 15)
    versions = Version(first, JANUARY, change), Version(first | {"name": "Sales again"}, change, None)
    days = date(2026, 1, 10), date(2026, 2, 20)
    found = case(first, deal(1_000_00, 1, days[0]), deal(100_00, 2, days[1]), versions=versions)
    facts = kernel_facts(found)
    assert list(differences(meaning(found), facts)) == []
    assert [each.release_day for each in facts.tranches if each.group.component == "bonus"] == list(days)
