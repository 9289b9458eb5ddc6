"""The database works out the digests of many lines; each is what the same lines have in canonical JSON by Python."""

from __future__ import annotations

import random
from datetime import date

import pytest

from comp.people.models import Participant
from crediting.models import Deal, HookEndpoint
from payouts.models import Batch, BatchLine, Statement
from payouts.reads.digests import batch_digests_of
from payouts.selectors_batches import line_facts, lines_digest, person_digests
from tests.finance.cast import JANUARY, World

#: What JSON escapes, what sorts otherwise in other collations, and what lies beyond 16 bits.
TEXTS = (
    "",
    "a",
    "B",
    "b",
    "é",
    "e\u0301",
    '"',
    "\\",
    "\t\n\r\b\f",
    "\x01\x1f\x7f",
    "/",
    "ß",
    "ﬀ",
    "𝄞",
    "\u2028",
    "z ",
    "ä|b",
    "1",
    "10",
)


@pytest.mark.django_db
def test_digests_are_the_same_by_sql_and_by_python(world: World) -> None:
    batch = world.submit()
    draw = random.Random(5)
    with world.scope():
        assert batch_digests_of(batch.pk).all == batch.digest == lines_digest(line_facts(batch_lines(batch)))
        endpoints = [
            HookEndpoint.objects.create(key=f"s{place}{text}"[:50], name="x", token=f"t{place}")
            for place, text in enumerate(TEXTS)
        ]
        deals = [
            Deal.objects.create(**{**world_deal(), "endpoint": draw.choice(endpoints), "external_id": f"{text}{place}"})
            for place, text in enumerate(TEXTS)
        ]
        people = [
            Participant.objects.create(
                key=f"{text or 'p'}{place % 3}", name="x", currency="USD", pay_group=world.group, starts_on=JANUARY
            )
            for place, text in enumerate(TEXTS)
        ]
        other = copy_of(batch)
        statement = Statement.objects.order_by("id").first()
        for number in range(300):
            deal = draw.choice([None, *deals])
            own = draw.choice([deal.pk if deal else 0, 0, 77])
            BatchLine.objects.create(
                batch=other,
                statement=statement,
                participant=draw.choice(people),
                pay_group=world.group,
                plan=world.plan,
                plan_version=world.version,
                deal=deal,
                fact=own,
                origin=draw.choice([0, deal.pk if deal else 0, 5]),
                rule=draw.choice(TEXTS),
                role=draw.choice(TEXTS),
                component=draw.choice(TEXTS),
                split=draw.randrange(-2, 12),
                index=draw.randrange(3),
                part=draw.choice([0, 0, 1]),
                line_kind=draw.choice([0, 0, 1, 2]),
                period=draw.choice([date(1970, 1, 1), JANUARY]),
                period_starts_on=JANUARY,
                origin_starts_on=draw.choice([JANUARY, date(2025, 12, 1)]),
                kind=draw.choice(["release", "adjustment"]),
                credit_date=JANUARY,
                amount_minor=draw.choice([-1, 0, 5, 10, 10**14 + number]),
                currency=draw.choice(["USD", "EUR"]),
            )
        facts = line_facts(batch_lines(other))
        found = batch_digests_of(other.pk)
        keys = dict(Participant.objects.values_list("id", "key"))
        assert (found.lines, found.all) == (300, lines_digest(facts))
        assert {keys[person]: digest for person, digest in found.people.items()} == person_digests(facts)


def batch_lines(batch: Batch):  # type: ignore[no-untyped-def]
    return BatchLine.objects.filter(batch=batch)


def copy_of(batch: Batch) -> Batch:
    return Batch.objects.create(
        pay_group=batch.pay_group, starts_on=date(2026, 5, 1), ends_on=date(2026, 6, 1), name="May", pay_on=JANUARY,
        people=0, lines=0, totals={}, digest="d",
    )  # fmt: skip


def world_deal() -> dict[str, object]:
    first = Deal.objects.order_by("id").first()
    assert first is not None
    return {
        field.attname: getattr(first, field.attname)
        for field in Deal._meta.concrete_fields
        if field.attname not in ("id", "external_id", "endpoint_id")
    }
