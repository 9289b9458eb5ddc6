"""Case files: what they come to, what they expect, and what is wrong with bad ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from textwrap import dedent

import pytest
from django.core.management import CommandError, call_command

from comp.core.errors import ProblemsError
from payouts.case import read_case
from payouts.case_expect import SECTIONS
from payouts.case_plans import with_named_plans
from payouts.case_report import Report
from payouts.case_tables import KEYS
from payouts.kernel import calculate
from payouts.management.commands.calculate import Command
from plans.rules.load import read_yaml

CASE = Path(__file__).parent / "cases" / "tiers.yaml"
TEXT = CASE.read_text(encoding="utf-8")


def report(text: str) -> Report:
    case = read_case(read_yaml(text))
    return Report(case, calculate(case.batch, traced=True))


def changed(*changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def run(path: Path, *options: str) -> str:
    out = io.StringIO()
    call_command(Command(stdout=out), str(path), *options)
    return out.getvalue()


def test_a_case_that_holds_is_told_in_sentences():
    told = run(CASE)
    assert "New business commission, 2026-Q1: $140,000.00 credited, 140% of the quota of $100,000.00" in told
    assert "10% of $40,000.00 and 15% of $10,000.00 is $5,500.00." in told
    assert "waiting for go-live: $2,750.00" in told
    assert told.endswith("All 13 expectations hold.\n")


def test_json_holds_every_intermediate():
    data = json.loads(run(CASE, "--json"))
    line = data["lines"][1]
    assert (line["deal"], line["before"], line["after"]) == ("D-2", "60000.00", "110000.00")
    assert line["attainment"] == "7/5"
    assert [part["pay_period"] for part in line["tranches"]] == ["2026-02", "waiting", "waiting"]
    tiers = next(step for step in line["steps"] if step["label"] == "tiers")
    assert [part["earns"] for part in tiers["detail"]["slices"]] == ["400000", "150000"]
    assert data["failures"] == []


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        (("D-2, amount: 5500.00", "D-2, amount: 5500.01"), "earnings[1]: expected $5,500.01, found $5,500.00"),
        (
            ("is: 140%", "is: 139.999999%"),
            "expect.attainment[0].is: expected 139.99% (exactly 139999999/100000000), found 140%",
        ),
        (("total: 140000.00", "total: 1.00"), "expect.attainment[0].total: expected $1.00, found $140,000.00"),
        (("deal: D-4, amount: 0", "deal: D-4, amount: 9.00"), "expect.credits[2]: expected $9.00, found $0.00"),
        (("waiting, amount: 8250.00", "waiting, amount: 0"), "expect.payables[4]: expected $0.00, found $8,250.00"),
    ],
)  # fmt: skip
def test_an_expectation_that_fails_shows_what_was_found_and_why(tmp_path, change, failure):
    path = tmp_path / "case.yaml"
    path.write_text(changed(change), encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        run(path)
    assert failure in str(caught.value)
    if "D-2" in change[0]:
        assert "D-2, commission 2026-Q1: 10% of $40,000.00 and 15% of $10,000.00 is $5,500.00." in str(caught.value)


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        (("format: comp/case/1", "format: comp/case/2"), "format", "Found comp/case/2"),
        (
            ("{pay: monthly, ", "{pay: daily, "),
            "calendar.pay",
            "allowed: monthly, quarterly, semimonthly, biweekly or weekly",
        ),
        (("{pay: monthly, ", "{pay: weekly, "), "calendar", "anchor"),
        (("people: [Ana, Mia]", "people: [Ana, Ana]"), "people[1]", "Ana stands twice"),
        (("manager: Mia, from", "manager: Mio, from"), "reporting[0].manager", "Did you mean Mia?"),
        (("period: 2026-Q1, amount: 100000.00", "period: 2026-Q5, amount: 1"), "quotas[0].period", "2026-Q5"),
        (("amount: 100000.00}]", "amount: -1}]"), "quotas[0].amount", "Found -1"),
        (("id: D-2", "id: D-1"), "deals[1].id", "two facts D-1"),
        (("amount: 50000.00,", "amount: 50000.001,"), "deals[1].fields.amount", "Found 50000.001"),
        (
            ("custom.term_months: 24", "custom.term: 24"),
            "deals[1].fields.custom.term",
            "Did you mean `custom.term_months`?",
        ),
        (("custom.term_months: 24", "custom.term_months: long"), "deals[1].fields.custom.term_months", "a number"),
        (("close_date: 2026-02-12", "close_date: 2026-02-30"), "deals[1].fields.close_date", "a date like"),
        (("2026-03-13T09:30:00Z", "2026-03-13"), "deals[2].event_time", "an instant like"),
        (("{deal: D-2, kind", "{deal: D-9, kind"), "milestones[2].deal", "no deal D-9"),
        (("component: team-bonus, period", "component: team, period"), "expect.earnings[2].component", "no component"),
        (("mode: marginal", "mode: marginel"), "plan.components[0].tiers.mode", "Did you mean marginal?"),
        (("deals:\n", "pay_currency: {Mio: EUR}\ndeals:\n"), "pay_currency.Mio", "Did you mean `Mia`?"),
        (("plan:\n", "plans: []\nplan:\n"), "plan", "either one `plan` or a list"),
    ],
)
def test_a_bad_case_is_refused_with_the_place(change, path, says):
    with pytest.raises(ProblemsError) as caught:
        report(changed(change))
    assert [says in problem.message for problem in caught.value.problems if problem.path == path] == [True]


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: A case is a table that starts with `format: comp/case/1`; found nothing"),
        ("- a\n- b\n", "A case is a table that starts with `format: comp/case/1`; found a list"),
        ("hello\n", "A case is a table that starts with `format: comp/case/1`; found 'hello'"),
        ("format: comp/plan/1\nkey: a\n", "format: This is a plan. A case names it: `plan: {file: plan.yaml}`"),
        ("format: comp/case/1\n", "calendar: `calendar` is missing; it is required and has no default."),
        ("format: comp/case/1\n", "deals: A case needs `deals` or `facts`; an empty list will do."),
        ("format: comp/case/1\n", "plan: A case has either one `plan` or a list of `plans`; found neither. A plan is"),
        (
            "format: comp/case/1\nplan: sales\n",
            "plan: Found sales for a plan. A plan is its document, or {library: KEY}",
        ),
        ("format: comp/case/1\nplan: {library: manger}\n", "plan.library: There is no plan 'manger' to read"),
        ("format: comp/case/1\nplan: {library: manger}\n", "Did you mean manager?"),
    ],
)
def test_a_first_contact_is_told_what_a_case_is(tmp_path, text, says):
    path = tmp_path / "case.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        run(path)
    assert says in str(caught.value)
    assert "Found null" not in str(caught.value)


POINTS = (Path(__file__).parents[2] / "plans" / "points-without-a-currency.yaml").read_text(encoding="utf-8")


def test_without_a_currency_amounts_are_plain_numbers(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(POINTS, encoding="utf-8")
    told = run(path)
    assert "Points: Points\n" in told
    assert "10% of 1,000.00 and 20% of 500.00 is 200.00." in told
    assert not any(sign in told for sign in ("none", "$", "USD"))
    assert json.loads(run(path, "--json"))["currency"] is None


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("amount: 1500.00", "amount: 1500.00, currency: USD", "deals[0].fields.currency"),
        ("expect:", "exchange: []\nexpect:", "exchange"),
        ("expect:", "pay_currency: {Ana: USD}\nexpect:", "pay_currency"),
    ],
)
def test_without_a_currency_nothing_is_converted(old, new, place):
    with pytest.raises(ProblemsError) as caught:
        report(POINTS.replace(old, new))
    assert [problem.path for problem in caught.value.problems] == [place]
    assert "without a currency" in str(caught.value)


def test_versions_of_a_plan_carry_over():
    head, body = TEXT.split("plan:\n", 1)
    document, rest = body.split("people:", 1)
    indented = "".join(f"    {line}\n" for line in document.rstrip().split("\n"))
    later = indented.replace("rate: 10%", "rate: 12%").replace("rate: 15%", "rate: 18%")
    versions = f"plans:\n  - from: 2026-01-01\n    to: 2026-02-01\n    document:\n{indented}"
    versions += f"  - from: 2026-02-01\n    document:\n{later}"
    rest = rest.split("expect:")[0] + "expect:\n  earnings:\n"
    # 60,000 at 10%, then 40,000 at 12% and 10,000 at 18%, then 10,000 at 18% and 20,000 at 20%.
    for deal, amount in (("D-1", "6000.00"), ("D-2", "6600.00"), ("D-3", "5800.00")):
        rest += f"    - {{person: Ana, component: commission, period: 2026-Q1, deal: {deal}, amount: {amount}}}\n"
    assert report(f"{head}{versions}people:{rest}").failures() == []


DOCS = Path(__file__).parents[3] / "docs" / "algorithms" / "case-files.md"


def documented() -> str:
    """The whole example of the page on case files."""
    return DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]


def test_the_documented_example_runs(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(documented(), encoding="utf-8")
    told = run(path)
    assert "The cap of $12,000.00 per quarter leaves $6,000.00." in told
    assert told.endswith("expectations hold.\n")


def test_every_section_is_documented():
    text = DOCS.read_text(encoding="utf-8")
    for section, (named, also, figures) in SECTIONS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {section} |"))
        assert all(name in row for name in (*named, *also, *figures)), section
    assert all(key in text for key in KEYS)


def test_a_plan_by_name(tmp_path):
    head, rest = TEXT.split("plan:\n", 1)
    document, rest = rest.split("people:", 1)
    (tmp_path / "plan.yaml").write_text(dedent(document), encoding="utf-8")
    path = tmp_path / "case.yaml"
    path.write_text(f"{head}plan: {{file: plan.yaml}}\npeople:{rest}", encoding="utf-8")
    assert run(path).endswith("All 13 expectations hold.\n")
    path.write_text(f"{head}plan: {{library: nobody}}\npeople:{rest}", encoding="utf-8")
    with pytest.raises(CommandError, match=r"plan\.library: There is no plan 'nobody'.*account-executive"):
        run(path)
    named = {"plan": {"library": "account-executive"}, "plans": [{"document": {"library": "manager"}}]}
    found = with_named_plans(named, tmp_path)
    assert found["plan"]["format"] == found["plans"][0]["document"]["format"] == "comp/plan/1"


def test_slices_that_differ_are_told(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(documented().replace("earns: 3000.00", "earns: 3000.01"), encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        run(path)
    assert (
        "expect.lines[0].slices: expected 10% of $40,000.00: $4,000.00; 15% of $20,000.00: $3,000.01, "
        "found 10% of $40,000.00: $4,000.00; 15% of $20,000.00: $3,000.00" in str(caught.value)
    )


def test_no_quota_is_of_the_time_between_two_periods() -> None:
    """Periods of the plan's own from 10 to 20 January alone: what lies before and after them is nobody's period."""
    own = ("  credit_rules:\n", "  periods: {kickoff: [{first: 2026-01-10, last: 2026-01-20}]}\n  credit_rules:\n")
    text = changed(own, ("measure: {every: quarter}", "measure: {every: kickoff}"))
    head, _ = text.split("expect:")
    read_case(read_yaml(head.replace("period: 2026-Q1", "period: 2026-01-10/2026-01-20")))
    for between in ("2026-01-01/2026-01-09", "2026-01-21/2027-12-31"):
        with pytest.raises(ProblemsError, match="The case has no period") as caught:
            read_case(read_yaml(head.replace("period: 2026-Q1", f"period: {between}")))
        assert "Did you mean 2026-01-01/" not in str(caught.value)
