"""What a cancellation, a refund or a debt takes back (30)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.oracle.cash import share_collected
from tests.oracle.fields import Sight
from tests.oracle.reading import nearest, percent, period_of, rounded_to_step, whole_months

if TYPE_CHECKING:
    from tests.oracle.book import Line
    from tests.oracle.case import Case, Fact


def reversals_on(case: Case, stated: dict[str, Any], deal: int | None) -> list[tuple[Fact, Fraction]]:
    """The deal's reversals in order, each with its cumulated share c(r)."""
    if deal is None:
        return []
    found = [
        fact
        for fact in case.facts
        if fact.kind in stated["on"] and fact.deal == deal and fact.fields.get("day") is not None
    ]
    found.sort(key=lambda fact: (fact.fields["day"], fact.event_time, fact.source, fact.external_id))
    whole = case.fact(deal).fields.get("amount")
    rows, share = [], Fraction(0)
    for fact in found:
        amount = fact.fields.get("amount")
        part = Fraction(1) if amount is None or not whole else Fraction(abs(amount), abs(whole))  # type: ignore[arg-type]
        share = min(Fraction(1), share + part)
        rows.append((fact, share))
    return rows


def later_reversals(case: Case, line: Line) -> list[tuple[Fact, Fraction]]:
    """Those that may take the line back."""
    stated = line.component.get("clawback")
    if stated is None or line.fact is None:
        return []
    return [
        (fact, share)
        for fact, share in reversals_on(case, stated, line.fact.belongs_to)
        if line.day <= fact.fields["day"]  # type: ignore[operator]
    ]


def corrected(case: Case, line: Line, measured: int) -> int:
    """With `recompute` the line is measured as though the record had been right from the start."""
    stated = line.component.get("clawback")
    rows = later_reversals(case, line)
    if stated is None or stated["formula"] != "recompute" or not rows:
        return measured
    return measured - nearest(measured * rows[-1][1], line.document["rounding"]["mode"])


def reversals_of(case: Case, line: Line) -> list[Line]:
    """The reversal lines of a line: what they measure; what they earn is known when the line's earning is."""
    from tests.oracle.book import Line, measure_of, natural

    stated = line.component.get("clawback")
    if stated is None or stated["formula"] == "recompute":
        return []
    assert line.ordered is not None
    found, before = [], 0
    for fact, share in later_reversals(case, line):
        day: Any = fact.fields["day"]
        measured = nearest(line.measured * share, line.document["rounding"]["mode"]) if stated["lowers_measure"] else 0
        taken, before = measured - before, measured
        found.append(
            Line(
                case=case,
                person=line.person,
                plan=line.plan,
                version=line.version,
                document=line.document,
                component=line.component,
                kind="reversal",
                day=day,
                order=(day, fact.event_time, fact.source, fact.external_id, *line.order[4:], line.order),
                period=period_of(day, case.periods[measure_of(line.component)["every"]]),
                unit=line.unit,
                m=-natural(taken, line.unit),
                measured=-taken,
                ordered=line.ordered,
                counts_for=line.counts_for,
                fact=fact,
                origin=line,
            )
        )
    return found


def left_over(case: Case, line: Line, fact: Fact, share: Fraction) -> Fraction:
    """phi(r) x c(r): how much of the line the reversal takes."""
    stated = line.component["clawback"]
    day: Any = fact.fields["day"]
    elapsed = whole_months(line.day, day) + (stated.get("failing_month") == "counts")
    match stated["formula"]:
        case "original":
            return share
        case "pro_rata":
            term = term_of(case, line, stated["term_months"])
            return share if term is None or term <= 0 else share * max(Fraction(0), term - elapsed) / term
        case "window":
            window = stated["window"]
            within = elapsed < window["months"] if "months" in window else (day - line.day).days < window["days"]
            return share if within else Fraction(0)
        case "table":
            rows = [row for row in stated["table"] if row["from"] <= elapsed]
            return share * percent(rows[-1]["share"]) if rows else Fraction(0)
    collected = share_collected(case, line, stated, day)
    return 1 - (collected or 0)


def floor_of(line: Line) -> Fraction:
    """The part of what is reversed that stays."""
    return percent(line.component["clawback"].get("floor", "0%"))


def term_of(case: Case, line: Line, stated: Any) -> Fraction | None:
    if not isinstance(stated, str):
        return Fraction(stated)
    assert line.ordered is not None
    found = Sight(case, line.document, line.ordered.fact, line.person, line.day).value(stated)
    return None if found is None else Fraction(found)


def take_back(case: Case, line: Line, reversals: list[Line]) -> None:
    """Sets what each reversal of the line earns, and what its tranches lose, as the version says that gave the credit,
    by whichever the line was rated in the end."""
    given = reversals[0]
    line = replace(line, version=given.version, document=given.document, component=given.component)
    takes_all = line.component["clawback"]["takes"] == "all"
    lost = [0 for _ in line.tranches]
    taken, part = 0, Fraction(0)
    for reversal, (fact, share) in zip(reversals, later_reversals(case, line), strict=True):
        part = min(1 - floor_of(line), max(part, left_over(case, line, fact, share)))
        released = [each.release is not None and each.release <= reversal.day for each in line.tranches]
        if takes_all:
            base, gone = line.earned, 0
        else:
            base = sum(each.amount for each, is_out in zip(line.tranches, released, strict=True) if is_out)
            gone = sum(amount for amount, is_out in zip(lost, released, strict=True) if is_out)
            lose(line, lost, released, part)
        whole = rounded_to_step(base * part, line.document)
        turn = -1 if whole < 0 else 1
        back = max(0, turn * (whole - gone - taken)) * turn
        taken += back
        reversal.rounded = reversal.earned = -back
    if not takes_all:
        set_apart(line, lost)


def lose(line: Line, lost: list[int], released: list[bool], part: Fraction) -> None:
    """What of each tranche that is not yet released is lost by now, cumulatively rounded."""
    so_far = gone = 0
    for place, each in enumerate(line.tranches):
        if released[place] or each.state == "lost":
            continue
        so_far += each.amount
        lost[place] = rounded_to_step(so_far * part, line.document) - gone
        gone += lost[place]


def set_apart(line: Line, lost: list[int]) -> None:
    """A tranche keeps what is left; what it lost stands beside it, as a part of its own."""
    from tests.oracle.book import Tranche

    found: list[Tranche] = []
    for each, gone in zip(line.tranches, lost, strict=True):
        found.append(each)
        if gone and gone == each.amount:
            each.state, each.release = "lost", None
        elif gone:
            each.amount -= gone
            found.append(Tranche(each.place, each.part, gone, each.trigger, None, "lost"))
    line.tranches[:] = found
    for place in {each.place for each in found}:
        for part, each in enumerate(each for each in found if each.place == place):
            each.part = part
