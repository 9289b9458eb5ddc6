"""The mailbox: stored deliveries become facts, or questions. One writer a tenant, everything of one drain in one
transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from comp.core.errors import Problem
from comp.outbox.failures import PASSING
from comp.outbox.services import publish
from comp.tenancy.scope import Actor, Pay, tenant_scope
from comp.tenancy.selectors import own_currency
from crediting.intake.facts import AccountFact, DealFact, Event, Fact, MilestoneFact, UsageFact
from crediting.intake.standard import adapt
from crediting.models import RawDelivery, SourceMapping
from crediting.services.facts import (
    AccountRow,
    Change,
    DealRow,
    accounts_store,
    deal_changes,
    deals_known,
    deals_store,
    milestones_store,
    readings_store,
)
from crediting.services.issues import OF_DEALS, Question, questions_answer, questions_open
from crediting.services.locks import DRAIN_WAIT, intake_lock
from crediting.services.names import Names, Word

log = logging.getLogger(__name__)

State, Kind = RawDelivery.State, SourceMapping.Kind
ADAPTERS = {"standard": adapt}
#: Deliveries taken by one drain; changes told by one message.
LIMIT, TOLD = 500, 500


def mailbox_drain(tenant_id: int) -> int:
    """Takes up to LIMIT pending deliveries, in the order of their arrival. Returns how many; 0 when none is left.

    Also 0 while somebody else holds the intake lock: they look again when they are done, or ring, and this worker is
    free for other tenants meanwhile.
    """
    try:
        with tenant_scope(tenant_id, actor=Actor.task("mailbox"), pay=Pay.nobody()):
            if not RawDelivery.objects.filter(state=State.PENDING).exists():
                return 0
            intake_lock(wait=DRAIN_WAIT)
            pending = list(
                RawDelivery.objects.filter(state=State.PENDING).select_related("endpoint").order_by("id")[:LIMIT]
            )
            changes = _take_all(pending)
            for start in range(0, len(changes), TOLD):
                publish(topic="facts.changed", payload={"changes": changes[start : start + TOLD]})
            return len(pending)
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) == "55P03":  # lock_not_available
            return 0
        raise


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
    for delivery in pending:
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
    RawDelivery.objects.bulk_update(
        deliveries, ["state", "attempts", "processed_at", "waits_for", "error"], batch_size=LIMIT
    )
    questions_open(asked=asked)


class Take:
    """One batch on its way from deliveries to facts. `questions` collects, by delivery, what has to be asked first."""

    def __init__(self, deliveries: Sequence[RawDelivery]) -> None:
        self.deliveries = deliveries
        self.questions: dict[int, list[Question]] = {}
        self.parked: dict[int, str] = {}
        self.understood: list[tuple[RawDelivery, Event]] = []
        self.currency = own_currency()
        for delivery in deliveries:
            self._understand(delivery)

    def done(self) -> list[Change]:
        """Stores what can be stored, asks what must be asked, marks every delivery; returns what changed."""
        changes = self._accounts()
        self.names = Names(self._words())
        deals, known = self._deals()
        moved = deals_store(rows=deals, known=known)
        changes += deal_changes(moved)
        arrived: dict[int, list[str]] = {}
        for one in moved:
            arrived.setdefault(one.deal.endpoint_id, []).append(one.deal.external_id)
        for endpoint, values in arrived.items():
            questions_answer(endpoint_id=endpoint, kinds=OF_DEALS, values=values, answer="the deal's next event came")
        changes += milestones_store(rows=self._of_known_deals(MilestoneFact))
        changes += readings_store(rows=self._of_known_deals(UsageFact))
        self._mark()
        return changes

    def _understand(self, delivery: RawDelivery) -> None:
        found = ADAPTERS[delivery.endpoint.adapter](bytes(delivery.body))
        if isinstance(found, Event):
            self.understood.append((delivery, found))
            return
        first: Problem = found[0]
        message = f"Deliveries that are not as documented: {first}."
        self.questions[delivery.pk] = [Question("adapter", (first.path or "body")[:200], message)]
        self.parked[delivery.pk] = "\n".join(map(str, found))

    def _ask(self, delivery: RawDelivery, kind: str, value: str, message: str) -> None:
        self.questions.setdefault(delivery.pk, []).append(Question(kind, value, message))

    def _facts(self, kind: type[Fact]) -> list[tuple[RawDelivery, Event, Any]]:
        return [(delivery, event, event.fact) for delivery, event in self.understood if isinstance(event.fact, kind)]

    def _words(self) -> set[Word]:
        words: set[Word] = set()
        for delivery, _, fact in self._facts(DealFact):
            at = delivery.endpoint_id
            words |= {(at, Kind.PRODUCT, fact.product), (at, Kind.ACCOUNT, fact.account)}
            words |= {(at, Kind.OWNER, member.person) for member in fact.team}
            words |= {(at, Kind.ROLE, member.role) for member in fact.team}
        return words

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
            rows.append(AccountRow(delivery, event, key, fact.name, sector, fact.country))
        changes, added = accounts_store(rows=rows)
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
        """Deal events whose names are all known. One without an amount, or in another currency, is kept only as
        history: while it would be what stands it waits for the deal's next event."""
        rows = [row for delivery, event, fact in self._facts(DealFact) if (row := self._named(delivery, event, fact))]
        known = deals_known((d.endpoint_id, fact.deal) for d, _, fact in self._facts(DealFact))
        top = {key: (deal.version, deal.event_time, deal.sender_id) for key, deal in known.items()}
        for row in rows:
            if not self._doubt(row.fact) and (row.key not in top or row.order > top[row.key]):
                top[row.key] = row.order
        kept = []
        for row in rows:
            doubt = self._doubt(row.fact)
            if doubt and (row.key not in top or row.order > top[row.key]):
                self._ask(row.delivery, doubt.kind, doubt.value, doubt.message)
            else:
                kept.append(row)
        return kept, known

    def _named(self, delivery: RawDelivery, event: Event, fact: DealFact) -> DealRow | None:
        before = len(self.questions.get(delivery.pk, []))
        product = self._meaning(delivery, Kind.PRODUCT, fact.product, "product")
        account = self._meaning(delivery, Kind.ACCOUNT, fact.account, "account")
        team = [
            [
                self._meaning(delivery, Kind.ROLE, member.role, "credit role"),
                self._meaning(delivery, Kind.OWNER, member.person, "participant"),
                member.weight,
            ]
            for member in fact.team
        ]
        if len(self.questions.get(delivery.pk, [])) > before:
            return None
        return DealRow(delivery, event, fact, product, account, team)

    def _meaning(self, delivery: RawDelivery, kind: str, word: str, what: str) -> Any:
        found = self.names.get(delivery.endpoint_id, kind, word)
        if found is None:
            named = f"“{word}” is no {what} known here." if word else f"Deals came with an empty {kind}."
            self._ask(delivery, kind, word, named)
        return found

    def _doubt(self, fact: DealFact) -> Question | None:
        if fact.stage == "won" and fact.amount_minor is None:
            return Question(
                "amount", fact.deal, f"Deal {fact.deal} was won without an amount. Correct it at the source."
            )
        if fact.currency != self.currency:
            found = f"Deal {fact.deal} is in {fact.currency}; this company's deals are in {self.currency}."
            return Question("currency", fact.deal, f"{found} Correct it at the source.")
        return None

    def _of_known_deals(self, kind: type[Fact]) -> list[tuple[RawDelivery, Event, Any, Any]]:
        """Milestones or readings with their deal; those of a deal not yet known wait for it."""
        facts = self._facts(kind)
        known = deals_known((delivery.endpoint_id, fact.deal) for delivery, _, fact in facts)
        rows = []
        for delivery, event, fact in facts:
            deal = known.get((delivery.endpoint_id, fact.deal))
            if deal is None:
                self._ask(
                    delivery, "deal", fact.deal, f"Deal {fact.deal} has milestones or usage, and is not known yet."
                )
            else:
                rows.append((delivery, event, fact, deal))
        return rows

    def _mark(self) -> None:
        done = [delivery.pk for delivery in self.deliveries if delivery.pk not in self.questions]
        RawDelivery.objects.filter(id__in=done).update(
            state=State.DONE, attempts=F("attempts") + 1, processed_at=timezone.now(), waits_for=[], error=""
        )
        aside = [delivery for delivery in self.deliveries if delivery.pk in self.questions]
        if aside:
            _set_aside(self.questions, aside, self.parked)
