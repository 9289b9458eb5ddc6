"""Statements of the system before, from a table: a row a line, read and checked as a whole before any is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from comp.core.canonical import digest
from comp.core.days import DayError, day_date, parse_day
from comp.core.errors import CompError, ProblemsError, refused
from comp.core.money import CURRENCIES, MoneyError, parse_money
from comp.core.sheets.plain import table_read
from comp.people.calendars import period_holding
from comp.people.models import Participant
from comp.people.rates import rate_exact
from comp.tenancy.selectors import own_currency
from crediting.models import HookEndpoint
from payouts.frames.read import read_versions
from payouts.kernel.tieout import KINDS
from payouts.models import CutOver, LegacyLine
from payouts.reads.parallel import lines_standing
from payouts.services.adjustments_file import Wrong, row_of
from payouts.services.adjustments_file import digest_of as text_digest
from plans.models import Plan

#: `period` is any day of the pay period. What is left out is not stated: a line without a kind is a total.
COLUMNS = (
    "employee", "period", "amount", "currency", "kind", "plan", "component", "deal", "source", "credited", "rate",
    "reference",
)  # fmt: skip
NEEDED = COLUMNS[:3]
#: More is for several files.
ROWS = 50_000
#: What else kinds are often called; a file may say more (`kinds_read`).
WORDS = {
    **{kind: kind for kind in KINDS},
    "bonus": "commission", "spiff": "commission", "payout": "commission", "correction": "adjustment",
    "manual": "adjustment", "guarantee": "draw", "draw recovery": "recovery", "capped": "cap",
    "held back": "holdback", "clawback": "commission", "carried forward": "carried", "total": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statements:
    """What a file holds: lines to take, what is wrong with others, and the employee numbers that Comp does not know,
    which may be taken all the same."""

    lines: list[LegacyLine]
    wrong: list[Wrong]
    strangers: list[str]

    @property
    def totals(self) -> dict[tuple[date, str], int]:
        """Minor units by first day of the period and currency."""
        found: dict[tuple[date, str], int] = {}
        for line in self.lines:
            at = line.period_starts_on, line.currency
            found[at] = found.get(at, 0) + line.amount_minor
        return dict(sorted(found.items()))


def kinds_read(text: str) -> dict[str, str]:
    """Their words for kinds, one a line: `Quarterly kicker = commission`. ProblemsError for a line that says none."""
    allowed = ", ".join((*KINDS, "total"))
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        word, said, kind = (part.strip().lower() for part in line.rpartition("="))
        if not said or not word or WORDS.get(kind) is None or kind not in (*KINDS, "total"):
            raise refused("kinds", line, allowed, f"“{line}” says no kind; write “their word = one of {allowed}”.")
        found[word] = WORDS[kind]
    return found


def statements_read(text: str, *, cut_over: CutOver, kinds: Mapping[str, str]) -> Statements:
    """The lines of plain CSV and all that is wrong with it. ProblemsError for a table that is none of statements."""
    names, rows = table_read(text, COLUMNS, NEEDED, most=ROWS)
    reader = _Reader(cut_over, kinds)
    found = Statements([], [], [])
    for number, cells in enumerate(rows, start=2):
        if not any(cells):
            continue
        row = dict.fromkeys(COLUMNS, "") | row_of(names, cells)
        try:
            line = reader.line(row, number)
        except (CompError, MoneyError, DayError) as error:
            found.wrong.append(Wrong(number, str(error)))
        else:
            found.lines.append(line)
    found.strangers.extend(sorted({line.person for line in found.lines if line.participant_id is None}))
    return found


def digest_of(text: str, kinds: Mapping[str, str]) -> str:
    """By which the same file, read in the same way, is known again."""
    return digest([text_digest(text), dict(kinds)])


class _Reader:
    """Reads rows by what Comp has now."""

    def __init__(self, cut_over: CutOver, kinds: Mapping[str, str]) -> None:
        self.cut_over, self.words = cut_over, {**WORDS, **kinds}
        self.calendar = cut_over.pay_group.calendar
        self.people = {row.key: row for row in Participant.objects.select_related("pay_group")}
        self.plans = set(Plan.objects.values_list("key", flat=True))
        self.components = {each.key for says in read_versions().compiled for each in says.components}
        self.sources = set(HookEndpoint.objects.values_list("key", flat=True))
        self.currency = own_currency()
        self.stand = {_same(line): line.file.name for line in lines_standing(cut_over).select_related("file")}

    def line(self, row: Mapping[str, str], number: int) -> LegacyLine:
        """The line that a row says; refused with what is wrong with it."""
        person = self.people.get(row["employee"])
        if not row["employee"]:
            raise refused("employee", "nothing", "an employee number", "The row names nobody.")
        if person is not None and person.pay_group_id != self.cut_over.pay_group_id:
            text = f"{person} is paid in {person.pay_group}."
            raise refused("employee", row["employee"], f"somebody of {self.cut_over.pay_group}", text)
        currency = row["currency"] or (person.currency if person else self.currency)
        paid_in = person.currency if person else "a currency of ISO 4217"
        if currency not in CURRENCIES or (person is not None and currency != person.currency):
            text = f"{row['employee']} is paid in {paid_in}, not in {currency!r}."
            raise refused("currency", currency, paid_in, text)
        line = LegacyLine(
            participant=person,
            person=row["employee"][:60],
            row=number,
            currency=currency,
            amount_minor=parse_money(row["amount"], currency),
            credited_minor=parse_money(row["credited"], currency) if row["credited"] else None,
            rate=self._rate(row["rate"]),
            **{name: row[name][:200] for name in ("deal", "reference")},
            **self._named(row),
        )
        line.period_starts_on = self._period(row["period"])
        if file := self.stand.get(_same(line)):
            raise refused("row", row["employee"], "a row that does not stand yet", f"The same row stands in {file}.")
        return line

    def _period(self, text: str) -> date:
        day = parse_day(text)
        period = period_holding(self.calendar, day)
        if day_date(period.end) > self.cut_over.day:
            before = f"a period that ends before {self.cut_over.day:%-d %B %Y}"
            said = f"{text} lies in {period.name}, which Comp pays; allowed is {before}."
            raise refused("period", text, before, said)
        return day_date(period.start)

    def _named(self, row: Mapping[str, str]) -> dict[str, str]:
        kind = self.words.get(row["kind"].lower(), None) if row["kind"] else ""
        if kind is None:
            allowed = ", ".join((*KINDS, "total"))
            text = f"The kind {row['kind']!r} is unknown; allowed are {allowed}, and what you say are their words."
            raise refused("kind", row["kind"], allowed, text)
        for name, known in (("plan", self.plans), ("component", self.components), ("source", self.sources)):
            if row[name] and row[name] not in known:
                allowed = ", ".join(sorted(known))
                raise refused(name, row[name], allowed, f"There is no {name} {row[name]!r}; there are {allowed}.")
        if row["source"] and not row["deal"]:
            raise refused("source", row["source"], "the source of a deal", "The row names a source and no deal.")
        return {"kind": kind} | {name: row[name] for name in ("plan", "component", "source")}

    @staticmethod
    def _rate(text: str) -> Decimal | None:
        if not text:
            return None
        try:
            return rate_exact(text)
        except ProblemsError:
            said = f"{text!r} is no rate of exchange of at most ten decimals."
            raise refused("rate", text, "a positive number", said) from None


def _same(line: LegacyLine) -> tuple[object, ...]:
    """By which a row that stands in another file is known again."""
    named = (line.person, line.period_starts_on, line.currency, line.kind, line.plan, line.component, line.source)
    return (*named, line.deal, line.amount_minor, line.reference)
