"""Deals whose source names nobody for a role get them by the alignment in force.

What stands is a function of what sources said, of the alignment in force and of who holds which position when: an
alignment, a customer's address or a position that changes makes new revisions of those deals that it moves, known from
now on, as corrections. A role for which there is nobody stays empty, and is told in the inbox; the deal is taken
anyway. Callers hold the intake lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import Max, Q
from django.utils import timezone

from comp.core.days import parse_day
from comp.people.models import Attribute, Gap, Participant
from crediting.kernel.alignment import Place, Rule, Rules, plain, plain_postal
from crediting.models import Account, Alignment, AlignmentRule, Deal, DealRevision, Product, RawDelivery
from crediting.services.alignment_file import rule_of
from crediting.services.facts import DealRow, Moved, deal_changes, teams_of, teams_replace
from crediting.services.issues import Question, questions_answer, questions_open
from crediting.services.locks import intake_ask
from crediting.services.news import Change, Team, changes_tell

#: Deals that are read and written at a time.
CHUNK = 1_000
#: The kind of the inbox's items about deals without an owner.
KIND = "alignment"


@dataclass(frozen=True, slots=True)
class Realigned:
    """A deal whose owner in a role is another one; participant ids, None for nobody and `why`."""

    deal: Deal
    role: str
    before: int | None
    after: int | None
    why: str


def in_force() -> Alignment | None:
    return Alignment.objects.filter(number__isnull=False).order_by("-number").first()


class Aligner:
    """An alignment (the one in force unless another is tried), read once for many deals."""

    def __init__(self, alignment: Alignment | None, deals: Sequence[tuple[int | None, int | None]]) -> None:
        """`deals`: the account and the product of each."""
        self.alignment = alignment
        rows = AlignmentRule.objects.filter(alignment=alignment) if alignment else AlignmentRule.objects.none()
        wanted = {account for account, _ in deals if account}
        self.rules = Rules(rule_of(row) for row in rows.filter(Q(account=None) | Q(account_id__in=wanted)))
        self.accounts = Account.objects.in_bulk(wanted)
        self.products = Product.objects.in_bulk({product for _, product in deals if product})
        self.holders: dict[str, list[Attribute]] = defaultdict(list)
        for held in Attribute.objects.filter(name=Attribute.Name.POSITION):
            self.holders[held.value].append(held)
        people = {row.participant_id for rows in self.holders.values() for row in rows}
        people |= set(rows.exclude(participant=None).values_list("participant_id", flat=True))
        self.people = Participant.objects.in_bulk(people)
        self.gaps: dict[int, list[Gap]] = defaultdict(list)
        for gap in Gap.objects.filter(participant_id__in=people):
            self.gaps[gap.participant_id].append(gap)

    def aligned(self, roles: Iterable[str], of: tuple[int | None, int | None], day: date | None) -> dict[str, Any]:
        """Who has each role, as a revision keeps it: `owners` and, of those without one, `why`; `keys` is what it
        depends on of people."""
        owners: dict[str, int | None] = {}
        why: dict[str, str] = {}
        keys: set[str] = set()
        place = self._place(*of)
        for role in roles:
            owners[role], reason, key = self._owner(role, place, day)
            keys |= {key} if key else set()
            if reason:
                why[role] = reason
        number = self.alignment.number or 0 if self.alignment else 0
        return {"alignment": number, "owners": owners, "why": why, "keys": sorted(keys)}

    def _place(self, account: int | None, product: int | None) -> Place:
        customer, sold = self.accounts.get(account or 0), self.products.get(product or 0)
        country, state, postal = (customer.country, customer.state, customer.postal) if customer else ("", "", "")
        family = sold.series if sold else ""
        return Place(account, plain(country), plain(state), plain_postal(postal), product, plain(family))

    def _owner(self, role: str, place: Place, day: date | None) -> tuple[int | None, str, str]:
        if day is None:
            return None, "", ""
        rule = self.rules.most_specific(role, place, day)
        if rule is None:
            return None, "no rule matches" if self.alignment else "no alignment is in force", ""
        if rule.participant is not None:
            return self._employed([rule.participant], rule, day)
        held = [row.participant_id for row in self.holders[rule.position] if _holds(row, day)]
        return self._employed(held, rule, day)

    def _employed(self, people: Sequence[int], rule: Rule, day: date) -> tuple[int | None, str, str]:
        here = [pk for pk in people if self._is_employed(pk, day)]
        key = f"position:{rule.position}" if rule.position else f"participant:{rule.participant}"
        if len(here) == 1:
            return here[0], "", key
        if rule.position:
            state = "is vacant" if not here else f"is held by {len(here)} people"
            return None, f"position {rule.position} {state} on {day:%-d %B %Y}", key
        return None, f"{self.people[people[0]].name} is not employed on {day:%-d %B %Y}", key

    def _is_employed(self, participant: int, day: date) -> bool:
        person = self.people[participant]
        return _holds(person, day) and not any(_holds(gap, day) for gap in self.gaps[participant])


def rows_align(rows: Sequence[DealRow]) -> list[DealRow]:
    """Deal events with the members that their source left to the alignment."""
    open_rows = [row for row in rows if row.by_alignment]
    if not open_rows:
        return list(rows)
    aligner = Aligner(in_force(), [(row.account, row.product) for row in open_rows])
    found = []
    for row in rows:
        if row.by_alignment:
            aligned = aligner.aligned(row.by_alignment, (row.account, row.product), row.fact.close_date)
            row = replace(row, team=[*row.team, *members(aligned)], aligned=aligned)
        found.append(row)
    return found


def members(aligned: dict[str, Any]) -> Team:
    return [[role, owner, 1] for role, owner in aligned["owners"].items() if owner is not None]


def vacancies_note(moved: Sequence[Moved]) -> None:
    """Tells of roles that nobody has, and takes back what was told of those that somebody has now."""
    noted: list[tuple[RawDelivery, Question]] = []
    settled: dict[int, list[str]] = defaultdict(list)
    for one in moved:
        value = one.deal.external_id
        said = one.deal.aligned or {}
        why = said.get("why") if one.deal.stage != "lost" else None
        if why:
            told = "; ".join(f"{role}: {reason}" for role, reason in why.items())
            noted.append((one.delivery, Question(KIND, value, f"Deal {value} has nobody by alignment: {told}.")))
        if one.was is None or (one.was.aligned or {}).get("why"):
            settled[one.deal.endpoint_id] += [] if why else [value]
    for endpoint, values in settled.items():
        questions_answer(endpoint_id=endpoint, kinds=[KIND], values=values, answer="somebody has it now")
    questions_open(asked=noted, waits=False)


def deals_realign(*, of: Q | None = None, why: str) -> list[Change]:
    """Works deals out anew by the alignment in force, and adds a revision where somebody else has one. Returns what
    changed; `why` is told."""
    changes: list[Change] = []
    alignment = in_force()
    for deals in _chunks(of):
        moved = list(_moved(deals, alignment, store=True))
        told = deal_changes(moved)
        for change in told:
            change["label"] = f"{change['label']}: {why}"[:300]
        changes += told
        vacancies_note(moved)
    return changes


def realigned(alignment: Alignment) -> Iterator[Realigned]:
    """Whose deals would be others' under an alignment that is not in force; nothing is written."""
    for deals in _chunks(None):
        for one in _moved(deals, alignment, store=False):
            before, after = (one.was.aligned if one.was else None) or {}, one.deal.aligned or {}
            for role, owner in after["owners"].items():
                if before["owners"].get(role) != owner:
                    yield Realigned(one.deal, role, before["owners"].get(role), owner, after["why"].get(role, ""))


def on_people_changed(payload: dict[str, Any]) -> None:
    """Somebody came, left or holds another position: the deals that hang on it are worked out anew."""
    if not Deal.objects.filter(aligned__isnull=False).exists():
        return
    people = payload["participants"]
    positions = {"name": Attribute.Name.POSITION, "participant_id__in": people}
    held = set(Attribute.history.filter(**positions).values_list("value", flat=True))
    keys = [f"participant:{pk}" for pk in people] + [f"position:{value}" for value in sorted(held)]
    of = Q(aligned__keys__has_any_keys=keys, close_date__gte=parse_day(payload["from"]))
    if payload["to"]:
        of &= Q(close_date__lt=parse_day(payload["to"]))
    intake_ask()
    changes_tell(deals_realign(of=of, why=payload["label"]))


# ------------------------------------------------------------------ pieces


def _chunks(of: Q | None) -> Iterator[list[Deal]]:
    """Deals that are owned by alignment, in the order of their ids."""
    rows = Deal.objects.filter(aligned__isnull=False, close_date__isnull=False).order_by("id")
    if of is not None:
        rows = rows.filter(of)
    last = 0
    while deals := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield deals
        last = deals[-1].pk


def _moved(deals: Sequence[Deal], alignment: Alignment | None, *, store: bool) -> Iterator[Moved]:
    """The deals that somebody else has, or whose lack is another one; with `store`, as revisions that stand."""
    aligner = Aligner(alignment, [(deal.account_id, deal.product_id) for deal in deals])
    teams = teams_of(deal.pk for deal in deals)
    found: list[tuple[Deal, Team, dict[str, Any]]] = []
    for deal in deals:
        said = deal.aligned or {}
        now = aligner.aligned(said["owners"], (deal.account_id, deal.product_id), deal.close_date)
        if (now["owners"], now["why"], now["keys"]) != (said["owners"], said["why"], said["keys"]):
            others = [member for member in teams.get(deal.pk, []) if member[0] not in said["owners"]]
            found.append((deal, [*others, *members(now)], now))
    if not store:
        for deal, team, now in found:
            yield Moved(_copy(deal, aligned=now), team, RawDelivery(), deal, teams.get(deal.pk, []))
        return
    moved = []
    revisions = DealRevision.objects.select_related("delivery").in_bulk([deal.revision_id for deal, _, _ in found])
    last = _last_derived(revisions.values())
    fresh = [
        _copy(
            revisions[deal.revision_id], id=None, team=team, aligned=now, recorded_at=timezone.now(),
            derived=last[revisions[deal.revision_id].delivery_id, deal.external_id] + 1,
        )
        for deal, team, now in found
    ]  # fmt: skip
    for (deal, _, now), revision in zip(found, DealRevision.objects.bulk_create(fresh), strict=True):
        known = {"revision_id": revision.pk, "aligned": now, "recorded_at": revision.recorded_at}
        after = _copy(deal, **known, revisions=deal.revisions + 1)
        moved.append(Moved(after, revision.team, revision.delivery, deal, teams.get(deal.pk, [])))
    columns = ["revision", "aligned", "recorded_at", "revisions"]
    Deal.objects.bulk_update([one.deal for one in moved], columns, batch_size=CHUNK)
    teams_replace([one for one in moved if one.was_team != one.team])
    yield from moved


def _last_derived(revisions: Iterable[DealRevision]) -> dict[tuple[int, str], int]:
    found = list(revisions)
    rows = DealRevision.objects.filter(
        delivery_id__in={row.delivery_id for row in found}, external_id__in={row.external_id for row in found}
    )
    grouped = rows.values_list("delivery_id", "external_id").annotate(last=Max("derived")).order_by()
    return {(delivery, external_id): last for delivery, external_id, last in grouped}


def _copy(row: Any, **changed: Any) -> Any:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    fresh = type(row)(**{**values, **changed})
    for field in row._meta.fields:
        if field.is_relation and field.is_cached(row) and field.attname not in changed:
            field.set_cached_value(fresh, field.get_cached_value(row))
    return fresh


def _holds(row: Any, day: date) -> bool:
    """Whether [starts_on, ends_on) holds the day."""
    return row.starts_on <= day and (row.ends_on is None or day < row.ends_on)
