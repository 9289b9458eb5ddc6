"""Ten people, three months, two systems: every difference has its cause, and the one that has none is explained by
somebody before the switch is signed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import Error, connection, transaction
from django.test import Client
from psycopg2.extensions import connection as Connection

from comp.core.errors import ProblemsError
from comp.outbox.services import publish
from comp.people.models import Erasure
from comp.people.rates import rate_set
from comp.people.services import participant_change
from payouts.kernel.tieout import KINDS, Line, tied
from payouts.models import (
    CutOver,
    Earning,
    Explanation,
    LargeStep,
    LegacyFile,
    LegacyLine,
    Opening,
    OpeningFile,
    OpeningTranche,
    ParallelRun,
    TieOut,
)
from payouts.reads import parallel as reads
from payouts.services import large, parallel
from payouts.services.adjustments import Wanted, adjustment_approve, adjustment_prepare, adjustment_submit
from payouts.services.attachments import File
from payouts.services.negatives import negative_policy_set
from payouts.services.parallel_file import kinds_read, statements_read
from plans import services as plans
from plans.models import Plan
from tests.factories import person, published
from tests.payouts.house import House, house, plan_text
from tests.people.test_front_door import signed_in

JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in range(1, 5))
#: Ann and Bob are there already.
PEOPLE = ("Cara", "Dan", "Eve", "Gil", "Hal", "Ida", "Jon", "Kim")
CONVERTS = plan_text().replace("credit_rules:", "currencies: {pay_rate: credit_date}\ncredit_rules:", 1)
CAPPED = CONVERTS.replace("key: worked", "key: capped") + (
    "settlement:\n  order: [releases, adjustments, clawbacks, carried, cap]\n"
    "  cap: {amount: 400.00, excess: lost}\n  negative: carried\n"
)
#: Deals by day: each pays a tenth of it.
DEALS = (
    ("A1", "ann", "1000.00", "01-10"), ("A2", "ann", "2000.00", "02-10"), ("A3", "ann", "3000.00", "03-10"),
    ("B1", "bob", "1000.00", "01-11"), ("C1", "cara", "1000.00", "01-12"), ("C2", "cara", "500.00", "01-13"),
    ("D1", "dan", "1000.00", "02-12"), ("D2", "dan", "800.00", "02-13"), ("E1", "eve", "1000.00", "03-12"),
    ("E2", "eve", "700.00", "03-13"), ("G1", "gil", "4000.00", "02-01"), ("H1", "hal", "1000.10", "01-14"),
    ("J1", "jon", "9000.00", "03-01"), ("K1", "kim", "5000.00", "02-20"), ("K2", "kim", "600.00", "03-20"),
)  # fmt: skip
HEADER = "employee,period,amount,kind,component,deal,credited,rate\n"
STATEMENTS = HEADER + "\n".join(
    (
        "ann,2026-01-31,100.00,commission,commission,A1,,",
        "ann,2026-02-28,200.00,commission,commission,A2,,",
        "ann,2026-03-31,300.00,commission,commission,A3,,",
        "bob,2026-01-31,100.00,commission,commission,B1,,",
        "bob,2026-01-31,77.00,commission,commission,B9,,",  # no such deal
        "cara,2026-01-31,100.00,commission,,C1,,",  # and C2 is missing
        "dan,2026-02-28,120.00,Kicker,,D1,1000.00,",  # 12% of the same
        "dan,2026-02-28,90.00,commission,,D2,,",  # they do not say of what
        "eve,2026-03-31,150.00,commission,,E1,1500.00,",  # credited with more
        "eve,2026-03-31,30.00,commission,,A3,,",  # Comp credits it to Ann alone
        "gil,2026-01-31,400.00,commission,,G1,,",  # a month before Comp
        "hal,2026-01-31,100.02,commission,,H1,,",
        "ida,2026-02-28,120.00,commission,,I1,,1.20",
        "jon,2026-03-31,900.00,commission,,J1,,",  # no cap there
        "kim,2026-02-28,450.00,,,,,",  # a total, 50.00 less
        "kim,2026-03-31,60.00,total,,,,",
        "old-1,2026-01-31,12.34,,,,,",
    )
)  # fmt: skip


@pytest.fixture
def acme(db: None) -> House:
    built = house(CONVERTS)
    company = built.acme
    with company.scope(built.ops):
        people = {name.lower(): person(company, name) for name in PEOPLE}
        people["bob"] = type(built.ann).objects.get(key="bob")
        published("capped", ops=built.ops, other=built.other_ops, text=CAPPED)
        for key, who in people.items():
            plan = Plan.objects.get(key="capped" if key == "jon" else "worked")
            plans.assignment_set(participant=who, plan=plan, starts_on=JANUARY)
            plans.quota_set(participant=who, key="sales", starts_on=JANUARY, ends_on=APRIL, amount_minor=10_000_000,
                            currency="USD")  # fmt: skip
        rate_set(source="EUR", target="USD", kind="spot", starts_on=JANUARY, rate="1.10")
    for key, owner, amount, day in DEALS:
        built.won(key, amount, f"2026-{day}", owner=owner)
    built.won("I1", "1000.00", "2026-02-15", owner="ida", currency="EUR")
    built.work()
    return built


@pytest.fixture
def of_itself(owner_connection: Connection) -> Iterator[None]:
    """Without what else the database asks of a switch that is signed: only that it is tied out."""
    with owner_connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payouts_cutover DISABLE TRIGGER cutover_moves")
        yield
        cursor.execute("ALTER TABLE payouts_cutover ENABLE ALWAYS TRIGGER cutover_moves")


def cut_over(acme: House) -> CutOver:
    with acme.acme.scope(acme.preparer):
        return CutOver.objects.create(
            pay_group=acme.acme.pay_group, source="Xactly", day=APRIL, prepared_by=acme.preparer
        )


def taken(acme: House, of: CutOver, text: str, name: str = "statements.csv") -> LegacyFile:
    with acme.acme.scope(acme.preparer):
        kinds = kinds_read("Kicker = commission")
        found = statements_read(text, cut_over=of, kinds=kinds)
        assert not found.wrong, found.wrong
        return parallel.file_take(
            cut_over=of, name=name, digest=name, lines=found.lines, kinds=kinds, by=acme.preparer
        )  # fmt: skip


def rows(acme: House, of: CutOver) -> dict[tuple[str, int], Any]:
    """By employee and month."""
    with acme.acme.scope():
        return {(row.person, row.period_starts_on.month): row for row in reads.ties(of)}


def test_every_difference_has_its_cause_and_the_rest_is_explained_before_the_switch(
    of_itself: None, acme: House
) -> None:
    of = cut_over(acme)
    with acme.acme.scope(acme.preparer):
        parallel.rounding_set(cut_over=of, minor=1, by=acme.preparer)
    file = taken(acme, of, STATEMENTS)
    found = rows(acme, of)
    causes = {at: row.causes for at, row in found.items() if row.causes}
    assert causes == {
        ("bob", 1): {"missing_here": -7700},
        ("cara", 1): {"missing_there": 5000},
        ("dan", 2): {"rate": -2000, "amount": -1000},
        ("eve", 3): {"credit": -5000, "only_theirs": -3000, "missing_there": 7000},
        ("gil", 1): {"timing": -40000},
        ("gil", 2): {"timing": 40000},
        ("hal", 1): {"rounding": -1},
        ("ida", 2): {"exchange": -1000},
        ("jon", 3): {"settlement": -50000},
        ("kim", 2): {"rest": 5000},
        ("old-1", 1): {"stranger": -1234},
    }
    for row in found.values():
        assert sum(row.causes.values()) == row.ours_minor - row.theirs_minor == sum(p["minor"] for p in row.parts)
    assert (found["kim", 2].theirs_minor, found["kim", 2].ours_minor, found["kim", 2].open) == (45000, 50000, 5000)
    assert {reads.state_of(row) for at, row in found.items() if at[0] == "ann"} == {"alike"}
    company = acme.acme
    with company.scope(acme.preparer):
        assert str(reads.progress(of)) == "10 of 11 people tied out"
        assert parallel.parallel_open(of) == ["$50.00 in 1 statement is unexplained; 10 of 11 people tied out."]
        _explains(acme, found["kim", 2])
        assert parallel.parallel_open(of) == []
    # A late deal moves the figure that was explained: until it is tied out again, and explained again, nothing goes on.
    acme.won("K3", "100.00", "2026-02-21", owner="kim")
    acme.work()
    with company.scope(acme.preparer):
        assert any("moved since" in reason for reason in parallel.parallel_open(of))
        parallel.tie_out(cut_over=of, by=acme.preparer)
        moved = reads.ties(of).get(person="kim", period_starts_on=FEBRUARY)
        assert (moved.pk, reads.state_of(moved), moved.rest_minor) == (found["kim", 2].pk, "stale", 6000)
        assert len(parallel.parallel_open(of)) == 1
    with company.scope(), pytest.raises(Error, match="the difference of kim from 2026-02-01 is unexplained"):
        _signed(acme, of)
    with company.scope(acme.preparer):
        parallel.explain(row=moved, amount_minor=6000, cause="their_error", note="K3 came late", by=acme.preparer)
        assert parallel.parallel_open(of) == []
        assert Explanation.objects.filter(taken_back_at=None).count() == 1
        # Without the file nothing is compared any more; with it, all is as it was.
        parallel.file_take_back(file=file, by=acme.preparer)
        assert not TieOut.objects.exists() and LegacyLine.objects.count() == 17
        with pytest.raises(parallel.ParallelError, match="already"):
            parallel.file_take_back(file=file, by=acme.preparer)
    again = taken(acme, of, STATEMENTS, "again.csv")
    with company.scope(acme.preparer):
        assert parallel.parallel_open(of) == [] and again.rows == 17
        said = reads.totals(of)
        assert [(row["starts_on"], row["theirs"], row["ours"], row["open"]) for row in said] == [
            (JANUARY, 88_936, 45_001, 0), (FEBRUARY, 98_000, 140_000, 0), (MARCH, 144_000, 93_000, 0),
        ]  # fmt: skip
        # What is brought forward stands for the facts of its quarter; the run still goes by the facts.
        before = TieOut.objects.order_by("pk").values_list("person", "period_starts_on", "ours_minor", "causes")
        stood = list(before)
        _opened(acme, of)
    acme.work()
    with company.scope(acme.preparer):
        assert not Earning.objects.filter(participant=acme.ann, line_kind=0).exclude(earned_minor=0).exists()
        parallel.tie_out(cut_over=of, by=acme.preparer)
        assert list(before.all()) == stood and parallel.parallel_open(of) == []
        TieOut.objects.filter(person="bob").delete()
        with pytest.raises(Error, match="the statement of bob from 2026-01-01 is not tied out"):
            _signed(acme, of)
        parallel.tie_out(cut_over=of, by=acme.preparer)
        _signed(acme, of)
        with pytest.raises(parallel.ParallelError, match="it is signed"):
            parallel.tie_out(cut_over=of, by=acme.preparer)
        with pytest.raises(Error, match="its parallel run stays as it is"), transaction.atomic():
            TieOut.objects.all().delete()
        # Words of a leaver can still be taken out, by an erasure and by nobody else.
        told = Explanation.objects.get(taken_back_at=None)
        gone = Erasure.objects.create(
            participant=acme.ann, pseudonym="Person ann", reason="Asked", asked_by=acme.preparer,
            approved_by=acme.approver, approved_at=datetime.now(UTC),
        )  # fmt: skip
        with connection.cursor() as cursor:
            said = [gone.pk, "payouts_explanation", told.pk, "note", b"Person ann came late"]
            cursor.execute("SELECT comp_redact(%s, %s, %s, %s, %s)", said)
        told.refresh_from_db()
        assert told.note == "Person ann came late"


def _opened(acme: House, of: CutOver) -> None:
    """Ann's first quarter is brought forward: 600.00 earned of 6,000.00, all paid."""
    by = {"participant": acme.ann, "pay_group": acme.acme.pay_group}
    file = OpeningFile.objects.create(
        cut_over=of, kind="openings", name="openings.csv", digest="d" * 64, rows=1, totals={}, uploaded_by=acme.preparer
    )  # fmt: skip
    row = Opening.objects.create(
        **by, cut_over=of, file=file, row=2, plan=Plan.objects.get(key="worked"), component="commission",
        day=date(2026, 3, 31), measured_minor=6_000_00, earned_minor=600_00, currency="USD",
    )  # fmt: skip
    OpeningTranche.objects.create(
        **by, opening=row, index=0, amount_minor=600_00, currency="USD", release_day=date(2026, 3, 31)
    )
    change = {"participant": acme.ann.pk, "day": "2026-03-31"}
    publish(topic="openings.changed", payload={"changes": [change], "label": "Brought forward"})


def _explains(acme: House, row: TieOut) -> None:
    """What stands is explained, by somebody else, with a note; nothing else is."""
    for wrong in ({"amount_minor": 4999}, {"cause": "weather"}, {"note": " "}):
        said: dict[str, Any] = {
            "amount_minor": 5000,
            "cause": "other_terms",
            "note": "They cap a month at 450.00",
        } | wrong
        with pytest.raises(ProblemsError):
            parallel.explain(row=row, by=acme.preparer, **said)
    assert row.participant is not None
    participant_change(participant=row.participant, user=acme.approver)
    with pytest.raises(ProblemsError, match="own"):
        parallel.explain(row=row, amount_minor=5000, cause="other", note="Mine", by=acme.approver)
    with pytest.raises(Error, match="nobody explains their own pay"), transaction.atomic():
        Explanation.objects.create(
            cut_over=row.cut_over, person=row.person, period_starts_on=row.period_starts_on, currency="USD",
            pay_group_id=row.pay_group_id, amount_minor=5000, cause="other", note="Mine", explained_by=acme.approver,
        )  # fmt: skip
    with pytest.raises(Error, match="are not what is unexplained"), transaction.atomic():
        Explanation.objects.create(
            cut_over=row.cut_over, person=row.person, period_starts_on=row.period_starts_on, currency="USD",
            pay_group_id=row.pay_group_id, amount_minor=1, cause="other", note="Less", explained_by=acme.preparer,
        )  # fmt: skip
    with pytest.raises(Error), transaction.atomic():
        LegacyLine.objects.filter(person="kim").update(amount_minor=50000)
    parallel.explain(
        row=row, amount_minor=5000, cause="other_terms", note="They cap a month at 450.00", by=acme.preparer
    )


def _signed(acme: House, of: CutOver) -> None:
    with transaction.atomic():
        said = {"state": "signed", "signed_by": acme.approver, "signed_at": datetime.now(UTC), "digest": "d" * 64}
        CutOver.objects.filter(pk=of.pk).update(**said)


def test_a_file_is_judged_as_a_whole(acme: House) -> None:
    of = cut_over(acme)
    wrong = (
        "ann,2026-04-01,1.00,,,,,", "ann,1 May,1.00,,,,,", "ann,2026-01-31,1.001,,,,,",
        "ann,2026-01-31,1.00,Mystery,,,,",
        "ann,2026-01-31,1.00,,nothing,,,", ",2026-01-31,1.00,,,,,", "ann,2026-01-31,1.00,,,A1,,0",
        "ann,2026-01-31,1.00,,,A1,,1_2",
    )  # fmt: skip
    with acme.acme.scope(acme.preparer):
        found = statements_read(HEADER + "\n".join((*wrong, "ann,2026-01-31,1.00,,,,,")), cut_over=of, kinds={})
        assert [one.line for one in found.wrong] == [2, 3, 4, 5, 6, 7, 8, 9] and len(found.lines) == 1
        for text in ("employee,period\n", "employee,period,amount,wage\n", "employee,period,amount,amount\n"):
            with pytest.raises(ProblemsError, match="Unknown column|is missing|stands there twice"):
                statements_read(text, cut_over=of, kinds={})
        with pytest.raises(ProblemsError, match="says no kind"):
            kinds_read("Kicker = nothing")
        assert kinds_read("Q = kicker = cap\n\nAll=total") == {"q = kicker": "cap", "all": ""}
    taken(acme, of, STATEMENTS)
    # Pay below zero is carried by the company's rule: half of later pay, at most, is set against it.
    with acme.acme.scope(acme.preparer):
        negative_policy_set(pay_group=acme.acme.pay_group, currency="USD", way="carry", share=Decimal(50))
        wanted = Wanted(acme.ann, Plan.objects.get(key="worked"), -250_00, "USD", date(2026, 1, 20), "Paid twice")
        draft = adjustment_prepare(wanted=wanted, attachment=File("why.txt", b"a note"), prepared_by=acme.preparer)
        adjustment_approve(adjustment=adjustment_submit(adjustment=draft, by=acme.preparer), approved_by=acme.approver)
        parallel.tie_out(cut_over=of, by=acme.preparer)
        ours = TieOut.objects.filter(person="ann").order_by("period_starts_on").values_list("ours_minor", "causes")
        assert list(ours) == [
            (0, {"only_ours": -250_00, "settlement": 150_00}), (100_00, {"settlement": -100_00}),
            (250_00, {"settlement": -50_00}),
        ]  # fmt: skip
    with acme.acme.scope(acme.preparer):
        twice = statements_read(STATEMENTS, cut_over=of, kinds=kinds_read("Kicker=commission"))
        assert len(twice.wrong) == 17 and "stands in statements.csv" in twice.wrong[0].message


def test_the_pages_lead_from_the_largest_difference_to_its_explanation(
    acme: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = cut_over(acme)
    url = f"/t/acme/cut-overs/{of.pk}/parallel/"
    fay: Client = signed_in(acme.preparer)
    assert "No statement yet" in fay.get(url).content.decode()
    bad = SimpleUploadedFile("bad.csv", (HEADER + "ann,1 May,1.00,,,,,\n").encode())
    page = fay.post(f"{url}upload/", {"file": bad, "kinds": ""})
    assert "1 row cannot be taken" in page.content.decode()
    errors = fay.post(f"{url}upload/", {"checked": page.context["text"], "kinds": "", "errors": "1"})
    assert b"2," in errors.content and errors["Content-Disposition"].endswith('what-is-wrong.csv"')
    good = SimpleUploadedFile("june.csv", STATEMENTS.encode())
    page = fay.post(f"{url}upload/", {"file": good, "kinds": "Kicker = commission"})
    text = page.content.decode()
    assert "Take 17 lines" in text and "old-1" in text and "$889.36" in text
    said = {"checked": page.context["text"], "kinds": "Kicker = commission", "name": "june.csv"}
    assert fay.post(f"{url}upload/", said).status_code == 302
    assert "Rounding" not in fay.get(f"{url}?view=all").content.decode()  # a cent of Hal's is another amount
    assert fay.post(f"{url}step/", {"rounding": "0.01"}).status_code == 302
    assert "10 are 0.10 USD" in fay.get(url).content.decode()
    fay.post(f"{url}step/", {"rounding": "1"})
    assert "Rounding" in fay.get(f"{url}?view=all").content.decode()
    text = fay.get(url).content.decode()
    assert "10 of 11 people tied out" in text and "Kim" in text and "Gil" not in text
    assert "Gil" in fay.get(f"{url}?view=differs").content.decode()
    table = fay.get(f"{url}?view=all&csv=1").content.decode()
    assert "bob,Bob,2026-01-01,USD,177.00,100.00,-77.00,0.00" in table and "rows, SHA-256 " in table
    row = rows(acme, of)["kim", 2]
    text = fay.get(f"{url}{row.pk}/").content.decode()
    assert "Explain the rest" in text and "Deal K1" in text and "/why/" in text
    assert fay.post(f"{url}{row.pk}/explain/", {"amount_minor": "1", "cause": "other", "note": "x"}).status_code == 422
    said = {"amount_minor": "5000", "cause": "other_terms", "note": "They cap a month at 450.00"}
    assert fay.post(f"{url}{row.pk}/explain/", said).status_code == 302
    text = fay.get(f"{url}{row.pk}/").content.decode()
    assert "They cap a month" in text and "Other terms or rules there" in text
    assert "the switch can be signed" in fay.get(url).content.decode()
    fay.post(f"{url}{row.pk}/explain/", {"back": "1"})
    assert "Taken back" in fay.get(f"{url}{row.pk}/").content.decode()
    # What is large is tied out by workers; what is asked meanwhile is in it.
    monkeypatch.setattr("comp.outbox.services.bells.is_first", lambda tenant_id, queue: False)
    with monkeypatch.context() as patched:
        patched.setattr(parallel, "AT_ONCE", 0)
        for rounding in ("0", "2"):
            text = fay.post(f"{url}step/", {"rounding": rounding}, follow=True).content.decode()
            assert "by workers, for it is large" in text and "Tying out the parallel run with" in text
        with acme.acme.scope():
            step = LargeStep.objects.get()
            assert any("moved since" in reason for reason in parallel.parallel_open(of))
        assert large.steps_drain(acme.acme.tenant.pk) == 1 and large.steps_drain(acme.acme.tenant.pk) == 0
        with acme.acme.scope():
            step.refresh_from_db()
            assert step.ended_at and not step.refused and step.made is None
            assert not any("moved since" in reason for reason in parallel.parallel_open(of))
            assert ParallelRun.objects.get().tied_by == acme.preparer
    assert "Tying out" not in fay.get(url).content.decode()
    with acme.acme.scope():
        file = LegacyFile.objects.get()
    fay.post(f"{url}step/", {"file": file.pk})
    assert "Taken back" in fay.get(url).content.decode()


def test_no_cent_is_lost_between_two_sides() -> None:
    """Whatever the lines say, a row's causes add up to its difference."""
    dice = random.Random(5)  # noqa: S311
    for _ in range(300):
        sides = [
            [
                Line(
                    dice.choice("ab"), dice.randrange(3), "USD", dice.randrange(-3, 4),
                    kind=dice.choice(KINDS[:3] if ours else ("", *KINDS[:3])),
                    plan=dice.choice("p" if ours else ("", "p")),
                    component=dice.choice(("c", "d") if ours else ("", "c", "d")), deal=dice.choice(("", "1", "2")),
                )
                for _ in range(dice.randrange(9))
            ]
            for ours in (False, True)
        ]  # fmt: skip
        found = tied(*sides, periods=range(3), rounding=dice.randrange(2), strangers=set())
        for tie in found:
            theirs, ours = (
                sum(line.minor for line in side if (line.person, line.period) == (tie.person, tie.period))
                for side in sides
            )
            assert (tie.theirs, tie.ours) == (theirs, ours)
            assert sum(part.minor for part in tie.parts) == ours - theirs
            assert all(part.cause or not part.minor for part in tie.parts)
