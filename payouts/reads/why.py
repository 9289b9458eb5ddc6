"""Everything behind one line: its arithmetic, its release, its rule, and what was sent, down to the raw event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

from comp.core.days import day_number
from comp.core.money import format_money, parse_money
from comp.people.models import CreditRole, ExchangeRate, Participant
from comp.people.selectors import downline_ids
from crediting.models import Credit, DealRevision, DealTeam, Fact, FactRevision
from payouts.kernel.batch import MISSING_DAY, ROLLED_SPLIT
from payouts.kernel.explain_stored import LineFacts, TrancheFacts, can_tell, explain_line
from payouts.kernel.say import Step, percent_text
from payouts.models import Attainment, BatchLine, Earning, Payable, Schedule, Tranche
from payouts.models.figures import LineNamed
from payouts.reads.lines import KEY
from payouts.reads.plans import Version, release_words, releases, trigger_word, trigger_words, versions
from payouts.reads.unconverted import exchange_words
from payouts.selectors import TAKEN
from plans.rules.compiled import Component, CreditRule
from plans.rules.compiled_pay import Tranche as Release
from plans.rules.words import in_words

Kind = LineNamed.Kind

#: More than these are not listed on one page; the count is told.
MANY = 30


class LineMoved(Exception):
    """The line was recomputed while it was read; asked again it stands."""


@dataclass(frozen=True)
class TierRow:
    """A row of the tier table: from where, at which rate, how much of this credit it took, what that earns."""

    start: str
    rate: str
    amount: str
    earns: str
    applied: bool


@dataclass(frozen=True)
class Converted:
    """What a tranche is worth in the currency that it is paid in, and the rate by which."""

    minor: int
    currency: str
    rate: ExchangeRate | None  # None: as the system before paid it

    @property
    def words(self) -> str:
        return exchange_words(self.rate) if self.rate else "as the system before paid it"


@dataclass(frozen=True)
class ReleaseRow:
    """A tranche: its share and trigger in words, its day once met, and what became of it. `amount_minor` is in the
    plan's currency."""

    share: str  # empty where all is released at once
    trigger: str
    usage: bool
    amount_minor: int
    met_on: date | None
    release_on: date | None
    period_starts_on: date | None
    taken: tuple[BatchLine, ...]
    payable: Payable | None
    state: Tranche.State
    converted: Converted | None


@dataclass(frozen=True)
class Why:
    """A line and what it stands on. `steps` is empty where its plan goes beyond what is stored of a line: it is then
    worked out again to be told (`payouts.frames.story`). Lines of a period have no rule, credit and revision; of a
    reversal they are those of the line that it takes back."""

    earning: Earning
    version: Version
    component: Component
    rule: CreditRule | None
    credit: Credit | None
    revision: DealRevision | FactRevision | None
    steps: list[Step]
    tiers: list[TierRow]
    releases: list[ReleaseRow]
    role_names: Mapping[str, str]
    opened: bool = False  # what another system measured stands before it

    @property
    def clause_words(self) -> list[tuple[str, tuple[str, ...]]]:
        """The rule and the component, read aloud."""
        wanted = (f"credit:{self.rule.key}" if self.rule else "", self.component.key)
        return [(section.title, section.sentences) for section in in_words(self.version.says) if section.key in wanted]

    @property
    def role_name(self) -> str:
        return self.role_names.get(self.earning.role, self.earning.role)

    @property
    def rolled(self) -> bool:
        return self.credit is not None and self.earning.split >= ROLLED_SPLIT

    @property
    def told_from_rows(self) -> bool:
        """Whether what is stored of the line says all of it."""
        by_credit = self.earning.line_kind == Kind.CREDIT and self.rule in self.version.says.credit_rules
        by_credit = by_credit and isinstance(self.revision, DealRevision) and not self.opened
        return by_credit and self.rule is not None and can_tell(self.version.says, self.component, self.rule)


def why_of(earning: Earning) -> Why:
    """The whole story of a line. Raises LineMoved where the figures changed between two reads."""
    moved = LineMoved(f"line {earning.pk} changed while it was read")
    key = {name: getattr(earning, name) for name in KEY}
    credit = rule = revision = None
    known = versions([earning.plan_version_id])
    if earning.line_kind in (Kind.CREDIT, Kind.REVERSAL):
        credit = Credit.objects.filter(**credit_key(earning)).first()
        if credit is None:
            raise moved
        # A version that is run again rates credits that another one gave.
        known |= versions([credit.plan_version_id])
        rule = known[credit.plan_version_id].rule(earning.rule)
        said: Any = DealRevision if credit.fact == credit.deal_id else FactRevision
        revision = said.objects.select_related("delivery", "endpoint").filter(pk=credit.revision).first()
        if revision is None:
            raise moved
    version = known[earning.plan_version_id]
    component = version.component(earning.component)
    tranches = list(Tranche.objects.filter(**key).select_related("rate").order_by("index", "part"))
    at_once = earning.line_kind in (Kind.REVERSAL, Kind.CARRIED)
    given = at_once or earning.line_kind == Kind.OPENING
    known_releases = () if given else releases(version.says, component.key)
    release = _release(known_releases, tranches)
    lost = len(known_releases) == 1 and release != known_releases[0]
    if lost or at_once and [tranche.index for tranche in tranches] != [0]:
        raise moved
    names = dict(CreditRole.objects.values_list("key", "name"))
    rows = _release_rows(release, tranches, key)
    found = Why(earning, version, component, rule, credit, revision, [], [], rows, names, _opened(earning))
    if not found.told_from_rows or rule is None or credit is None or not isinstance(revision, DealRevision):
        return found
    groups = Attainment.objects.filter(
        participant_id=earning.participant_id,
        plan_id=earning.plan_id,
        component=earning.component,
        starts_on=earning.period_starts_on,
    )
    group = next((row for row in groups if row.plan_version_id == earning.plan_version_id), groups.first())
    facts = _facts(earning, version, rule, credit, revision, tranches, group, names.get(earning.role, ""))
    return told(found, explain_line(version.says, component, facts))


def _opened(earning: Earning) -> bool:
    """Whether an opening stands in the line's measure period."""
    named = ("participant_id", "plan_id", "component", "period_starts_on")
    return Earning.objects.filter(line_kind=Kind.OPENING, **{name: getattr(earning, name) for name in named}).exists()


def _release(known_releases: tuple[tuple[Release, ...], ...], tranches: list[Tranche]) -> tuple[Release, ...]:
    """The release that these tranches are by: of those with these triggers the one that gives these amounts; none where
    several overrides together make it."""
    by_index: dict[int, tuple[str, int]] = {}
    for tranche in tranches:
        by_index[tranche.index] = tranche.trigger, by_index.get(tranche.index, ("", 0))[1] + tranche.earned_minor
    triggers = [trigger for _, (trigger, _) in sorted(by_index.items())]
    amounts = [amount for _, (_, amount) in sorted(by_index.items())]
    found = [
        release
        for release in known_releases
        if set(by_index) == set(range(len(release))) and [trigger_word(entry) for entry in release] == triggers
    ]
    total = sum(amounts)
    found.sort(key=lambda release: sum(abs(entry.share * total - a) for entry, a in zip(release, amounts, strict=True)))
    return found[0] if found else ()


def credit_key(earning: Earning) -> dict[str, Any]:
    """The key of the credit that a line is of; of a reversal, whose line it takes back."""
    key = {name: getattr(earning, name) for name in ("participant_id", "plan_id", "rule", "role", "split")}
    return {**key, "fact": earning.origin or earning.fact}


def told(why: Why, steps: list[Step]) -> Why:
    """The same with another story."""
    shown = [step for step in steps if step.label_code not in ("release", "schedule")]
    return replace(why, steps=shown, tiers=_tier_rows(steps, why.version.says.currency))


def whole_minor(rule: CreditRule, revision: DealRevision, currency: str) -> int:
    """The deal's whole amount in the field that the rule credits."""
    name = rule.amount.removeprefix("deal.")
    if name.startswith("custom."):
        return parse_money(str(revision.custom[name.removeprefix("custom.")]), currency)
    return int(revision.amount_minor or 0) if name == "amount" else int(revision.values[name])


def _facts(
    earning: Earning,
    version: Version,
    rule: CreditRule,
    credit: Credit,
    revision: DealRevision,
    tranches: list[Tranche],
    group: Attainment | None,
    role_name: str,
) -> LineFacts:
    def number(day: date | None) -> int:
        return MISSING_DAY if day is None else day_number(day)

    return LineFacts(
        whole=whole_minor(rule, revision, version.says.currency),
        rule=version.says.credit_rules.index(rule),
        role=earning.role,
        split=earning.split,
        pot=credit.pot_minor,
        amount=credit.amount_minor,
        position=earning.position,
        before=earning.before_minor,
        after=earning.after_minor,
        quota=earning.quota_minor,
        total=group.total_minor if group else earning.after_minor,
        band=earning.band,
        rounded=earning.rounded_minor,
        earned=earning.earned_minor,
        waiting=bool(earning.waiting),
        tranches=tuple(TrancheFacts(t.earned_minor, number(t.trigger_day), number(t.release_day)) for t in tranches),
        role_name=role_name,
    )


def exact_words(minor: int | Fraction, currency: str) -> str:
    """Money for people; where the exact amount lies between two minor units, the one towards zero with dots."""
    text = format_money(int(minor), currency)
    return text if int(minor) == minor else f"{text}…"


def _tier_rows(steps: list[Step], currency: str) -> list[TierRow]:
    found = next((step.detail for step in steps if step.label_code == "tiers"), None)
    if found is None or "tiers" not in found:
        return []
    slices = list(found["slices"])
    rows = []
    for tier in found["tiers"]:
        mine = [part for part in slices if part.tier == tier["tier"] and part.rate == tier["rate"]]
        slices = [part for part in slices if part not in mine]
        amount, earns = sum(part.amount_in_slice for part in mine), sum(part.earns for part in mine)
        took, gave = (exact_words(value, currency) if mine else "" for value in (amount, earns))
        rows.append(TierRow(percent_text(tier["from"]), percent_text(tier["rate"]), took, gave, bool(mine)))
    for part in slices:
        # What no tier's own rate explains: the part below zero, or what came before and is rated anew.
        name = "below zero" if part.tier < 0 else "credits before, rated anew"
        amount, earns = exact_words(part.amount_in_slice, currency), exact_words(part.earns, currency)
        rows.append(TierRow(name, percent_text(part.rate), amount, earns, applied=True))
    return rows


def spread_over(earning: Earning) -> list[tuple[date, int]]:
    """The months that the line is expense of, each with its part; empty where the plan does not spread it."""
    key = {name: getattr(earning, name) for name in KEY}
    return list(Schedule.objects.filter(**key).order_by("month").values_list("month", "amount_minor"))


def _release_rows(release: tuple[Release, ...], tranches: list[Tranche], key: dict[str, Any]) -> list[ReleaseRow]:
    """A row a tranche; without a release it is one that is paid on its own day."""
    taken: dict[tuple[int, int], list[BatchLine]] = {}
    rows = BatchLine.objects.filter(batch__state__in=TAKEN, **key).select_related("batch", "statement")
    for row in rows.order_by("id"):
        taken.setdefault((row.index, row.part), []).append(row)
    payable = {(row.index, row.part): row for row in Payable.objects.filter(**key).select_related("hold__placed_by")}
    found = []
    for tranche in tranches:
        entry, place = release[tranche.index] if release else None, (tranche.index, tranche.part)
        found.append(
            ReleaseRow(
                percent_text(entry.share) if entry else "",
                release_words(entry) if entry else trigger_words(tranche.trigger),
                entry is not None and entry.at is not None,
                tranche.earned_minor,
                tranche.trigger_day,
                tranche.release_day,
                tranche.period_starts_on,
                tuple(taken.get(place, ())),
                payable.get(place),
                Tranche.State(tranche.state),
                Converted(tranche.amount_minor, tranche.currency, tranche.rate)
                if tranche.plan_minor is not None
                else None,
            )
        )
    return found


# ------------------------------------------------------------------ what was sent


@dataclass(frozen=True)
class Sent:
    """What sources said of the deal and of its facts, the latest first, and how many revisions of the deal there
    are."""

    revisions: list[DealRevision]
    count: int
    facts: list[FactRevision]

    @property
    def reading(self) -> FactRevision | None:
        """The last reading of usage that was not taken back."""
        found = [row for row in self.facts if row.kind == "usage" and row.stands and row.day]
        return max(found, key=lambda row: (row.day, row.version, row.event_time, row.sender_id), default=None)


def sent(earning: Earning) -> Sent:
    said = FactRevision.objects.select_related("deal", "delivery").order_by("-event_time", "-id")
    deal = earning.deal
    if deal is None:
        own = Fact.objects.filter(pk=earning.fact).values("endpoint_id", "kind", "external_id").first()
        return Sent([], 0, list(said.filter(**own)[:MANY]) if own else [])
    revisions = DealRevision.objects.filter(endpoint_id=deal.endpoint_id, external_id=deal.external_id)
    return Sent(
        list(revisions.select_related("delivery").order_by("-version", "-event_time", "-sender_id", "-id")[:MANY]),
        deal.revisions,
        list(said.filter(deal=deal)[:MANY]),
    )


@dataclass(frozen=True)
class TeamPart:
    """Whose part of the deal rolls up: the person, their role's name and their share of the role's weights."""

    person: Participant
    role: str
    weight: int
    of: int


def team_parts(why: Why) -> list[TeamPart]:
    """For a rolled-up credit: the people below the receiver, on the credit's day, who stand on the deal."""
    if not why.rolled or why.rule is None or why.earning.deal_id is None:
        return []
    entry = why.rule.roll_up[why.earning.split - ROLLED_SPLIT]
    rows = list(
        DealTeam.objects.filter(deal_id=why.earning.deal_id, role__in=entry.from_roles)
        .select_related("participant")
        .order_by("place")
    )
    below = set(downline_ids(manager_id=why.earning.participant_id, day=why.earning.credit_date))
    weights: dict[str, int] = {}
    for row in rows:
        weights[row.role] = weights.get(row.role, 0) + row.weight
    return [
        TeamPart(row.participant, why.role_names.get(row.role, row.role), row.weight, weights[row.role])
        for row in rows
        if row.participant_id in below
    ]
