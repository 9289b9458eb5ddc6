"""Lines and groups while they are worked out, and the book in which finished components are read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.case import Case, Fact, Opening, Rate
from tests.oracle.crediting import Order, Ordered
from tests.oracle.curves import Terms
from tests.oracle.fields import Sight, type_of
from tests.oracle.reading import MILLION, Document, minor, number, percent, unit_of

Component = dict[str, Any]
Node = tuple[str, str]
#: The lengths of the calendar's periods.
CALENDAR = ("month", "quarter", "half", "year")


@dataclass
class Tranche:
    place: int
    part: int
    amount: int
    trigger: date | None
    release: date | None
    state: str
    paid: int | None = None
    rate: Rate | None = None


@dataclass
class Line:
    """`m` and the running totals are in minor units of money or in ones of everything else."""

    person: int
    plan: str
    version: int
    document: Document
    component: Component
    kind: str
    day: date
    order: Order
    period: int  # of its component's `every`
    unit: str
    m: Fraction
    ordered: Ordered | None = None
    fact: Fact | None = None  # what fields are read from; of a reversal the reversing fact
    measured: int = 0
    amount: int = 0  # of its credit, as though the record had been corrected
    rank: Any = ()  # its place among all lines of the component
    counts_for: str = "both"  # or quota, or pay
    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)
    quota: Fraction | None = None
    incentive: Fraction | None = None
    bounds: Fraction = Fraction(1)
    terms: Terms | None = None
    waiting: int = 0
    tiers: tuple[int | None, int | None] = (None, None)
    band: int | None = None
    rated: bool = False
    exact: Fraction = Fraction(0)
    fixed: Fraction | None = None  # what a pool, a rank or a scorecard gives
    result: Fraction | None = None
    rounded: int = 0
    earned: int = 0
    review: int = 0
    not_before: date | None = None
    withheld: bool = False
    origin: Line | None = None
    opening: Opening | None = None
    tranches: list[Tranche] = field(default_factory=list)

    terms_document: Document | None = None  # of a counterpart, whose fields are read

    @property
    def sight(self) -> Sight:
        return Sight(self.case, self.terms_document or self.document, self.fact, self.person, self.day)

    case: Case = None  # type: ignore[assignment]

    @property
    def key(self) -> str:
        return str(self.component["key"])


@dataclass
class Group:
    """The lines of a participant's component in a measure period, in order."""

    person: int
    plan: str
    component: str
    every: str
    period: int
    start: date
    end: date
    lines: list[Line]
    version: int = 0
    value: Fraction | None = None
    quota: Fraction | None = None
    incentive: Fraction | None = None
    result: Fraction | None = None
    between: bool = False  # of reversals between two periods of the plan's own, which nobody reads

    @property
    def length(self) -> tuple[Any, ...]:
        """By what a read chooses: those of the calendar, the shortest first, then the plan's own by their days."""
        if self.every in CALENDAR:
            return 0, CALENDAR.index(self.every)
        return 1, self.start, self.end, self.every


class Book:
    """Groups of components that are worked out."""

    def __init__(self) -> None:
        self.groups: dict[Node, list[Group]] = defaultdict(list)

    def stretches(self, node: Node, person: int, day: date) -> list[Group]:
        """The groups of the period that holds the day: several where a new version restarts."""
        found = [
            group
            for group in self.groups[node]
            if group.person == person and group.start <= day < group.end and not group.between
        ]
        first = min((group.length for group in found), default=None)
        return [group for group in found if group.length == first]

    def lines(self, node: Node) -> list[Line]:
        return [line for group in self.groups[node] for line in group.lines]


# ------------------------------------------------------------------ components of a case


def component_in(document: Document, key: str) -> Component | None:
    return next((component for component in document["components"] if component["key"] == key), None)


def measure_of(component: Component) -> dict[str, Any]:
    """The measure in its whole form; the short one sums own credits, credit by credit (17)."""
    short = {"value": "sum", "window": "discrete", "of": "own", "by": "credit"}
    return short | component.get("measure", {})


def by_period(component: Component) -> bool:
    return bool(measure_of(component)["by"] == "period" or component["kind"] in ("result", "scorecard", "pool", "rank"))


def year_long(component: Component) -> bool:
    """Does its group go through the fiscal year (17)?"""
    return measure_of(component)["window"] == "year_to_date" and not by_period(component)


def node_of(reference: str, plan: str) -> Node:
    """`commission` of this plan, or `other-plan/commission`."""
    first, _, second = reference.partition("/")
    return (first, second) if second else (plan, first)


def reads_of(component: Component, plan: str) -> list[Node]:
    """All that a component reads."""
    found = []
    if "reads" in component:
        found += component["reads"]["components"]
    if component.get("tiers") and "columns" in component["tiers"]:
        found.append(component["tiers"]["columns"]["reads"]["component"])
    for modifier in component.get("modifiers", {}).get("each", ()):
        if "reads" in modifier:
            found.append(modifier["reads"]["component"])
    found += [gate["reads"]["component"] for gate in component.get("gates", ())]
    found += [cap["of_component"]["component"] for cap in component.get("caps", ()) if "of_component" in cap]
    if component["kind"] == "scorecard":
        found += [part["component"] for part in component["scorecard"]["parts"]]
    return [node_of(reference, plan) for reference in found]


def reading_order(case: Case) -> list[Node]:
    """What is read comes first (19)."""
    reads: dict[Node, set[Node]] = {}
    for version in case.versions:
        plan = version.document["key"]
        for component in version.document["components"]:
            reads.setdefault((plan, component["key"]), set()).update(reads_of(component, plan))
    done: list[Node] = []
    while len(done) < len(reads):
        ready = [node for node in reads if node not in done and all(n in done or n not in reads for n in reads[node])]
        assert ready, "components read each other in a circle"
        done.append(ready[0])
    return done


def unit_of_component(case: Case, node: Node) -> str:
    """What a component's measure is counted in: money, units, share or days."""
    for version in case.versions:
        component = component_in(version.document, node[1])
        if version.document["key"] == node[0] and component is not None:
            return unit_of_measure(version.document, component)
    return "money"


def unit_of_measure(document: Document, component: Component) -> str:
    measure = measure_of(component)
    if component["kind"] == "scorecard":
        return "share"
    if measure["value"] in ("share", "days"):
        return str(measure["value"])
    if measure["value"] == "count":
        return "units"
    if "reads" in component or "credits" not in component:
        return "money"
    for rule in document["credit_rules"]:
        roles = [entry["role"] for entry in rule["credit"]] + [entry["to"] for entry in rule["roll_up"]]
        taken = component["credits"]
        if rule["class"] in taken["classes"] and set(roles) & set(taken["roles"]):
            counted = rule["amount"] == "one" or type_of(rule["amount"], document) == "number"
            return "units" if counted else "money"
    return "money"


def unit_of_credit(document: Document, component: Component) -> str:
    """What the size of a fact is in, whatever is measured of it: money or units."""
    return unit_of_measure(document, component | {"measure": {}})


def pays_money(case: Case, node: Node) -> bool:
    """Is the result in money (21)?"""
    several = [
        component_in(version.document, node[1]) for version in case.versions if version.document["key"] == node[0]
    ]
    return any(component["curve"]["pays"] == "amount" for component in several if component is not None)


def natural(amount: int, unit: str) -> Fraction:
    """Minor units of money as they are, millionths as ones."""
    return Fraction(amount) if unit == "money" else Fraction(amount, MILLION)


# ------------------------------------------------------------------ reads (19)


def value_read(book: Book, stated: dict[str, Any], line: Line) -> Fraction | None:
    """The last stretch says the measure, all of them together the earnings."""
    groups = book.stretches(node_of(stated["component"], line.plan), line.person, line.day)
    if not groups:
        return None
    last = groups[-1]
    lines = [each for group in groups for each in group.lines]
    match stated["value"]:
        case "measure":
            return last.value
        case "attainment":
            return last.value / last.quota if last.value is not None and last.quota else None
        case "result":
            return last.result
        case "earning_before_cap":
            return Fraction(sum(each.rounded for each in lines))
        case "earning":
            return Fraction(sum(each.earned for each in lines))
        case "released":
            return Fraction(sum(part.amount for each in lines for part in each.tranches if part.release is not None))
    raise ValueError(stated["value"])


def read_running(book: Book, stated: dict[str, Any], line: Line) -> Fraction | None:
    """What the read component's running total is at the line's place."""
    groups = book.stretches(node_of(stated["component"], line.plan), line.person, line.day)
    if not groups:
        return None
    total, quota = Fraction(0), groups[-1].quota
    for each in sorted((line for group in groups for line in group.lines), key=lambda each: each.order):
        if each.order <= line.order:
            total, quota = each.after, each.quota
    if stated["value"] == "measure":
        return total
    return total / quota if quota else None


def bound_of(case: Case, stated: dict[str, Any], text: str, line: Line) -> Fraction:
    """A bound in the unit of what is read."""
    if text.endswith("%"):
        return percent(text)
    if stated["value"] == "result" and pays_money(case, node_of(stated["component"], line.plan)):
        return Fraction(text) * unit_of(line.document)
    if stated["value"] in ("attainment", "result"):
        return number(text)
    unit = "money"
    if stated["value"] == "measure":
        unit = unit_of_component(case, node_of(stated["component"], line.plan))
    return Fraction(minor(text, line.document)) if unit == "money" else Fraction(text)
