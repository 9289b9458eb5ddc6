"""The mailbox: stored deliveries become facts, or questions. One writer a tenant, everything of one drain in one
transaction."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from comp.core.errors import Problem
from comp.outbox.failures import PASSING, gives_way
from comp.people.selectors import convertible
from comp.tenancy.rows import models_read, rows_change, rows_read
from comp.tenancy.scope import Actor, Pay, tenant_scope
from comp.tenancy.selectors import own_currency
from crediting.intake.facts import AccountFact, DealFact, Event, Fact, Member, OtherFact, PersonFact, fact_key
from crediting.intake.source import Change as Said
from crediting.intake.source import Gap
from crediting.intake.sources import SOURCES
from crediting.models import HookEndpoint, RawDelivery, SourceMapping, SourceRecord
from crediting.services.alignment import deals_realign, rows_align, vacancies_note
from crediting.services.batches import split
from crediting.services.facts import (
    AccountRow,
    DealRow,
    Order,
    accounts_store,
    deal_changes,
    deals_known,
    deals_store,
)
from crediting.services.issues import (
    Question,
    deals_answered,
    gap_name,
    questions_answer,
    questions_leave,
    questions_open,
)
from crediting.services.loads import loads_release, moved_hold
from crediting.services.locks import DRAIN_WAIT, intake_lock
from crediting.services.names import Names, Word
from crediting.services.news import Change, Team, changes_tell
from crediting.services.other_facts import FactRow, facts_known, facts_store, lines_of
from crediting.services.people import PersonRow, people_store
from crediting.services.records import records_carry, records_fold, records_make, records_remember, records_whole
from crediting.services.uploads import upload_step

log = logging.getLogger(__name__)

State, Kind = RawDelivery.State, SourceMapping.Kind
#: Deliveries taken by one drain.
LIMIT = 500
#: While more wait, a process does a part of a file with each so many-th of its drains alone.
SELDOM = 20
#: Whether a part of a file waits to be checked or taken, and whether a delivery waits.
_WAITING = """
SELECT EXISTS (SELECT 1 FROM crediting_upload WHERE state IN ('checking', 'taking')),
    EXISTS (SELECT 1 FROM crediting_rawdelivery WHERE state = 'pending'),
    EXISTS (SELECT 1 FROM outbox_message WHERE done_at IS NULL AND NOT parked AND topic = 'facts.loaded')
"""
#: Bytes of the bodies that one drain takes, but for the first: calls of the API and sources' batches are large.
BYTES = 4 * 2**20
_FIRST = """id = ANY(ARRAY(
    SELECT id FROM (
        SELECT id, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before FROM (
            SELECT id, body FROM crediting_rawdelivery WHERE state = 'pending' ORDER BY id LIMIT %s
        ) w
    ) w WHERE before < %s
)) ORDER BY id"""
_WAITING_NUMBER = "SELECT count(*) FROM (SELECT 1 FROM crediting_rawdelivery WHERE state = 'pending' LIMIT %s) AS w"
_DONE = """
UPDATE crediting_rawdelivery
SET state = 'done', attempts = attempts + 1, processed_at = %s, waits_for = '[]', error = ''
WHERE id = ANY(%s::bigint[])
"""
_ASIDE = """
UPDATE crediting_rawdelivery d
SET state = w.state, attempts = w.attempts, processed_at = %s, waits_for = w.waits_for::jsonb, error = w.error
FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[]) AS w(id, state, attempts, waits_for, error)
WHERE d.id = w.id
"""


def mailbox_drain(tenant_id: int) -> int:
    """Does a part of a file that is being checked or taken in, and takes up to LIMIT pending deliveries, in the order
    of their arrival. Returns how many; 0 when nothing is left.

    Also 0 while somebody else holds the intake lock: they look again when they are done, or ring, and this worker is
    free for other tenants meanwhile.
    """
    try:
        with tenant_scope(tenant_id, actor=Actor.task("mailbox"), pay=Pay.nobody(), redone_if_lost=True):
            [(files, waits, held)] = rows_read(_WAITING, [])
            if not (files or waits or held):
                return 0
            intake_lock(wait=DRAIN_WAIT)
            if held:
                loads_release()
            rows, changes = upload_step(attempt=_attempt) if files and _is_files_turn(tenant_id) else (0, [])
            pending = _pending()
            changes_tell([*changes, *_take_all(pending)])
            return len(pending) or rows
    except OperationalError as error:
        if gives_way(error):
            return 0
        raise


#: How many drains of this process passed over a tenant's file, because more waited than they took.
_passed: Counter[int] = Counter()


def _is_files_turn(tenant_id: int) -> bool:
    """Whether a part of a file comes now: when little else waits, for what it leaves to be taken is taken before the
    next; and now and then where deliveries never end, for no period is closed before its news is told."""
    [(waiting,)] = rows_read(_WAITING_NUMBER, [LIMIT])
    if waiting < LIMIT:
        return True
    _passed[tenant_id] += 1
    return _passed[tenant_id] % SELDOM == 0


def _pending() -> list[RawDelivery]:
    """The deliveries that wait longest, so many as one drain takes, with their endpoints."""
    pending = models_read(RawDelivery, _FIRST, [LIMIT, BYTES])
    endpoints = {delivery.endpoint_id for delivery in pending}
    found = {one.pk: one for one in models_read(HookEndpoint, "id = ANY(%s::bigint[])", [list(endpoints)])}
    for delivery in pending:
        delivery.endpoint = found[delivery.endpoint_id]
    return pending


def _attempt(deliveries: Sequence[RawDelivery]) -> tuple[list[Change], list[Question]]:
    """What taking these deliveries changes and asks. Callers undo it."""
    take = Take(deliveries)
    changes = take.done()
    return changes, [question for asked in take.questions.values() for question in asked]


def _take_all(pending: Sequence[RawDelivery]) -> list[Change]:
    """All at once; if the database refuses something, one by one, so that only the one it refuses is parked."""
    if not pending:
        return []
    try:
        with transaction.atomic():
            return Take(pending).done()
    except PASSING:
        raise  # the server, not a delivery
    except Exception:
        log.exception("a drain of %s deliveries failed; taking them one by one", len(pending))
    changes: list[Change] = []
    # Read anew: what was tried and rolled back had already marked the deliveries.
    ids = [delivery.pk for delivery in pending]
    for delivery in RawDelivery.objects.filter(pk__in=ids).select_related("endpoint").order_by("id"):
        try:
            with transaction.atomic():
                changes += Take([delivery]).done()
        except PASSING:
            raise
        except Exception as error:
            log.exception("delivery %s failed", delivery.pk)
            name = type(error).__name__
            question = Question("adapter", f"storing: {name}", f"Deliveries could not be stored: {name}.")
            _set_aside({delivery.pk: [question]}, [delivery], {delivery.pk: f"{name}: {error}"[:2000]})
    return changes


def _set_aside(questions: dict[int, list[Question]], deliveries: Sequence[RawDelivery], parked: dict[int, str]) -> None:
    """Deliveries that wait for answers, or are `parked` with what is wrong with them."""
    now = timezone.now()
    asked = []
    for delivery in deliveries:
        own = list({(q.kind, q.value): q for q in questions[delivery.pk]}.values())
        asked += [(delivery, question) for question in own]
        delivery.state = State.PARKED if delivery.pk in parked else State.WAITING
        delivery.attempts, delivery.processed_at = delivery.attempts + 1, now
        delivery.waits_for = [[question.kind, question.value] for question in own]
        delivery.error = parked.get(delivery.pk) or "\n".join(question.message for question in own)
    columns = zip(*((d.pk, d.state, d.attempts, json.dumps(d.waits_for), d.error) for d in deliveries), strict=True)
    rows_change(_ASIDE, [now, *map(list, columns)])
    questions_open(asked=asked)


class Take:
    """One batch on its way from deliveries to facts. `questions` collects, by delivery, what has to be asked first.
    `records` are made again beside those that the deliveries speak of (crediting.services.records)."""

    def __init__(self, deliveries: Sequence[RawDelivery], records: Sequence[SourceRecord] = ()) -> None:
        self.deliveries = list(deliveries)
        self.records = records
        self.said: list[tuple[RawDelivery, Sequence[Said]]] = []
        self.again: list[RawDelivery] = []
        self.gaps: list[tuple[RawDelivery, Gap]] = []
        self.left: list[tuple[int, str, str]] = []
        self.carriers: dict[int, RawDelivery] = {}
        self.mapped: list[tuple[SourceRecord, Event, str]] = []
        self.questions: dict[int, list[Question]] = {}
        self.parked: dict[int, str] = {}
        self.batches: list[int] = []
        self.understood: list[tuple[RawDelivery, Event]] = []
        self.accounts: set[tuple[int, str, str]] = set()
        self.currency = own_currency()
        for delivery in deliveries:
            self._understand(delivery)

    def done(self) -> list[Change]:
        """Stores what can be stored, asks what must be asked, marks every delivery; returns what changed."""
        if self.said or self.again or self.records:
            self._records()
        if self.gaps:
            self._gaps()
        self._people()
        changes = self._accounts()
        self.names = Names(self._words())
        deals, known = self._deals()
        moved = deals_store(rows=rows_align(deals), known=known)
        vacancies_note([one for one in moved if one.deal.aligned or (one.was and one.was.aligned)])
        changes += deal_changes(moved_hold(moved))
        deals_answered((one.deal.endpoint_id, one.deal.external_id) for one in moved)
        lines, standing = lines_of(deals)
        changes += facts_store(rows=lines, known=standing)[0]
        facts, known_facts = self._others()
        told, other = facts_store(rows=facts, known=known_facts)
        changes += told
        for endpoint, values in _grouped((fact.endpoint_id, f"{fact.kind} {fact.external_id}"[:200]) for fact in other):
            questions_answer(endpoint_id=endpoint, kinds=["currency"], values=values, answer="its next event came")
        if self.mapped:
            stored = {(row.delivery.pk, "deal", row.fact.deal) for row in deals}
            stored |= {(row.delivery, row.fact.kind, row.fact.id) for row in facts} | self.accounts
            records_remember(one for one in self.mapped if (one[0].carrier_id, *fact_key(one[1].fact)) in stored)
        self._mark()
        questions_leave(left=self.left)
        return changes

    def _records(self) -> None:
        """What is said of a source's records is folded into them, all of it first; what they are now is then taken as
        if it had been sent."""
        to_make, overtaken = records_carry(records_fold(self.said), self.again, self.records)
        came = {(d.endpoint_id, gap_name(one)) for d, changes in self.said for one in changes if one.whole or one.gone}
        for endpoint, values in _grouped(came):  # those that it does not cover ask again
            questions_answer(endpoint_id=endpoint, kinds=["gap"], values=values, answer="the record came whole")
        taken = {delivery.pk for delivery in self.deliveries}
        self.left = [(d.endpoint_id, kind, value) for d in overtaken for kind, value in d.waits_for]
        self.deliveries += [delivery for delivery in overtaken if delivery.pk not in taken]
        self.carriers = {record.carrier_id: record.carrier for record in to_make}
        making = records_make(to_make)
        self.understood += making.events
        self.mapped = making.made
        for delivery, question in making.questions:
            self.questions.setdefault(delivery.pk, []).append(question)

    def _gaps(self) -> None:
        """Records that have to come again: a question each, but for those that came whole since."""
        keys = [(delivery.endpoint_id, gap.object, gap.id) for delivery, gap in self.gaps]
        whole = records_whole(keys)
        for (delivery, gap), key in zip(self.gaps, keys, strict=True):
            if key not in whole or whole[key] < gap.at:
                self._ask(delivery, "gap", gap_name(gap), f"{gap_name(gap)}: {gap.message}")

    @cached_property
    def converted(self) -> set[str]:
        """The other currencies that a rate of exchange leads from."""
        return convertible(self.currency)

    def _understand(self, delivery: RawDelivery) -> None:
        if delivery.folded:
            self.again.append(delivery)
            return
        source = SOURCES[delivery.endpoint.adapter]
        body = bytes(delivery.body)
        parts = source.items(body) if delivery.parent_id is None else None
        if parts is not None and not isinstance(parts, Problem):
            split(delivery, parts)
            self.batches.append(delivery.pk)
            return
        found = [parts] if isinstance(parts, Problem) else source.read(body)
        if isinstance(found, Event):
            self.understood.append((delivery, found))
            return
        problems = [each for each in found if isinstance(each, Problem)]
        if problems:
            message = f"Deliveries that are not as documented: {problems[0]}."
            self.questions[delivery.pk] = [Question("adapter", (problems[0].path or "body")[:200], message)]
            self.parked[delivery.pk] = "\n".join(map(str, problems))
            return
        self.gaps += [(delivery, each) for each in found if isinstance(each, Gap)]
        changes = [each for each in found if isinstance(each, Said)]
        if changes:
            self.said.append((delivery, changes))

    def _ask(self, delivery: RawDelivery, kind: str, value: str, message: str) -> None:
        self.questions.setdefault(delivery.pk, []).append(Question(kind, value, message))

    def _facts(self, kind: type[Fact]) -> list[tuple[RawDelivery, Event, Any]]:
        return [(delivery, event, event.fact) for delivery, event in self.understood if isinstance(event.fact, kind)]

    def _words(self) -> set[Word]:
        """Every word of deals, their lines and other facts. An empty one is a question for a deal alone."""
        words: set[Word] = set()
        for delivery, _, fact in self._facts(DealFact):
            at = delivery.endpoint_id
            words |= {(at, Kind.PRODUCT, fact.product), (at, Kind.ACCOUNT, fact.account)}
            words |= _team_words(at, fact.team)
            for line in fact.lines or ():
                words |= _fact_words(at, line)
        for delivery, _, fact in self._facts(OtherFact):
            words |= _fact_words(delivery.endpoint_id, fact)
        return words

    def _people(self) -> None:
        """People before all that names them."""
        facts = self._facts(PersonFact)
        if not facts:
            return
        names = Names((delivery.endpoint_id, Kind.ROLE, fact.role) for delivery, _, fact in facts)
        rows = []
        for delivery, event, fact in facts:
            role = names.get(delivery.endpoint_id, Kind.ROLE, fact.role)
            if not delivery.endpoint.carries_people:
                message = "This endpoint may not say who works here. Allow it in its settings, if it is meant to."
                self._ask(delivery, "people", "", message)
            elif role is None:
                self._ask(delivery, Kind.ROLE, fact.role, f"“{fact.role}” is no credit role known here.")
            else:
                rows.append(PersonRow(delivery, event, replace(fact, role=role)))
        for delivery, question in people_store(rows=rows):
            self.questions.setdefault(delivery.pk, []).append(question)

    def _accounts(self) -> list[Change]:
        """Accounts before deals: a deal may name one that came with it."""
        facts = self._facts(AccountFact)
        if not facts:
            return []
        words = {(d.endpoint_id, Kind.SECTOR, fact.sector) for d, _, fact in facts}
        names = Names(words | {(d.endpoint_id, Kind.ACCOUNT, fact.account) for d, _, fact in facts})
        keys = names.keys_of_accounts()
        rows = []
        for delivery, event, fact in facts:
            sector = names.get(delivery.endpoint_id, Kind.SECTOR, fact.sector) if fact.sector else ""
            if sector is None:
                self._ask(delivery, Kind.SECTOR, fact.sector, f"The sector “{fact.sector}” has not been seen before.")
                continue
            account = names.get(delivery.endpoint_id, Kind.ACCOUNT, fact.account)
            key = keys[account] if account else fact.account
            rows.append(AccountRow(delivery, event, key, fact.name, sector, fact.country, fact.state, fact.postal))
            self.accounts.add((delivery.pk, "account", fact.account))
        changes, added = accounts_store(rows=rows)
        moved = Q(account__key__in=[row.key for row in rows if row.key not in added])
        changes += deals_realign(of=moved, why="where its customer is")
        for row in rows:
            if row.key in added:
                questions_answer(
                    endpoint_id=row.delivery.endpoint_id,
                    kinds=[Kind.ACCOUNT],
                    values=[row.key, row.name],
                    answer="the account came",
                )
        return changes

    def _deals(self) -> tuple[list[DealRow], dict[tuple[int, str], Any]]:
        """Deal events whose names are all known, and that leave no doubt."""
        rows = [row for delivery, event, fact in self._facts(DealFact) if (row := self._named(delivery, event, fact))]
        known = deals_known((d.endpoint_id, fact.deal) for d, _, fact in self._facts(DealFact))
        top = {key: (deal.version, deal.event_time, deal.sender_id) for key, deal in known.items()}
        sure = self._without_doubt([(row.key, row.order, row.delivery, row.fact) for row in rows], top)
        return [row for row, kept in zip(rows, sure, strict=True) if kept], known

    def _without_doubt(
        self, said: Sequence[tuple[Any, Order, RawDelivery, DealFact | OtherFact]], top: dict[Any, Order]
    ) -> list[bool]:
        """Whether each event may be stored. One without an amount, or in another currency, is kept only as history:
        while it would be what stands it waits for the next event of its thing."""
        doubts = [self._doubt(fact) for _, _, _, fact in said]
        for (key, order, _, _), doubt in zip(said, doubts, strict=True):
            if doubt is None and (key not in top or order > top[key]):
                top[key] = order
        kept = []
        for (key, order, delivery, _), doubt in zip(said, doubts, strict=True):
            waits = doubt is not None and (key not in top or order > top[key])
            if waits and doubt is not None:
                self._ask(delivery, doubt.kind, doubt.value, doubt.message)
            kept.append(not waits)
        return kept

    def _named(self, delivery: RawDelivery, event: Event, fact: DealFact) -> DealRow | None:
        before = len(self.questions.get(delivery.pk, []))
        product = self._meaning(delivery, Kind.PRODUCT, fact.product, "product")
        account = self._meaning(delivery, Kind.ACCOUNT, fact.account, "account")
        left = self._left_open(delivery, fact)
        team = self._team(delivery, [one for one in fact.team if one not in left])
        lines = [
            (self._meaning_or_none(delivery, Kind.PRODUCT, line.product, "product"), self._team(delivery, line.team))
            for line in fact.lines or ()
        ]
        if len(self.questions.get(delivery.pk, [])) > before:
            return None
        by_alignment = [role for role in delivery.endpoint.aligned_roles if role not in {one[0] for one in team}]
        return DealRow(delivery, event, fact, product, account, team, lines, by_alignment)

    def _left_open(self, delivery: RawDelivery, fact: DealFact) -> list[Member]:
        """Members without a person whom the alignment gives."""
        roles, at = delivery.endpoint.aligned_roles, delivery.endpoint_id
        return [one for one in fact.team if not one.person and self.names.get(at, Kind.ROLE, one.role) in roles]

    def _others(self) -> tuple[list[FactRow], dict[tuple[int, str, str], Any]]:
        """Other facts whose names and deals are all known, and that leave no doubt."""
        facts = self._facts(OtherFact)
        if not facts:
            return [], {}
        deals = deals_known((_deals_of(delivery), fact.deal) for delivery, _, fact in facts if fact.deal)
        rows, deliveries = [], []
        for delivery, event, fact in facts:
            row = self._fact_row(delivery, event, fact, deals)
            if row:
                rows.append(row)
                deliveries.append(delivery)
        known = facts_known(row.key for row in rows)
        top = {key: (fact.version, fact.event_time, fact.sender_id) for key, fact in known.items()}
        said = [(row.key, row.order, delivery, row.fact) for row, delivery in zip(rows, deliveries, strict=True)]
        return [row for row, kept in zip(rows, self._without_doubt(said, top), strict=True) if kept], known

    def _fact_row(
        self, delivery: RawDelivery, event: Event, fact: OtherFact, deals: dict[tuple[int, str], Any]
    ) -> FactRow | None:
        before = len(self.questions.get(delivery.pk, []))
        deal = deals.get((_deals_of(delivery), fact.deal))
        if fact.deal and deal is None:
            what = {"milestone": "milestones", "usage": "usage"}.get(fact.kind, f"a fact ({fact.kind})")
            self._ask(delivery, "deal", fact.deal, f"Deal {fact.deal} has {what}, and is not known yet.")
        account = self._meaning_or_none(delivery, Kind.ACCOUNT, fact.account, "account")
        product = self._meaning_or_none(delivery, Kind.PRODUCT, fact.product, "product")
        team = self._team(delivery, fact.team)
        if len(self.questions.get(delivery.pk, [])) > before:
            return None
        order = event.version, event.at, delivery.sender_id
        at, of = delivery.endpoint_id, deal.pk if deal else None
        return FactRow(at, delivery.pk, order, fact, of, account, product, team)

    def _team(self, delivery: RawDelivery, team: Sequence[Member]) -> Team:
        return [
            [
                self._meaning(delivery, Kind.ROLE, member.role, "credit role"),
                self._meaning(delivery, Kind.OWNER, member.person, "participant"),
                member.weight,
            ]
            for member in team
        ]

    def _meaning_or_none(self, delivery: RawDelivery, kind: str, word: str, what: str) -> Any:
        return self._meaning(delivery, kind, word, what) if word else None

    def _meaning(self, delivery: RawDelivery, kind: str, word: str, what: str) -> Any:
        found = self.names.get(delivery.endpoint_id, kind, word)
        if found is None:
            named = f"“{word}” is no {what} known here." if word else f"Deals came with an empty {kind}."
            self._ask(delivery, kind, word, named)
        return found

    def _doubt(self, fact: DealFact | OtherFact) -> Question | None:
        if isinstance(fact, OtherFact):
            name, called = f"{fact.kind} {fact.id}", f"The {fact.kind} {fact.id}"
        else:
            name, called = fact.deal, f"Deal {fact.deal}"
            if fact.stage == "won" and fact.amount_minor is None:
                return Question("amount", name, f"{called} was won without an amount. Correct it at the source.")
        if fact.currency not in ("", self.currency) and fact.currency not in self.converted:
            found = f"{called} is in {fact.currency}, from which no rate leads to {self.currency}."
            return Question("currency", name[:200], f"{found} Set a rate of exchange, or correct it at the source.")
        return None

    def _mark(self) -> None:
        taken = {*self.questions, *self.batches}
        done = [delivery.pk for delivery in self.deliveries if delivery.pk not in taken]
        rows_change(_DONE, [timezone.now(), done])
        marked = {delivery.pk: delivery for delivery in self.deliveries} | self.carriers
        aside = [delivery for delivery in marked.values() if delivery.pk in self.questions]
        if aside:
            _set_aside(self.questions, aside, self.parked)


def _grouped(pairs: Iterable[tuple[int, str]]) -> Iterable[tuple[int, list[str]]]:
    """(endpoint, value) by endpoint."""
    found: dict[int, list[str]] = {}
    for endpoint, value in pairs:
        found.setdefault(endpoint, []).append(value)
    return found.items()


def _deals_of(delivery: RawDelivery) -> int:
    """The endpoint whose deals a delivery's facts belong to."""
    return delivery.endpoint.deals_from_id or delivery.endpoint_id


def _team_words(endpoint: int, team: Sequence[Member]) -> set[Word]:
    return {
        word for member in team for word in ((endpoint, Kind.OWNER, member.person), (endpoint, Kind.ROLE, member.role))
    }


def _fact_words(endpoint: int, fact: OtherFact) -> set[Word]:
    named = ((Kind.PRODUCT, fact.product), (Kind.ACCOUNT, fact.account))
    return {(endpoint, kind, word) for kind, word in named if word} | _team_words(endpoint, fact.team)
