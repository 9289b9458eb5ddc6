"""Versions that measure by different periods of the plan's own: which one is read, and when it is known (17, 19)."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.oracle.agree import differences
from tests.oracle.bridge import kernel_facts
from tests.oracle.case import Case, Fact, Facts, Quota, Version
from tests.oracle.meaning import meaning
from tests.oracle.plain import JANUARY, REP, case, deal, plan

CHANGE = date(2026, 2, 15)


def version(*spans: tuple[str, str]) -> dict[str, Any]:
    """A commission by periods of the plan's own, and a monthly bonus of 5.00 a deal once its quota is reached."""
    document = plan(measure={"every": "kickoff"})
    document["periods"] = {"kickoff": [{"first": f"2026-{first}", "last": f"2026-{last}"} for first, last in spans]}
    gate = {"key": "reached", "reads": {"component": "commission", "value": "attainment"}, "at_least": "100%"}
    gate |= {"read_at": "final", "until_known": "withhold", "effect": "withhold"}
    document["components"].append(
        {
            "key": "bonus",
            "name": "Bonus",
            "clause": "You earn 5.00 a deal.",
            "kind": "bonus",
            "credits": {"classes": ["bookings"], "roles": ["ae"]},
            "measure": {"every": "month"},
            "quota": None,
            "bonus": {"amount": "5.00", "per": "credit"},
            "cap": None,
            "gates": [gate],
            "release": [{"share": "100%", "on": "credit_date"}],
        }
    )
    return document


def two_versions(first: dict[str, Any], second: dict[str, Any], *quotas: Quota) -> Case:
    """A deal of 1,000.00 by the first version on 12 February, one of 400.00 by the second on the 20th."""
    deals = deal(1_000_00, 1, date(2026, 2, 12)), deal(400_00, 2, date(2026, 2, 20))
    versions = Version(first, JANUARY, CHANGE), Version(second, CHANGE, None)
    return case(first, *deals, versions=versions, quotas=quotas)


def agreed(found: Case) -> Facts:
    facts = kernel_facts(found)
    assert list(differences(meaning(found), facts)) == []
    return facts


def test_the_period_that_begins_first_is_read() -> None:
    """On both days two periods hold the day: 10 February to March, of which the deal of 1,000.00 is at 1,000%, and 1 to
    28 February, of which that of 400.00 is at 40%. The latter begins first, though the other's list does."""
    first = version(("01-05", "01-10"), ("02-10", "03-31"))
    second = version(("02-01", "02-28"))
    quotas = (
        Quota(REP, "sales", date(2026, 2, 10), date(2026, 4, 1), 100_00),
        Quota(REP, "sales", date(2026, 2, 1), date(2026, 3, 1), 1_000_00),
    )
    facts = agreed(two_versions(first, second, *quotas))
    assert [line.earned for line in facts.lines if line.group.component == "bonus"] == [0, 0]


def test_a_gate_is_known_when_the_period_ends_that_holds_the_day() -> None:
    """On 20 February only the second list has a period: to 31 March. On the 12th both have one: 1 to 15 first."""
    first = version(("02-01", "02-15"))
    second = version(("02-10", "03-31"))
    quotas = (
        Quota(REP, "sales", date(2026, 2, 1), date(2026, 2, 16), 100_00),
        Quota(REP, "sales", date(2026, 2, 10), date(2026, 4, 1), 100_00),
    )
    facts = agreed(two_versions(first, second, *quotas))
    released = [each.release_day for each in facts.tranches if each.group.component == "bonus"]
    assert released == [date(2026, 2, 15), date(2026, 3, 31)]


def test_between_two_periods_there_is_no_quota() -> None:
    """A cancellation on 20 February, between two periods, is in a group by itself, without the quota of everybody."""
    document = version(("02-01", "02-15"), ("03-01", "03-31"))
    clawback = {"on": ["cancellation"], "formula": "original", "lowers_measure": True, "takes": "all"}
    document["components"][0] |= {"quota": {"fixed": "1000.00"}, "clawback": clawback}
    for name in ("missing_quota", "zero_quota"):
        del document["components"][0][name]
    sold = deal(1_000_00, 1, date(2026, 2, 12))
    back = Fact(2, "crm", "C", sold.event_time, {"day": date(2026, 2, 20)}, (), "cancellation", sold.id)
    facts = agreed(case(document, sold, back, quota=None))
    assert [group.quota for group in facts.groups if group.key.component == "commission"] == [1_000_00, None]


def test_what_is_kept_for_the_time_between_two_periods_is_nobodys() -> None:
    """The same with quotas by key, one of them for exactly the days from 16 to 28 February."""
    document = version(("02-01", "02-15"), ("03-01", "03-31"))
    clawback = {"on": ["cancellation"], "formula": "original", "lowers_measure": True, "takes": "all"}
    document["components"][0] |= {"clawback": clawback}
    sold = deal(1_000_00, 1, date(2026, 2, 12))
    back = Fact(2, "crm", "C", sold.event_time, {"day": date(2026, 2, 20)}, (), "cancellation", sold.id)
    quotas = (
        Quota(REP, "sales", date(2026, 2, 1), date(2026, 2, 16), 100_00),
        Quota(REP, "sales", date(2026, 2, 16), date(2026, 3, 1), 77_00),
    )
    facts = agreed(case(document, sold, back, quotas=quotas))
    assert [group.quota for group in facts.groups if group.key.component == "commission"] == [100_00, None]
