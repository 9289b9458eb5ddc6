"""Rows of a file about deals of which nothing stands yet: the most of a large file. They are stored as they come,
delivery, revision, deal and team by one statement, and are done with; whatever else is said of them than what is plain
goes the way of all deliveries (crediting.services.mailbox) and leads to the same. Callers hold the intake lock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from comp.people.selectors import convertible
from comp.tenancy.rows import rows_read
from comp.tenancy.selectors import own_currency
from crediting.intake import files
from crediting.intake.facts import DealFact
from crediting.intake.files import Said
from crediting.models import Deal, HookEndpoint, SourceMapping
from crediting.services.facts import deal_label
from crediting.services.loads import Spans, spans_widen
from crediting.services.names import Names, Word
from crediting.services.news import Around, Change, days_of_deal, told_of_deal

Kind = SourceMapping.Kind


@dataclass(frozen=True, slots=True)
class First:
    """A row that leaves no doubt, and whose names are known: who stands on the deal, in which role."""

    said: Said
    fact: DealFact
    product: int
    account: int
    role: str
    person: int

    @property
    def is_dated(self) -> bool:
        """Whether it can credit anything."""
        return any(True for _ in _dates(self.fact))


def firsts_of(endpoint: HookEndpoint, rows: Sequence[Said]) -> list[First]:
    """Of rows about things that nothing stands of, those that are deals, whose names are all known, and that leave
    nothing to be asked or worked out."""
    if endpoint.aligned_roles:
        return []
    at: int = endpoint.pk
    facts = [(row, files.deal_of(row.message)) for row in rows if row.kind == "deal"]
    names = Names({word for _, fact in facts for word in _words(at, fact)})
    own = own_currency()
    others = {fact.currency for _, fact in facts} - {"", own}
    currencies = {"", own, *(others & convertible(own) if others else ())}
    known: dict[Word, int | str | None] = {}

    def meant(kind: str, word: str) -> int | str | None:
        key = (at, kind, word)
        if key not in known:
            known[key] = names.get(*key)
        return known[key]

    found = []
    for row, fact in facts:
        [member] = fact.team
        product, account = meant(Kind.PRODUCT, fact.product), meant(Kind.ACCOUNT, fact.account)
        role, person = meant(Kind.ROLE, member.role), meant(Kind.OWNER, member.person)
        if product is None or account is None or role is None or person is None or fact.currency not in currencies:
            continue
        if fact.stage != "won" or fact.amount_minor is not None:
            found.append(First(row, fact, int(product), int(account), str(role), int(person)))
    return found


def firsts_store(
    firsts: Sequence[First], *, endpoint: int, parent: int, ids: Mapping[int, str], at: datetime
) -> dict[str, tuple[int, int]]:
    """Stores these rows as deliveries that are done, with the deals that they make; returns the numbers of deal and
    delivery by the source's id. `ids`: the deliveries' ids by line, `at`: the event time."""
    rows = [_row(one, ids[one.said.line], at) for one in firsts]
    stored = rows_read(_STORE, [json.dumps(rows, ensure_ascii=False), endpoint, parent, at, timezone.now()])
    return {key: (deal, delivery) for key, deal, delivery in stored}


def firsts_changes(firsts: Sequence[First], stored: Mapping[str, tuple[int, int]]) -> list[Change]:
    """The news of each of these deals."""
    around = Around(())
    changes: list[Change] = []
    for one in firsts:
        pk, delivery = stored[one.fact.deal]
        deal = _deal(pk, one.fact)
        changes += told_of_deal(deal, "deal", deal_label(deal), delivery, [[one.role, one.person, 1]], around=around)
    return changes


def firsts_spans(firsts: Sequence[First], spans: Spans) -> bool:
    """Adds the dates of these deals to `spans`; returns whether any of them was not within."""
    wider = False
    for one in firsts:
        wider |= spans_widen(spans, one.person, _dates(one.fact))
    return wider


def _dates(fact: DealFact) -> Iterator[tuple[str, str]]:
    """As `days_of_deal`, without the deal."""
    if fact.close_date:
        yield "close_date", fact.close_date.isoformat()
    if fact.engage_date:
        yield "engage_date", fact.engage_date.isoformat()
    if fact.values or fact.custom:
        stated = Deal(values=dict(fact.values), custom=dict(fact.custom))
        yield from days_of_deal(stated)


def _words(endpoint: int, fact: DealFact) -> list[Word]:
    [member] = fact.team
    return [
        (endpoint, Kind.PRODUCT, fact.product),
        (endpoint, Kind.ACCOUNT, fact.account),
        (endpoint, Kind.ROLE, member.role),
        (endpoint, Kind.OWNER, member.person),
    ]


def _row(one: First, sender_id: str, at: datetime) -> dict[str, object]:
    fact = one.fact
    return {
        "place": one.said.line,
        "sender_id": sender_id,
        "body": files.body(one.said.message, at).decode(),
        "external_id": fact.deal,
        "stage": fact.stage,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "close_date": fact.close_date.isoformat() if fact.close_date else None,
        "engage_date": fact.engage_date.isoformat() if fact.engage_date else None,
        "product_id": one.product,
        "account_id": one.account,
        "territory": fact.territory,
        "values": dict(fact.values),
        "custom": dict(fact.custom),
        "role": one.role,
        "person": one.person,
    }


def _deal(pk: int, fact: DealFact) -> Deal:
    """As much of it as news tells."""
    return Deal(
        id=pk,
        external_id=fact.deal,
        stage=fact.stage,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        close_date=fact.close_date,
        engage_date=fact.engage_date,
        values=dict(fact.values),
        custom=dict(fact.custom),
    )


#: The rows, the endpoint, the file's delivery, the event time and now.
_STORE = """
WITH told AS MATERIALIZED (
    SELECT current_setting('app.tenant')::bigint AS tenant_id, %s::json AS rows, %s::bigint AS endpoint_id,
        %s::bigint AS parent_id, %s::timestamptz AS event_time, %s::timestamptz AS now
), r AS MATERIALIZED (
    SELECT told.tenant_id, endpoint_id, parent_id, event_time, now, x.*
    FROM told, json_to_recordset(told.rows) AS x(place int, sender_id text, body text, external_id text, stage text,
        amount_minor bigint, currency text, close_date date, engage_date date, product_id bigint, account_id bigint,
        territory text, "values" jsonb, custom jsonb, role text, person bigint)
), delivery AS (
    INSERT INTO crediting_rawdelivery (tenant_id, endpoint_id, parent_id, place, sender_id, sent_at, received_at,
        processed_at, body, body_sha256, headers, state, attempts, error, waits_for)
    SELECT tenant_id, endpoint_id, parent_id, place, sender_id, event_time, now, now, convert_to(body, 'UTF8'),
        encode(sha256(convert_to(body, 'UTF8')), 'hex'), '{}', 'done', 1, '', '[]'
    FROM r ORDER BY place
    RETURNING id, sender_id
), revision AS (
    INSERT INTO crediting_dealrevision (tenant_id, endpoint_id, external_id, delivery_id, version, event_time,
        sender_id, stage, amount_minor, currency, close_date, engage_date, product_id, account_id, territory, "values",
        custom, team, derived, recorded_at)
    SELECT tenant_id, endpoint_id, external_id, delivery.id, 0, event_time, r.sender_id, stage, amount_minor, currency,
        close_date, engage_date, product_id, account_id, territory, "values", custom,
        jsonb_build_array(jsonb_build_array(role, person, 1)), 0, now
    FROM r JOIN delivery ON delivery.sender_id = r.sender_id ORDER BY place
    RETURNING id, external_id, delivery_id
), deal AS (
    INSERT INTO crediting_deal (tenant_id, endpoint_id, external_id, revision_id, revisions, version, event_time,
        sender_id, stage, amount_minor, currency, close_date, engage_date, product_id, account_id, territory, "values",
        custom, recorded_at)
    SELECT tenant_id, endpoint_id, external_id, revision.id, 1, 0, event_time, sender_id, stage, amount_minor, currency,
        close_date, engage_date, product_id, account_id, territory, "values", custom, now
    FROM r JOIN revision USING (external_id) ORDER BY place
    RETURNING id, external_id
), team AS (
    INSERT INTO crediting_dealteam (tenant_id, deal_id, close_date, place, role, participant_id, weight)
    SELECT tenant_id, deal.id, close_date, 0, role, person, 1 FROM r JOIN deal USING (external_id) ORDER BY r.place
)
SELECT external_id, deal.id, delivery_id FROM deal JOIN revision USING (external_id)
"""
