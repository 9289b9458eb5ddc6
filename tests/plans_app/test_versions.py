"""Versions: two people, half-open dates without overlap, the whole list of what is wrong, and what is kept."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from comp.audit.models import AuditEntry
from comp.core.errors import ProblemsError
from comp.outbox.models import Message
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from plans import selectors, services
from plans.models import Plan, PlanVersion
from tests.factories import Company, company, library, member, published

pytestmark = pytest.mark.django_db

JANUARY, APRIL, JULY, OCTOBER = (date(2026, month, 1) for month in (1, 4, 7, 10))
TEXT = library("account-executive")
RAISED = TEXT.replace("rate: 12%", "rate: 13%")


@pytest.fixture
def acme() -> Company:
    return company("acme")


@pytest.fixture
def olga(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Olga")


@pytest.fixture
def omar(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Omar")


def draft(plan: Plan, by: User, text: str = TEXT, starts_on: date = APRIL, ends_on: date | None = None) -> PlanVersion:
    return services.version_draft(
        plan=plan, text=text, starts_on=starts_on, ends_on=ends_on, note="More beyond quota", prepared_by=by
    )


def dates() -> list[tuple[int, str, date, date | None]]:
    rows = PlanVersion.objects.order_by("number")
    return list(rows.values_list("number", "state", "starts_on", "ends_on"))


def test_a_new_version_ends_the_one_in_force_on_its_first_day(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        first = published("account-executive", ops=olga, other=omar)
        second = services.version_publish(version=draft(first.plan, olga, RAISED), published_by=omar)
        assert dates() == [(1, "published", JANUARY, APRIL), (2, "published", APRIL, None)]
        assert selectors.versions_in_force(date(2026, 3, 31)) == [first]
        assert selectors.versions_in_force(APRIL) == [second]
        assert [str(t.rate) for t in selectors.compiled(second).components[0].tiers.rates] == ["2/25", "13/100", "3/20"]
        told = Message.objects.filter(topic="plan.published").order_by("-id").first()
        assert told is not None and told.payload == {
            "version": second.pk,
            "plan": "account-executive",
            "number": 2,
            "from": "2026-04-01",
            "to": None,
        }
        entry = AuditEntry.objects.order_by("-number").first()
        assert entry is not None and entry.code == "plan.version.publish"
        assert entry.before == {"replaces": [{"number": 1, "digest": first.digest}]}
        assert entry.after["digest"] == second.digest


def test_a_version_supersedes_those_that_it_covers(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = published("account-executive", ops=olga, other=omar).plan
        services.version_publish(version=draft(plan, olga, RAISED, JULY), published_by=omar)
        third = TEXT.replace("rate: 12%", "rate: 14%")
        services.version_publish(version=draft(plan, olga, third, APRIL), published_by=omar)
        assert dates() == [
            (1, "published", JANUARY, APRIL),
            (2, "superseded", JULY, None),
            (3, "published", APRIL, None),
        ]


def test_a_version_that_ends_within_another_is_refused(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = published("account-executive", ops=olga, other=omar).plan
        with pytest.raises(ProblemsError, match="Version 1 goes on behind 1 July 2026"):
            services.version_publish(version=draft(plan, olga, RAISED, APRIL, JULY), published_by=omar)
        assert dates()[0] == (1, "published", JANUARY, None)


SETTLED = """currencies: {pay_rate: credit_date}
settlement:
  order: [releases, adjustments, clawbacks, carried]
  settle_in: pay
  amounts_rate: period_start
  minimum: {amount: 50.00}
  negative: carried
"""


def test_all_versions_settle_in_one_currency(acme: Company, olga: User, omar: User) -> None:
    pays = TEXT.replace("credit_rules:", SETTLED + "credit_rules:", 1)
    plan = pays.replace("  settle_in: pay\n  amounts_rate: period_start\n", "")
    with acme.scope(olga):
        first = published("account-executive", ops=olga, other=omar, text=plan)
        with pytest.raises(ProblemsError, match="in force from 1 January 2026, settles in settle_in: plan") as refused:
            services.version_publish(version=draft(first.plan, olga, pays), published_by=omar)
        assert [each.path for each in refused.value.problems] == ["settlement.settle_in"]
        # One that settles nothing stands beside either; one that takes the place of all may settle otherwise.
        services.version_publish(version=draft(first.plan, olga, TEXT), published_by=omar)
        services.version_publish(version=draft(first.plan, olga, pays, JANUARY), published_by=omar)
        assert [row[1] for row in dates() if row[1] == "published"] == ["published"]


def test_who_prepared_or_changed_a_draft_cannot_publish_it(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = services.plan_create(key="account-executive", name="Account executive")
        version = draft(plan, olga)
        with pytest.raises(ProblemsError, match="Olga prepared this version"):
            services.version_publish(version=version, published_by=olga)
        services.version_update(version=version, text=RAISED, prepared_by=omar)
        for hand in (olga, omar):
            with pytest.raises(ProblemsError, match="prepared this version"):
                services.version_publish(version=version, published_by=hand)
        services.version_publish(version=version, published_by=member(acme, Role.SALES_OPS, "Oona"))


def test_the_database_refuses_one_person_alone(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        version = published("account-executive", ops=olga, other=omar)
        with pytest.raises(IntegrityError, match="planversion_two_people"), transaction.atomic():
            PlanVersion.objects.filter(pk=version.pk).update(published_by=olga)


def test_publishing_takes_the_capability(acme: Company, olga: User) -> None:
    fay = member(acme, Role.FINANCE, "Fay")
    with acme.scope(olga):
        version = draft(services.plan_create(key="account-executive", name="Account executive"), olga)
        with pytest.raises(ProblemsError, match="Fay may not publish plans here"):
            services.version_publish(version=version, published_by=fay)


def test_a_version_that_changes_nothing_is_refused(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = published("account-executive", ops=olga, other=omar).plan
        same = TEXT.replace("rate: 12%", "rate: 12.0 %")
        with pytest.raises(ProblemsError, match="says exactly the same"):
            services.version_publish(version=draft(plan, olga, same), published_by=omar)


def test_what_is_published_is_not_edited(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        version = published("account-executive", ops=olga, other=omar)
        with pytest.raises(ProblemsError, match="is published and cannot be edited"):
            services.version_update(version=version, text=RAISED, prepared_by=olga)
        with pytest.raises(ProblemsError, match="is published and cannot be published"):
            services.version_publish(version=version, published_by=omar)


def test_a_document_is_refused_with_everything_that_is_wrong_with_it(acme: Company, olga: User) -> None:
    wrong = TEXT.replace("rate: 12%", "rate: twelve").replace("currency: USD", "currency: DOL")
    with acme.scope(olga):
        plan = services.plan_create(key="account-executive", name="Account executive")
        with pytest.raises(ProblemsError) as refused:
            draft(plan, olga, wrong)
        paths = [problem.path for problem in refused.value.problems]
        assert "currency" in paths and any("rate" in path for path in paths)
        with pytest.raises(ProblemsError, match="is for the plan manager"):
            draft(plan, olga, library("manager"))
        assert not PlanVersion.objects.exists()


def test_a_plan_is_in_the_companys_currency(acme: Company, olga: User) -> None:
    """Amounts of its deals would count as euros, one for one."""
    with acme.scope(olga):
        plan = services.plan_create(key="account-executive", name="Account executive")
        with pytest.raises(ProblemsError, match="deals are in USD; EUR needs a rate of exchange"):
            draft(plan, olga, TEXT.replace("currency: USD", "currency: EUR"))


def test_warnings_do_not_refuse_and_can_be_read(acme: Company, olga: User) -> None:
    with acme.scope(olga):
        plan = services.plan_create(key="manager", name="Manager")
        version = draft(plan, olga, library("manager"))
        assert selectors.warnings(version)


def test_a_document_that_was_tampered_with_is_not_compiled(acme: Company, olga: User) -> None:
    with acme.scope(olga):
        version = draft(services.plan_create(key="account-executive", name="Account executive"), olga)
        version.document = version.document.replace("12%", "99%")
        with pytest.raises(selectors.DamagedVersion, match="the document's digest is"):
            selectors.compiled(version)


def test_every_state_of_a_draft_is_kept(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        version = draft(services.plan_create(key="account-executive", name="Account executive"), olga)
        services.version_update(version=version, text=RAISED, prepared_by=olga)
        PlanVersion.objects.filter(pk=version.pk).update(note="Past the services")
        kept = PlanVersion.history.filter(id=version.pk).order_by("history_id")
        assert len({row.digest for row in kept}) == 2 and kept.last().note == "Past the services"


EXAMPLE = """
examples:
  - name: One deal in January
    calendar: {pay: monthly, fiscal_start_month: 1}
    people: [Ada]
    assignments: [{person: Ada, from: 2026-01-01}]
    quotas: [{person: Ada, key: new-business, period: 2026-Q1, amount: 100000.00}]
    deals: [{id: D-1, fields: {stage: won, amount: 1000.00, close_date: 2026-01-10}, team: [{role: ae, person: Ada}]}]
    expect: {earnings: [{person: Ada, component: commission, period: 2026-Q1, amount: 80.00}]}
"""


def test_a_version_whose_example_fails_is_not_put_in_force(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = services.plan_create(key="account-executive", name="Account executive")
        wrong = draft(plan, olga, TEXT + EXAMPLE.replace("80.00", "81.00"), starts_on=JANUARY)
        with pytest.raises(ProblemsError) as caught:
            services.version_publish(version=wrong, published_by=omar)
        (problem,) = caught.value.problems
        assert problem.path == "examples[0].expect.earnings[0]"
        assert problem.message == ("The example 'One deal in January' expects $81.00, the plan comes to $80.00.")
        wrong.refresh_from_db()
        assert wrong.state == "draft"


def test_a_version_whose_examples_hold_is_put_in_force(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = services.plan_create(key="account-executive", name="Account executive")
        right = draft(plan, olga, TEXT + EXAMPLE, starts_on=JANUARY)
        assert services.version_publish(version=right, published_by=omar).state == "published"


def test_an_example_that_expects_nothing_or_cannot_be_read_is_told(acme: Company, olga: User, omar: User) -> None:
    with acme.scope(olga):
        plan = services.plan_create(key="account-executive", name="Account executive")
        text = TEXT + EXAMPLE.replace("person: Ada, key", "person: Bob, key")
        with pytest.raises(ProblemsError, match="no person Bob"):
            services.version_publish(version=draft(plan, olga, text, starts_on=JANUARY), published_by=omar)
        silent = TEXT + "\n".join(line for line in EXAMPLE.splitlines() if "expect:" not in line)
        with pytest.raises(ProblemsError, match="expects nothing"):
            services.version_publish(version=draft(plan, olga, silent, starts_on=APRIL), published_by=omar)
