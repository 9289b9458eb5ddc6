"""A case as data: every intermediate result. Money is text in the currency, ratios exact fractions, dates ISO text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from comp.core.days import day_date
from comp.core.money import NO_CURRENCY, minor_digits, plain_money
from payouts.case_report import Line, Report, per_unit
from payouts.kernel.batch import MISSING_DAY, MISSING_MONEY
from payouts.kernel.explain import explain_settlement
from payouts.kernel.settled_in import SettledIn

#: What a credit and a line is, by its code.
_CREDITS = ("direct", "rolled", "transferred")
_LINES = ("credit", "period", "reversal", "carried", "by hand", "opening")
_WAITS = ("", "quota", "incentive", "measure")
_KEYS = ("participant", "plan", "pay_period", "replicate", "exchange")


def as_json(report: Report) -> dict[str, Any]:
    """All tables of the result, and the trace of every line."""
    case = report.case
    return {
        "case": case.name,
        "currency": None if case.currency == NO_CURRENCY else case.currency,
        "plans": [{"key": plan.key, "name": plan.name, "digest": plan.digest} for plan in case.batch.plans],
        "credits": [_credit(report, row) for row in range(report.result.credits.fact.size)],
        "results": list(_results(report)),
        "lines": [_line(report, line) for line in report.lines],
        "settlements": list(_settlements(report)),
        "schedules": list(_schedules(report)),
        "waits": list(_waits(report)),
        "totals": {name: _money(report, value) for name, value in report.figures.totals(None).items()},
        "failures": [asdict(failure) for failure in report.failures()],
    }


def _money(report: Report, minor: Any) -> str:
    return plain_money(int(minor), report.case.currency)


def _counted(report: Report, value: int, unit: str) -> str:
    """Money as text in the currency, everything else as an exact number."""
    return _money(report, value) if unit == "money" else str(Fraction(value, per_unit(unit)))


def _credit(report: Report, row: int) -> dict[str, Any]:
    case, credits = report.case, report.result.credits
    rule = case.batch.plans[int(credits.plan[row])].credit_rules[int(credits.rule[row])]
    return {
        "person": case.people[int(credits.participant[row])],
        "deal": case.facts[int(credits.fact[row])],
        "rule": rule.key,
        "role": credits.role.vocabulary[int(credits.role.codes[row])],
        "class": rule.credit_class,
        "kind": _CREDITS[int(credits.kind[row])],
        "day": _iso(int(credits.day[row])),
        "split": int(credits.split[row]),
        "pot": _counted(report, int(credits.pot[row]), rule.unit),
        "amount": _counted(report, int(credits.amount[row]), rule.unit),
        "held": credits.held is not None and bool(credits.held[row]),
        "rate": _rate(report, credits.exchange, row),
    }


def _rate(report: Report, rows: Any, row: int) -> str | None:
    """The rate of exchange that was used, as an exact ratio."""
    exchange = report.case.batch.exchange
    if rows is None or exchange is None or rows[row] < 0:
        return None
    at = int(rows[row])
    return str(Fraction(int(exchange.top[at]), int(exchange.bottom[at])))


def _results(report: Report) -> Iterator[dict[str, Any]]:
    """What every component of kind result came to."""
    groups = report.result.groups
    if groups.result_top is None or groups.result_bottom is None:
        return
    for row, component in enumerate(report.figures.group_component):
        if component.kind == "result":
            bottom = int(groups.result_bottom[row])
            if component.curve is not None and component.curve.pays == "amount":  # in whole units of the currency
                bottom *= 10 ** minor_digits(report.case.currency)
            yield {
                "person": report.case.people[int(groups.participant[row])],
                "component": component.key,
                "period": report.figures.group_period[row],
                "is": str(Fraction(int(groups.result_top[row]), bottom)) if bottom else None,
            }


def _line(report: Report, line: Line) -> dict[str, Any]:
    view, lines, groups = line.view, report.result.lines, report.result.groups
    row, group, unit = view.row, view.group, view.component.measure.unit
    quota, waiting = int(groups.quota[group]), int(lines.waiting[row])
    attainment = None
    if quota not in (0, MISSING_MONEY):
        value = Fraction(int(groups.total[group]))
        if groups.value_bottom is not None and groups.value_top is not None and groups.value_bottom[group]:
            value = Fraction(int(groups.value_top[group]), int(groups.value_bottom[group])) * per_unit(unit)
        attainment = str(value / quota)
    return {
        "person": report.case.people[view.participant],
        "kind": _LINES[view.kind],
        "deal": report.case.facts[view.fact] if view.fact >= 0 else None,
        "component": view.component.key,
        "period": line.period,
        "role": line.role,
        "day": _iso(view.day),
        "position": int(lines.position[row]),
        "measured": _counted(report, view.measured, unit),
        "before": _counted(report, view.before, unit),
        "after": _counted(report, view.after, unit),
        "total": _counted(report, int(groups.total[group]), unit),
        "quota": None if quota == MISSING_MONEY else _counted(report, quota, unit),
        "attainment": attainment,
        "rounded": _money(report, lines.rounded[row]),
        "earned": _money(report, lines.earned[row]),
        "review": _money(report, 0 if lines.review is None else lines.review[row]),
        "waiting_for": _WAITS[waiting] or None,
        "waiting_for_quota": waiting == 1,
        "trace": {name: str(value) for name, value in view.steps.items()},
        "steps": [
            {
                "label": step.label_code,
                "sentence": step.sentence,
                "value": _plain(step.value),
                "unit": step.unit,
                "detail": _plain(step.detail),
            }
            for step in line.steps
        ],
        "tranches": list(_tranches(report, line)),
    }


def _tranches(report: Report, line: Line) -> Iterator[dict[str, Any]]:
    parts = report.result.tranches
    for each in line.payables:
        yield {
            "amount": _money(report, each.amount),
            "trigger": each.trigger,
            "trigger_day": _iso(int(parts.trigger_day[each.row])),
            "release_day": _iso(int(parts.release_day[each.row])),
            "pay_period": each.where,
            "rate": _rate(report, parts.exchange, each.row),
        }


def _settlements(report: Report) -> Iterator[dict[str, Any]]:
    settled = report.result.settlements
    if settled is None:
        return
    for row in range(settled.participant.size):
        yield {
            "person": report.case.people[int(settled.participant[row])],
            "plan": report.case.batch.plans[int(settled.plan[row])].key,
            "period": report.pay_period(int(settled.pay_period[row])),
            "currency": _currency(report, row),
            "rate": _rate(report, settled.exchange, row),
            **{
                each.name: plain_money(int(getattr(settled, each.name)[row]), _currency(report, row))
                for each in fields(settled)
                if each.name not in _KEYS
            },
            "draws": list(_draws(report, row)),
            "steps": [step.sentence for step in explain_settlement(report.case.batch, report.result, row)],
        }


def _currency(report: Report, row: int) -> str:
    """In which a row of settlements is."""
    settled = report.result.settlements
    assert settled is not None
    return SettledIn(report.case.batch).currency(int(settled.plan[row]), int(settled.participant[row]))


def _draws(report: Report, row: int) -> Iterator[dict[str, Any]]:
    draws = report.result.draws
    for each in [] if draws is None else np.flatnonzero(draws.settlement == row).tolist():
        assert draws is not None
        yield {
            "draw": draws.key.vocabulary[draws.key.codes[each]],
            **{
                name: plain_money(int(getattr(draws, name)[each]), _currency(report, row))
                for name in ("recovered", "topped_up", "written_off", "balance")
            },
        }


def _schedules(report: Report) -> Iterator[dict[str, Any]]:
    spread = report.result.schedules
    if spread is None:
        return
    for row in range(spread.line.size):
        line = report.lines[int(spread.line[row])]
        yield {
            "person": report.case.people[line.view.participant],
            "deal": line.name,
            "component": line.view.component.key,
            "month": f"{day_date(int(spread.month[row])):%Y-%m}",
            "amount": _money(report, spread.amount[row]),
        }


def _waits(report: Report) -> Iterator[dict[str, Any]]:
    waits = report.result.waits
    if waits is None:
        return
    for row in waits.by_fact():
        plan = report.case.batch.plans[int(waits.plan[row])]
        yield {
            "deal": report.case.facts[int(waits.fact[row])],
            "rule": plan.credit_rules[int(waits.rule[row])].key,
            "reason": waits.reason.vocabulary[int(waits.reason.codes[row])],
        }


def _iso(day: int) -> str | None:
    return None if day == MISSING_DAY else day_date(day).isoformat()


def _plain(value: Any) -> Any:
    """Ready for JSON: exact ratios as text."""
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
