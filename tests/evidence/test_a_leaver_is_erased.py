"""A leaver's name and address go from everything that is kept; amounts, totals, digests and chains stay."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from comp.audit.models import AuditEntry
from comp.audit.services import record
from comp.core.errors import ProblemsError
from comp.outbox.services import work_once
from comp.people import erasure as erasing
from comp.people import services as people
from comp.people.models import Erasure, Participant, Redaction
from comp.people.selectors import today
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, User
from crediting.models import RawDelivery, SourceMapping
from crediting.services.issues import mapping_set
from payouts import verify
from payouts.models import Batch, BatchLine, Dispute, DisputeEntry, Earning, LedgerEntry, Statement
from payouts.services import disputes
from payouts.services.replay import replay_period
from plans import services as plans
from plans.models import Plan
from tests.factories import member
from tests.payouts.house import House, house

JANUARY = date(2026, 1, 1)
NAME, EMAIL = "Nora Quist-Öz", "nora.quist@acme.test"


def world() -> tuple[House, Participant]:
    """Nora sold and was paid; her name came by hooks, by hand and in notes; she has left since."""
    acme = house()
    user = member(acme.acme, Role.REPRESENTATIVE, NAME)
    User.objects.filter(pk=user.pk).update(email=EMAIL, username=EMAIL)
    user.refresh_from_db()
    with acme.acme.scope(acme.ops):
        nora = people.participant_create(
            key="E-1001", name=NAME, email=EMAIL, user=user, currency="USD", pay_group=acme.acme.pay_group,
            starts_on=JANUARY,
        )  # fmt: skip
        plans.assignment_set(participant=nora, plan=Plan.objects.get(key="worked"), starts_on=JANUARY)
        plans.quota_set(
            participant=nora, key="sales", starts_on=JANUARY, ends_on=date(2026, 4, 1), amount_minor=1000000,
            currency="USD",
        )  # fmt: skip
        people.position_set(
            participant=nora, title="Seller", credit_role=acme.acme.ae, team=None, territory=None, starts_on=JANUARY
        )
        mapping_set(endpoint=acme.crm.endpoint, kind="owner", value=NAME, target="E-1001", user=acme.ops)
        record(code="note", subject=nora, before={"said": f"of {NAME}"}, after={"to": EMAIL}, reason=f"{NAME} asked")
    acme.won("N-1", "60000.00", "2026-01-10", owner=NAME)
    acme.won("A-1", "50000.00", "2026-01-12")
    acme.work()
    acme.close(JANUARY)
    disputed(acme, nora, user)
    with acme.acme.scope(acme.ops):
        people.participant_change(participant=nora, ends_on=date(2026, 3, 1))
    acme.work()
    return acme, nora


def disputed(acme: House, nora: Participant, user: User) -> None:
    """She questioned a line by name; what was said and decided names her, and one is over."""
    for category in ("rate", "credit"):
        with acme.acme.scope(user):
            line = Earning.objects.filter(participant=nora).latest("id")
            asked = {"category": category, "expectation": f"{NAME} closed it alone, not half."}
            dispute = disputes.dispute_open(by=user, earning=line, **asked)
            disputes.dispute_say(dispute=dispute, by=user, words=f"Write to {EMAIL}.")
        with acme.acme.scope(acme.ops):
            disputes.dispute_take(dispute=dispute, by=acme.ops, owner=acme.ops, promised_on=today())
            if category == "rate":
                words = f"{NAME} is right."
                disputes.dispute_decide(dispute=dispute, by=acme.ops, decision="split", deal=line.deal, words=words)


def digests(of: House) -> dict[str, Any]:
    with of.acme.scope():
        return {
            "batches": list(Batch.objects.order_by("id").values_list("digest", "totals", "ledger_head")),
            "statements": list(Statement.objects.order_by("id").values_list("digest", "payout_minor")),
            "lines": list(BatchLine.objects.order_by("id").values_list("amount_minor", "trace")),
            "ledger": list(LedgerEntry.objects.order_by("id").values_list("account", "amount_minor")),
            "bodies": list(RawDelivery.objects.order_by("id").values_list("body_sha256", flat=True)),
            "chain": list(AuditEntry.objects.order_by("number").values_list("digest", flat=True)),
        }


def holding(cursor: Any, *words: str) -> list[str]:
    """Every column of every table, the libraries' too, that holds one of the words in any of its rows."""
    cursor.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea', 'ARRAY')"
    )
    found = []
    for table, column, kind in cursor.fetchall():
        text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
        for word in words:
            told = word.encode().decode("latin-1").encode("unicode_escape").decode() if kind == "bytea" else word
            cursor.execute(f'SELECT count(*) FROM "{table}" WHERE {text} ILIKE %s', [f"%{told}%"])
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return found


def checks(of: House) -> list[str]:
    with of.acme.scope():
        return [wrong for check in verify.CHECKS for wrong in check().wrong]


@pytest.mark.django_db(transaction=True)
def test_a_leaver_is_erased_and_every_digest_stays(superuser_connection: Any) -> None:
    acme, nora = world()
    with superuser_connection.cursor() as cursor:
        assert {"people_participant.name", "crediting_rawdelivery.body", "audit_auditentry.reason"} <= set(
            holding(cursor, "Nora Quist", EMAIL)
        )
    before, wrong_before = digests(acme), checks(acme)
    assert wrong_before == []

    with acme.acme.scope(acme.ops):
        seen = erasing.erasure_preview(nora)
        assert seen.stays == [] and seen.texts["audit_auditentry"] > 3 and seen.texts["crediting_rawdelivery"] == 1
        asked = erasing.erasure_ask(participant=nora, asked_by=acme.ops, reason=f"{NAME} asked us to")
        with pytest.raises(ProblemsError, match="somebody else"):
            erasing.erasure_approve(erasure=asked, approved_by=acme.ops)
        with pytest.raises(DatabaseError, match="erasure_two_people"), transaction.atomic():
            Erasure.objects.filter(pk=asked.pk).update(approved_by=acme.ops)
        refusal = pytest.raises(DatabaseError, match="no approved erasure")
        with refusal, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT comp_redact(%s, 'people_participant', %s, 'name', 'x')", [asked.pk, nora.pk])
    with acme.acme.scope(acme.other_ops):
        erasing.erasure_approve(erasure=asked, approved_by=acme.other_ops)
        # It takes out the person, and writes nothing else: no role, no currency, no text of its own.
        membership, entry = Membership.objects.earliest("id"), AuditEntry.objects.latest("number")
        for table, row, column, text, why in (
            ("tenancy_membership", membership.pk, "role", "administrator", "no text of a company"),
            ("payouts_statement", Statement.objects.earliest("id").pk, "currency", "EUR", "no text of a company"),
            ("audit_auditentry", entry.pk, "reason", "Nothing happened", "does not name Person"),
        ):
            refusal = pytest.raises(DatabaseError, match=why)
            with refusal, transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT comp_redact(%s, %s, %s, %s, %s)", [asked.pk, table, row, column, text.encode()])
    while work_once(acme.acme.tenant.pk):
        pass

    with acme.acme.scope():
        done = Erasure.objects.get()
        assert done.done_at is not None and done.counts["crediting_rawdelivery"] == 1
        last = AuditEntry.objects.get(code="participant.erase")
        assert last.after is not None and last.after["stays"] == []
        nora.refresh_from_db()
        assert (nora.name, nora.key, nora.user) == ("Person E-1001", "E-1001", None)
        assert not Membership.objects.filter(user__full_name="Person E-1001").exists()
        assert SourceMapping.objects.get(target="E-1001").value == "Person E-1001"
        first = Dispute.objects.earliest("number")
        assert (first.expectation, first.decision_words) == (
            "Person E-1001 closed it alone, not half.", "Person E-1001 is right."
        )  # fmt: skip
        said = DisputeEntry.objects.filter(kind="said").values_list("words", flat=True)
        assert {*said} == {f"Write to person-{nora.pk}@erased.invalid."}
    after = digests(acme)
    chain = before.pop("chain")
    assert after.pop("chain")[: len(chain)] == chain
    assert after == before
    assert checks(acme) == []
    with acme.acme.scope():
        assert replay_period(acme.acme.pay_group, JANUARY).found == []
    with superuser_connection.cursor() as cursor:
        assert holding(cursor, "Nora Quist", EMAIL) == []
        # Nothing hides behind an erasure: another change of a redacted entry is found.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER USER")
        with acme.acme.scope():
            row = Redaction.objects.filter(table="audit_auditentry", column="payload").values_list("row", flat=True)[0]
        cursor.execute("UPDATE audit_auditentry SET code = 'note.other' WHERE id = %s", [row])
        assert cursor.rowcount == 1
    assert [wrong for wrong in checks(acme) if "was changed" in wrong]


@pytest.mark.django_db
def test_who_cannot_be_erased() -> None:
    acme = house()
    with acme.acme.scope(acme.ops):
        with pytest.raises(ProblemsError, match="has not left"):
            erasing.erasure_ask(participant=acme.ann, asked_by=acme.ops, reason="She asked")
        people.participant_change(participant=acme.ann, ends_on=date(2026, 3, 1))
        with pytest.raises(ProblemsError, match="is a name"):
            erasing.erasure_ask(participant=acme.ann, asked_by=acme.ops, reason="She asked")
        with pytest.raises(ProblemsError, match="is an address"):
            people.participant_create(
                key="ann@acme.test", name="Ann Two", currency="USD", pay_group=acme.acme.pay_group, starts_on=JANUARY
            )
        assert erasing.erasures_due() == []
        erasing.retention_set(months=2)
        assert erasing.erasures_due() == [(acme.ann, date(2026, 5, 1))]
