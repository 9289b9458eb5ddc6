"""How a provider wants its file: columns, codes, dates and decimals; and how to read what it answers.

A mapping is plain data, kept with the provider and frozen with each file. `form_of` judges all of it at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comp.core.errors import Problem, ProblemsError

#: What a column can hold, in words.
FIELDS = {
    "employee": "Employee number",
    "name": "Name",
    "currency": "Currency",
    "amount": "Amount",
    "code": "Pay code",
    "plan": "Plan",
    "component": "Component",
    "reference": "Our reference",
    "batch": "Batch",
    "pay_group": "Pay group",
    "starts_on": "First day of the period",
    "ends_on": "Last day of the period",
    "pay_on": "Pay date",
    "company": "Company code",
    "batch_id": "Batch ID",
}
#: Day formats by what people call them.
DATES = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "YYYYMMDD": "%Y%m%d",
}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
DECIMALS = {"point": ".", "comma": ","}
GROUPINGS = {"person": "One row a person", "component": "One row a person and component"}
SHAPES = ("csv", "xlsx", "adp", "workday", "bank")

#: Columns, where the provider's form fixes them (ADP's first three have to stand first), and what others begin with.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "csv": (
        ("Employee", "employee"),
        ("Name", "name"),
        ("Pay code", "code"),
        ("Amount", "amount"),
        ("Currency", "currency"),
        ("Period start", "starts_on"),
        ("Period end", "ends_on"),
        ("Pay date", "pay_on"),
        ("Reference", "reference"),
    ),
    "adp": (
        ("Co Code", "company"),
        ("Batch ID", "batch_id"),
        ("File #", "employee"),
        ("Earnings 3 Code", "code"),
        ("Earnings 3 Amount", "amount"),
    ),
    "workday": (
        ("Employee ID", "employee"),
        ("Pay Component", "code"),
        ("Amount", "amount"),
        ("Currency", "currency"),
        ("Start Date", "starts_on"),
        ("End Date", "ends_on"),
        ("Batch ID", "batch_id"),
    ),
    "bank": (
        ("Payee reference", "employee"),
        ("Amount", "amount"),
        ("Currency", "currency"),
        ("Date", "pay_on"),
        ("Reference", "reference"),
    ),
}
COLUMNS["xlsx"] = COLUMNS["csv"]
#: Forms whose columns a company arranges itself.
FREE = ("csv", "xlsx")

#: What an answer's columns are called where a provider says nothing else.
ANSWER = {
    "employee": "employee",
    "amount": "amount",
    "currency": "currency",
    "status": "status",
    "reason": "reason",
    "reference": "reference",
    "paid_on": "paid on",
}
PAID_WORDS, REJECTED_WORDS = ("paid", "ok", "processed"), ("rejected", "failed", "returned")

_COMPANY = re.compile(r"[A-Za-z0-9]{2,3}")


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The names of an answer's columns, and which words of its status mean what. Without a status column every row
    says paid; without one for the currency each person has one payment."""

    columns: Mapping[str, str] = field(default_factory=lambda: dict(ANSWER))
    paid: tuple[str, ...] = PAID_WORDS
    rejected: tuple[str, ...] = REJECTED_WORDS


@dataclass(frozen=True, slots=True)
class Form:
    """A provider's file. `codes` gives the pay code of `plan/component`, of `plan`, or of everything else ("*").
    `currency` leaves out all others; "" leaves out none."""

    shape: str
    columns: tuple[tuple[str, str], ...]
    codes: Mapping[str, str] = field(default_factory=dict)
    grouping: str = "person"
    dates: str = "YYYY-MM-DD"
    decimals: str = "point"
    delimiter: str = "comma"
    company: str = ""
    currency: str = ""
    answer: AnswerForm = field(default_factory=AnswerForm)

    def code(self, plan: str, component: str) -> str:
        """The pay code of a component: its own, else its plan's, else the one of everything."""
        named = (f"{plan}/{component}", plan, "*")
        return next((self.codes[name] for name in named if name in self.codes), "")


def form_of(shape: str, settings: Mapping[str, Any]) -> Form:
    """The form that a provider's settings describe; what they leave out is the shape's own. Raises ProblemsError with
    everything that is wrong."""
    problems: list[Problem] = []
    if shape not in SHAPES:
        raise ProblemsError([_wrong("shape", shape, ", ".join(SHAPES))])
    columns = COLUMNS[shape]
    if shape in FREE and settings.get("columns"):
        columns = _columns(settings["columns"], problems)
    chosen = {}
    for name, allowed, standard in (
        ("grouping", GROUPINGS, "person"),
        ("dates", DATES, "MM/DD/YYYY" if shape == "adp" else "YYYY-MM-DD"),
        ("decimals", DECIMALS, "point"),
        ("delimiter", DELIMITERS, "comma"),
    ):
        chosen[name] = str(settings.get(name) or standard)
        if chosen[name] not in allowed:
            problems.append(_wrong(name, chosen[name], ", ".join(allowed)))
    if shape == "bank":
        chosen["grouping"] = "person"
    codes = _texts("codes", settings.get("codes") or {}, problems)
    company = str(settings.get("company") or "")
    if shape == "adp" and not _COMPANY.fullmatch(company):
        problems.append(_wrong("company", company, "ADP's company code: 2 or 3 letters or digits"))
    if any(name == "code" for _, name in columns) and "*" not in codes:
        problems.append(_wrong("codes", "no code for everything", "a line “* = CODE”, for what has no code of its own"))
    currency = str(settings.get("currency") or "")
    answer = _answer(settings.get("answer") or {}, problems)
    if problems:
        raise ProblemsError(problems)
    return Form(shape, columns, codes, company=company, currency=currency, answer=answer, **chosen)


def pairs_of(text: str, what: str) -> list[tuple[str, str]]:
    """Lines `left = right` of a form's text field, in their order. Raises ProblemsError for a line without the sign."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        left, sign, right = (part.strip() for part in line.partition("="))
        if not (left and sign and right):
            raise ProblemsError([_wrong(what, f"line {number}: {line.strip()[:60]}", "lines “left = right”")])
        found.append((left, right))
    return found


def _columns(said: Any, problems: list[Problem]) -> tuple[tuple[str, str], ...]:
    found = [(str(title), str(name)) for title, name in said]
    for title, name in found:
        if name not in FIELDS:
            problems.append(_wrong("columns", f"{title} = {name}", ", ".join(FIELDS)))
    titles = [title.casefold() for title, _ in found]
    if len(set(titles)) < len(titles):
        problems.append(_wrong("columns", "one title twice", "a title of its own for each column"))
    for name in ("employee", "amount"):
        if name not in {one for _, one in found}:
            problems.append(_wrong("columns", f"no column {name}", "at least employee and amount"))
    return tuple(found)


def _answer(said: Mapping[str, Any], problems: list[Problem]) -> AnswerForm:
    columns = {**ANSWER, **_texts("answer", said.get("columns") or {}, problems)}
    if strange := set(columns) - set(ANSWER):
        problems.append(_wrong("answer", ", ".join(sorted(strange)), ", ".join(ANSWER)))
    paid, rejected = (
        _words(said.get(name), standard) for name, standard in (("paid", PAID_WORDS), ("rejected", REJECTED_WORDS))
    )
    if both := set(paid) & set(rejected):
        problems.append(_wrong("answer", f"“{min(both)}” means both", "a word that means one thing"))
    return AnswerForm(columns, paid, rejected)


def _words(said: Sequence[str] | None, standard: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(word).strip().casefold() for word in said) if said else standard


def _texts(path: str, said: Mapping[str, Any], problems: list[Problem]) -> dict[str, str]:
    found = {str(key): str(value) for key, value in said.items()}
    for key, value in found.items():
        if not value.isprintable() or len(value) > 60:
            problems.append(_wrong(path, f"{key} = {value[:60]!r}", "at most 60 printable characters"))
    return found


def _wrong(path: str, found: str, allowed: str) -> Problem:
    return Problem(path, found, allowed, f"Found {found or 'nothing'}; allowed: {allowed}.")
