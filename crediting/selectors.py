"""Reading deliveries, questions and deals for the pages."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Model, Q, QuerySet

from comp.people.models import CreditRole, Participant
from comp.tenancy.rows import rows_read
from crediting.models import (
    Account,
    Credit,
    DataIssue,
    Deal,
    DealRevision,
    DealTeam,
    Fact,
    FactRevision,
    FactTeam,
    Product,
    RawDelivery,
    SourceMapping,
)

Kind = SourceMapping.Kind
#: What a word of each kind may be mapped to; sectors are text of their own.
TARGETS: dict[str, type[Model]] = {
    Kind.OWNER: Participant,
    Kind.PRODUCT: Product,
    Kind.ACCOUNT: Account,
    Kind.ROLE: CreditRole,
}
#: What a kind of fact is called, where not by its own word.
KIND_WORDS = {"nonpayment": "unpaid invoice", "line": "order line"}
#: At most this many candidates are offered at once; a search narrows them.
OFFERED = 200


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that a source's word could mean."""

    key: str
    name: str

    @property
    def label(self) -> str:
        return self.name if self.name.casefold() == self.key.casefold() else f"{self.name} ({self.key})"


def issues(*, state: str, kind: str = "") -> QuerySet[DataIssue]:
    """The questions in a state; the ones that hold up most deliveries first, answered ones by when they were."""
    found = DataIssue.objects.filter(state=state).select_related("endpoint", "resolved_by")
    if kind:
        found = found.filter(kind=kind)
    return found.order_by("-waiting", "id") if state == DataIssue.State.OPEN else found.order_by("-resolved_at", "-id")


def issue_counts() -> Counter[str]:
    """How many questions are open and how many resolved."""
    return _by_state(DataIssue)


def candidates(*, kind: str, search: str = "") -> list[Candidate]:
    """What a word may be mapped to, by name; those that hold the search, where there is one."""
    if kind == Kind.SECTOR:
        known = set(Account.objects.exclude(sector="").values_list("sector", flat=True).distinct())
        known |= set(SourceMapping.objects.filter(kind=kind).values_list("target", flat=True).distinct())
        return [Candidate(sector, sector) for sector in sorted(known) if search.casefold() in sector.casefold()]
    rows = TARGETS[kind]._default_manager.order_by("name")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(key__icontains=search))
    return [Candidate(*row) for row in rows.values_list("key", "name")[:5000]]


def closest(word: str, found: Sequence[Candidate], limit: int = 3) -> list[Candidate]:
    """The candidates spelt most like a word, the closest first; none where nothing is like it."""
    spelt: dict[str, Candidate] = {}
    for one in found:
        spelt.setdefault(_plain(one.name), one)
        spelt.setdefault(_plain(one.key), one)
    near = difflib.get_close_matches(_plain(word), spelt, n=limit * 2, cutoff=0.6) if word else []
    return list(dict.fromkeys(spelt[text] for text in near))[:limit]


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def deliveries(*, state: str = "", search: str = "") -> QuerySet[RawDelivery]:
    """Deliveries without their bodies, the latest first."""
    found = RawDelivery.objects.select_related("endpoint").defer("body", "headers")
    if state:
        found = found.filter(state=state)
    if search:
        found = found.filter(sender_id__startswith=search)
    return found.order_by("-id")


def deliveries_wait() -> bool:
    """Whether any has come that nobody has looked at yet."""
    [(waits,)] = rows_read("SELECT EXISTS (SELECT 1 FROM crediting_rawdelivery WHERE state = 'pending')", [])
    return bool(waits)


def delivery_counts() -> Counter[str]:
    """How many deliveries stand in each state."""
    return _by_state(RawDelivery)


def item_counts(batch: RawDelivery) -> Counter[str]:
    """How many items of a batch stand in each state. Those that had come before stand by themselves."""
    rows = RawDelivery.objects.filter(parent=batch).values_list("state").annotate(rows=Count("id"))
    return Counter(dict(rows))


def _by_state(model: type[Model]) -> Counter[str]:
    return Counter(dict(model._default_manager.values_list("state").annotate(rows=Count("id"))))


def questions_of(delivery: RawDelivery) -> list[DataIssue]:
    """The open questions that a delivery waits for."""
    wanted = {(kind, value) for kind, value in delivery.waits_for}
    found = DataIssue.objects.filter(endpoint_id=delivery.endpoint_id, kind__in={kind for kind, _ in wanted})
    return [issue for issue in found if (issue.kind, issue.value) in wanted]


def standing_delivery(delivery: RawDelivery) -> RawDelivery | None:
    """The delivery that came first with the same sender's id, and stands."""
    found = RawDelivery.objects.filter(endpoint_id=delivery.endpoint_id, sender_id=delivery.sender_id)
    return found.exclude(state=RawDelivery.State.QUARANTINED).first()


def outcome(delivery: RawDelivery) -> tuple[Deal | None, str] | None:
    """The deal that a delivery told of, if any, and in a few words what it said; None where it told of nothing."""
    revision = DealRevision.objects.filter(delivery=delivery).first()
    if revision:
        key = {"endpoint_id": revision.endpoint_id, "external_id": revision.external_id}
        return Deal.objects.get(**key), f"a revision: {revision.stage}"
    fact = FactRevision.objects.filter(delivery=delivery).select_related("deal").first()
    return (fact.deal, fact_words(fact)) if fact else None


def fact_words(fact: Fact | FactRevision) -> str:
    """`go-live reached`, `5 of 20 used`, `invoice I-1`: what a fact says, without its day and money."""
    if fact.kind == "milestone":
        return f"{fact.type} {'reached' if fact.stands else 'taken back'}"
    if fact.kind == "transfer":
        return f"handed on{'' if fact.stands else ', taken back'}"
    back = "" if fact.stands else " taken back"
    used, contracted = (fact.values.get(name) for name in ("used", "contracted"))
    if fact.kind == "usage" and used is not None:
        return f"{int(used):,}{f' of {int(contracted):,}' if contracted else ''} used{back}"
    deal = f"{fact.deal.external_id}/" if fact.deal else ""
    words = [KIND_WORDS.get(fact.kind, fact.kind), fact.external_id.removeprefix(deal), fact.type]
    return " ".join(word for word in words if word) + back


@dataclass(frozen=True, slots=True)
class HandedOn:
    """A transfer of a deal that stands: who gives and who receives, in which role."""

    transfer: Fact
    role: str
    giver: Participant
    receiver: Participant

    @property
    def reason(self) -> str:
        return str(self.transfer.custom.get("reason", ""))


def transfers_of(deal: Deal) -> list[HandedOn]:
    """The transfers of a deal that stand, in the order of their days."""
    rows = Fact.objects.filter(deal=deal, kind="transfer", stands=True).order_by("day", "id")
    people: dict[int, list[FactTeam]] = defaultdict(list)
    for member in FactTeam.objects.filter(fact__in=rows).select_related("participant").order_by("place"):
        people[member.fact_id].append(member)
    return [
        HandedOn(row, giver.role, giver.participant, receiver.participant)
        for row in rows
        for giver, receiver in [people[row.pk]]
    ]


def credits_of(deal: Deal) -> QuerySet[Credit]:
    """The credit that stands for a deal and its facts, as far as the reader may see pay."""
    rows = Credit.objects.filter(deal=deal).select_related("participant", "plan", "plan_version")
    return rows.order_by("plan__name", "fact", "split", "rule", "role", "participant__name")


def held_by(deal: Deal) -> list[tuple[str, int]]:
    """Whoever has, or was handed, anything of a deal or of one of its facts: role and participant, each once."""
    own = DealTeam.objects.filter(deal=deal).order_by("place").values_list("role", "participant_id")
    of_facts = FactTeam.objects.filter(fact__deal_id=deal.pk, fact__stands=True).order_by("id")
    return list(dict.fromkeys([*own, *of_facts.values_list("role", "participant_id")]))


def stands_on(deal: Deal, participants: Iterable[int]) -> bool:
    """Whether one of these people is on the team of the deal or of one of its facts, now or in an earlier revision."""
    people = set(participants)
    if DealTeam.objects.filter(deal=deal, participant_id__in=people).exists():
        return True
    if FactTeam.objects.filter(fact__deal_id=deal.pk, participant_id__in=people).exists():
        return True
    teams = revisions(deal).values_list("team", flat=True)
    return any(member[1] in people for team in teams for member in team)


def revisions(deal: Deal) -> QuerySet[DealRevision]:
    """Everything that was said of a deal; the last one stands."""
    found = DealRevision.objects.filter(endpoint_id=deal.endpoint_id, external_id=deal.external_id)
    return found.order_by("version", "event_time", "sender_id", "id").select_related("product", "account")


def facts_of(deal: Deal) -> dict[str, list[tuple[FactRevision, bool]]]:
    """Everything said of a deal's facts, by kind, each with whether it is what stands of its fact."""
    rows = FactRevision.objects.filter(deal=deal).select_related("product", "delivery")
    found = list(rows.order_by("version", "event_time", "sender_id"))
    last = {(row.endpoint_id, row.kind, row.external_id): row.pk for row in found}
    kinds: dict[str, list[tuple[FactRevision, bool]]] = {}
    for row in sorted(found, key=lambda row: (row.day or date.max, row.external_id)):
        stands = last[row.endpoint_id, row.kind, row.external_id] == row.pk
        kinds.setdefault(row.kind, []).append((row, stands))
    return kinds
