"""What a page hands to a component: plain values, already decided and formatted where words are needed.

Components draw; they never query and never work out money.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal


@dataclass(frozen=True)
class Link:
    """An entry of tabs, breadcrumbs or a list of links. `count` stands beside the label when it is not None."""

    label: str
    url: str = ""
    current: bool = False
    count: int | None = None


@dataclass(frozen=True)
class State:
    """A word for a state with its icon and tone; the tone only repeats what word and icon already say."""

    word: str
    icon: str
    tone: str


#: The one vocabulary for the state of money, in the order money walks through it, then the ways off the road.
MONEY_STATES = {
    "estimated": State("Estimated", "sparkles", "plain"),
    "earned": State("Earned", "check", "info"),
    "payable": State("Payable", "arrow-right-circle", "info"),
    "in_batch": State("In batch", "rectangle-stack", "info"),
    "approved": State("Approved", "check-circle", "good"),
    "paid": State("Paid", "banknotes", "done"),
    "waiting": State("Waiting", "clock", "wait"),
    "held": State("Held", "hand-raised", "stop"),
    "disputed": State("Disputed", "chat-bubble-left-ellipsis", "wait"),
    "reversed": State("Reversed", "arrow-uturn-left", "plain"),
}


def money_state(key: str) -> State:
    """The state of that key; hyphens, blanks and capitals do not matter."""
    try:
        return MONEY_STATES[key.lower().replace("-", "_").replace(" ", "_")]
    except KeyError:
        raise ValueError(f"money state: found {key!r}, allowed are {', '.join(MONEY_STATES)}") from None


@dataclass(frozen=True)
class WayStep:
    """One state on the track of this period's money: how much stands there and a few words on it."""

    state: str
    minor: int
    currency: str
    note: str = ""
    url: str = ""
    current: bool = False

    @property
    def shown(self) -> State:
        return money_state(self.state)


@dataclass(frozen=True)
class Fact:
    """A name and its value; the value may be markup made by a component."""

    name: str
    value: object
    note: str = ""
    url: str = ""


@dataclass(frozen=True)
class Step:
    """One line of the arithmetic: what, how much, and where it comes from. The result comes last, `result=True`."""

    what: str
    value: object
    note: str = ""
    url: str = ""
    link: str = ""
    result: bool = False


@dataclass(frozen=True)
class ChainStep:
    """A link of an approval chain; `state` is done, current, todo or refused."""

    what: str
    state: str = "todo"
    note: str = ""

    def __post_init__(self) -> None:
        if self.state not in CHAIN_ICONS:
            raise ValueError(f"chain step {self.what!r}: found {self.state!r}, allowed are {', '.join(CHAIN_ICONS)}")

    @property
    def icon(self) -> str:
        return CHAIN_ICONS[self.state][0]

    @property
    def word(self) -> str:
        """What a screen reader adds, since the icon is silent."""
        return CHAIN_ICONS[self.state][1]


CHAIN_ICONS = {
    "done": ("check-circle", "done"),
    "current": ("arrow-right-circle", "now"),
    "todo": ("ellipsis-horizontal-circle", "to come"),
    "refused": ("x-circle", "refused"),
}


@dataclass(frozen=True)
class Event:
    """Something that happened: when, what, who did it, and details. `tone` is good, stop or empty."""

    at: dt.datetime
    what: str
    who: str = ""
    note: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Change:
    """What is different since the last visit: the words, the difference in minor units, the cause."""

    what: str
    minor: int
    currency: str
    cause: str = ""
    url: str = ""


@dataclass(frozen=True)
class Bar:
    """One payout of the past: the label under the bar and the amount in minor units."""

    label: str
    minor: int


@dataclass(frozen=True)
class Tier:
    """A tier's mark on the bar: where it begins, in percent of the target, and its words ("12% from 100%")."""

    at: Decimal
    label: str


@dataclass(frozen=True)
class Meter:
    """Attainment of one component. Value and target share a unit; the texts are what people read.

    `pace` is the percent of the target that the elapsed time would ask for; `next` the distance to the next tier in
    words. Without a target there is no bar, only the value.
    """

    name: str
    value: int
    target: int
    value_text: str
    target_text: str
    tiers: Sequence[Tier] = field(default=())
    pace: Decimal | None = None
    next: str = ""

    @property
    def percent(self) -> str:
        return percent(self.value, self.target)

    @property
    def exact(self) -> Decimal:
        return Decimal(self.value * 100) / Decimal(self.target)

    @property
    def drawn(self) -> bool:
        return self.target > 0

    def reached(self) -> list[tuple[Tier, bool]]:
        """Each tier, and whether it is the one that applies now."""
        passed = [tier for tier in self.tiers if self.drawn and tier.at <= self.exact]
        return [(tier, bool(passed) and tier is passed[-1]) for tier in self.tiers]

    @property
    def full(self) -> Decimal:
        """What the whole width stands for, in percent: the last tier or the value, and some air."""
        marks = [Decimal(100), self.exact, *(tier.at for tier in self.tiers)]
        return max(marks) * Decimal("1.04")

    def place(self, at: Decimal) -> str:
        """The point on the bar, in percent of its width, as SVG wants it: with a point whatever the language."""
        share = min(max(at, Decimal(0)), self.full) / self.full * 100
        return f"{share:.2f}%"


def percent(part: int, whole: int, places: int = 1) -> str:
    """A share in words, rounded down: 99.96% never reads as 100.0%. A share of nothing is "none"."""
    if not whole:
        return "none"
    step = Decimal(1).scaleb(-places)
    value = (Decimal(part * 100) / Decimal(whole)).quantize(step, rounding=ROUND_FLOOR)
    return f"{value:,}%".replace("-", "\N{MINUS SIGN}")
