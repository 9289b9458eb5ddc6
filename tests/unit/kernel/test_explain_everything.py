"""Exact sentences for what the whole language can do to a line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from payouts.case import read_case
from payouts.case_report import Report
from payouts.kernel import calculate
from payouts.kernel.batch import OF_CARRY, OF_REVERSAL
from payouts.kernel.explain import explain_settlement
from payouts.kernel.explain_measure import read_value
from plans.rules.compiled import Read
from plans.rules.load import read_yaml

CASE = """
format: comp/case/1
calendar: {pay: monthly, fiscal_start_month: 1}
plan:
  format: comp/plan/1
  key: sales
  name: Sales
  currency: USD
  on_new_version: carry
  rounding: {at: line, mode: half-even, step: minor}
  fields: {custom.term: number}
PLAN
  credit_rules:
    - key: won
      fact: deal
      class: bookings
      when: {all: []}
      credit_date: close_date
      amount: amount
      credit: [{role: ae, share: 100%}]
RULE
      roll_up: []
  components:
    - key: commission
      name: Commission
      clause: You earn a share.
      kind: commission
      credits: {classes: [bookings], roles: [ae]}
      measure: {every: quarter}
      quota: sales
      missing_quota: wait
      zero_quota: wait
      below_zero: lowest_tier
      tiers: {mode: marginal, boundary: above, rates: [{from: 0%, rate: 10%}, {from: 100%, rate: 15%}]}
      accelerator: null
      cap: null
      release: [{share: 100%, on: credit_date}]
MORE
people: [Ana, Ben]
assignments: [{person: Ana, from: 2026-01-01}, {person: Ben, from: 2026-01-01}]
quotas: [{person: Ana, key: sales, period: 2026-Q1, amount: 100000.00}, {person: Ben, key: sales, period: 2026-Q1, amount: 100000.00}]
deals:
  - {id: D-1, fields: {amount: 60000.00, close_date: 2026-01-11}, team: [{role: ae, person: Ana}]}
  - {id: D-2, fields: {amount: 60000.00, close_date: 2026-02-12}, team: [{role: ae, person: Ana}]}
REST
"""  # noqa: E501


def report(*changes: tuple[str, str], plan: str = "", rule: str = "", more: str = "", rest: str = "") -> Report:
    text = CASE
    for word, put in (("PLAN", plan), ("RULE", rule), ("MORE", more), ("REST", rest)):
        text = text.replace(f"{word}\n", f"{put.strip(chr(10))}\n" if put else "")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    case = read_case(read_yaml(text))
    return Report(case, calculate(case.batch, traced=True))


def said(found: Report, **where: Any) -> list[str]:
    """The sentences of the lines with a name, component, period or kind, but for what is told of every line."""
    lines = [
        line
        for line in found.lines
        if where.get("name") in (None, line.name)
        and where.get("component") in (None, line.view.component.key)
        and where.get("kind") in (None, line.view.kind)
    ]
    always = ("deal", "credit", "rounding")
    return [step.sentence for line in lines for step in line.steps if step.label_code not in always]


POSITION = (
    "As credit 2 of the quarter it takes the total from $60,000.00 to $120,000.00, "
    "from 60% to 120% of the quota of $100,000.00."
)


def test_modifiers_kickers_limits_minimum_and_caps():
    more = """
      modifiers: {combine: add, each: [{key: long, when: {field: custom.term, op: at_least, value: 24}, times: 1.2}]}
      kickers: [{key: first, when: {field: amount, op: at_least, value: 1.00}, amount: 100.00}]
      limits: {rate: 14%}
      caps: [{amount: 5000.00, per: credit, excess: review}, {amount: 10000.00, per: year, excess: lost}]
      budget: {amount: 9000.00, after_posting: keep}
"""
    plan = "  caps: [{amount: 9500.00, every: quarter, excess: lost}]"
    term = ("close_date: 2026-02-12}", "close_date: 2026-02-12, custom.term: 24}")
    found = report(term, plan=plan, more=more)
    assert said(found, name="D-2") == [
        POSITION,
        "10% of $40,000.00 and 15% of $20,000.00 is $7,000.00.",
        "Modifier long counts 1.2 times.",
        "The modifiers added up count 1.2 times: $8,400.00.",
        "Kicker first adds $100.00: $8,500.00.",
        "At most 14% is paid: $8,400.00.",
        "The cap of $5,000.00 per credit leaves $5,000.00; $3,400.00 go to review.",
        "The cap of $10,000.00 per year takes nothing away.",
        "The plan's cap of $9,500.00 per quarter leaves $4,500.00.",
        "The budget of $9,000.00 leaves $4,000.00.",
        "100% on credit date: $4,000.00, released on 12 February 2026.",
    ]


def test_a_minimum_and_held_credit():
    more = "      minimum: {amount: 7500.00, per: credit}"
    rule = "      hold: {field: custom.term, op: is, value: 1}"
    found = report(("close_date: 2026-02-12}", "close_date: 2026-02-12, custom.term: 1}"), rule=rule, more=more)
    assert said(found, name="D-2")[2:] == [
        "A line pays at least $7,500.00: $7,500.00.",
        "100% on credit date: $7,500.00, held with its credit.",
    ]
    (line,) = (line for line in found.lines if line.name == "D-2")
    assert line.steps[1].sentence.endswith("; it is held.")


def test_a_ramp_a_proration_and_an_incentive():
    plan = (
        "  proration: {method: calendar_days, first_day: counts, last_day: counts, leave: counts, "
        "of: [quota, incentive], round: minor}"
    )
    changes = (
        ("from: 2026-01-01}, {person: Ben", "from: 2026-02-11}, {person: Ben"),
        ("2026-01-11", "2026-02-11"),
        ("      quota: sales\n", "      quota: sales\n      incentive: target\n      missing_incentive: wait\n"),
        ("{mode: marginal, boundary", "{mode: marginal, pays: times, boundary"),
        ("rate: 10%", "times: 1"),
        ("rate: 15%", "times: 1.5"),
        ("quotas: [", "quotas: [{person: Ana, key: target, period: 2026-Q1, amount: 9000.00}, "),
    )
    more = "      ramp: {from: assigned, quota: [50%], incentive: null}"
    assert said(report(*changes, plan=plan, more=more), name="D-1") == [
        "The quota is $100,000.00; by the ramp it is 50% of it and 49 of 90 days count: $27,222.22.",
        "The target incentive is $9,000.00; 49 of 90 days count: $4,900.00.",
        "As credit 1 of the quarter it takes the total from $0.00 to $60,000.00, "
        "from 0% to 220.4% of the quota of $27,222.22.",
        "18% of $27,222.22 and 27% of $32,777.78 is $13,750.00….",
        "100% on credit date: $13,750.00, released on 11 February 2026.",
    ]


GATED = """
    - key: retention
      name: Retention
      clause: Your share of long terms.
      kind: result
      credits: {classes: [bookings], roles: [ae]}
      measure: {every: quarter, value: share, window: discrete, of: own, by: period, part: {field: custom.term, op: is, value: 12}, empty: wait}
      quota: {fixed: 100%}
      curve:
        pays: share
        axis: attainment
        mode: interpolated
        boundary: above
        below: zero
        beyond: last
        points: [{at: 0%, pays: 0%}, {at: 100%, pays: 100%}]
"""  # noqa: E501


def test_gates_and_a_result():
    gates = """
      gates:
        - {key: keep, reads: {component: retention, value: result}, at_least: 60%, read_at: final, until_known: provisional, effect: {times: 0.5}}
        - {key: stay, reads: {component: retention, value: result}, at_least: 60%, read_at: final, until_known: provisional, effect: no_accelerators}
"""  # noqa: E501
    changes = (("close_date: 2026-01-11}", "close_date: 2026-01-11, custom.term: 12}"),)
    found = report(*changes, more=gates.strip("\n") + GATED)
    assert said(found, name="D-2") == [
        POSITION,
        "For gate keep the result of retention is 50%, and 60% is asked: it is not met, "
        "and the earning counts 0.5 times.",
        "For gate stay the result of retention is 50%, and 60% is asked: it is not met, and accelerators are left out.",
        "10% of $60,000.00 is $6,000.00.",
        "By its gates it counts 0.5 times: $3,000.00.",
        "100% on credit date: $3,000.00, released on 12 February 2026.",
    ]
    assert said(found, component="retention")[:2] == [
        "The share of your credits in this quarter is 50%, 50% of the quota of 100%.",
        "That gives a result of 50%; it pays nothing by itself.",
    ]


def test_a_figure_of_another_plan_is_told_in_its_currency() -> None:
    """A result of 5,000 yen and a release of 300 yen, read by a plan in dollars."""
    amount = (
        GATED.replace("pays: share", "pays: amount")
        .replace("pays: 100%", "pays: 5000.00")
        .replace("pays: 0%", "pays: 0.00")
    )
    found = report(more=amount)
    view = found.lines[0].view
    sales = view.batch.plans[0]
    other = replace(sales, key="other", currency="JPY", minor_digits=0)
    seen = replace(view, batch=replace(view.batch, plans=(sales, other)))
    assert read_value(seen, Read("other", "retention", "result"), Fraction(5000)) == "¥5,000"
    assert read_value(seen, Read("other", "commission", "released"), Fraction(300)) == "¥300"
    assert read_value(seen, Read("sales", "retention", "result"), Fraction(5000)) == "$5,000.00"


def test_a_clawback_by_the_months_that_passed():
    more = """
      clawback: {on: [cancellation], formula: pro_rata, term_months: 12, failing_month: counts, lowers_measure: false, takes: all}
"""  # noqa: E501
    rest = "facts: [{id: X-1, kind: cancellation, deal: D-1, fields: {amount: 30000.00, day: 2026-03-20}}]"
    assert said(report(more=more, rest=rest), kind=OF_REVERSAL) == [
        "The cancellation X-1 of 20 March 2026 reverses what was earned on 11 January 2026: 3 months of 12 have "
        "passed, 37.5% of $6,000.00 by now; $2,250.00 is taken back.",
        "At once: −($2,250.00), released on 20 March 2026.",
    ]


def test_carried_excess():
    more = """
      caps: [{amount: 10000.00, per: measure_period, excess: carried, counts: true, until: used_up}]
"""
    found = report(more=more)
    assert said(found, name="D-2")[2] == "The cap of $10,000.00 per quarter leaves $4,000.00; $3,000.00 are carried."
    assert said(found, kind=OF_CARRY) == [
        "What earlier periods earned beyond the cap pays $3,000.00 in this quarter.",
        "At once: $3,000.00, released on 30 June 2026.",
    ]


def test_a_conversion_a_transfer_and_pay_in_another_currency():
    changes = (("amount: 60000.00, close_date: 2026-02-12", "amount: 50000.00, currency: GBP, close_date: 2026-02-12"),)
    rest = """
exchange: [{from: GBP, to: USD, kind: spot, rate: 1.2}, {from: USD, to: EUR, kind: spot, rate: 0.9}]
pay_currency: {Ben: EUR}
transfers: [{deal: D-2, role: ae, from: Ana, to: Ben, day: 2026-03-01}]
"""
    found = report(
        *changes, plan="  currencies: {pay_rate: release_date}", rule="      on_transfer: {rolled: stays}", rest=rest
    )
    (line,) = (line for line in found.lines if line.name == "D-2")
    assert [step.sentence for step in line.steps] == [
        "The deal D-2 is worth $60,000.00.",
        "That is its amount of £50,000.00, at the rate of 12 February 2026: 1 GBP is 1.2 USD.",
        "By rule won, the role ae is credited with 100% of it: $60,000.00; it was handed on by Ana.",
        "As credit 1 of the quarter it takes the total from $0.00 to $60,000.00, "
        "from 0% to 60% of the quota of $100,000.00.",
        "10% of $60,000.00 is $6,000.00.",
        "Rounded to the minor unit (half-even): $6,000.00.",
        "100% on credit date: $6,000.00 (€5,400.00 at 0.9), released on 12 February 2026.",
    ]


def test_the_waterfall_of_a_pay_period():
    plan = """
  settlement:
    order: [releases, adjustments, clawbacks, carried, recovery, cap, holdback, top_up]
    draw: {kind: recoverable, style: top_up, amount: 2000.00, from: 2026-01-01, to: 2026-07-01, test: [releases], recovery: {share: 50%, keep: 1000.00, after_periods: 0}, on_leaving: owed}
    cap: {amount: 5000.00, excess: lost}
    holdback: {share: 10%, periods: 3}
    negative: carried
"""  # noqa: E501
    found = report(plan=plan, rest="balances: [{person: Ana, draw: 800.00}]")
    settled = found.result.settlements
    row = next(row for row in range(settled.payout.size) if settled.participant[row] == 0)
    assert [step.sentence for step in explain_settlement(found.case.batch, found.result, row)] == [
        "Released: $6,000.00.",
        "Recovered of the draw: −($800.00).",
        "Above the payment cap: −($200.00).",
        "Held back: −($500.00).",
        "Paid: $4,500.00.",
    ]
