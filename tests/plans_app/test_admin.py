"""The administration: who may open it, that it writes through the services, and its form of tiers and rates."""

from __future__ import annotations

from datetime import date

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from comp.audit.models import AuditEntry
from comp.people.models import Participant, Position, Team
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Membership, User
from plans import selectors
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from tests.factories import PASSWORD, Company, company, library, member, person, published

pytestmark = pytest.mark.django_db

JANUARY = date(2026, 1, 1)


@pytest.fixture
def acme() -> Company:
    return company("acme")


@pytest.fixture
def olga(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Olga")


@pytest.fixture
def version(acme: Company, olga: User) -> PlanVersion:
    omar = member(acme, Role.SALES_OPS, "Omar")
    with acme.scope(olga):
        return published("account-executive", ops=olga, other=omar)


def within(user: User, slug: str = "acme") -> Client:
    """Signed in, with the company last visited in the session, as a visit to its front door leaves it."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.get(f"/t/{slug}/")
    return client


def codes() -> list[str]:
    return list(AuditEntry.objects.order_by("number").values_list("code", flat=True))


def typed(client: Client, path: str) -> dict[str, str]:
    editor = client.get(path).context["editor"]
    forms = [editor.dates]
    for part in editor.parts:
        forms += part.all_forms
        forms += [rows.management_form for rows in (part.tier_rows, part.bands) if rows is not None]
    return {field.html_name: str(field.value() or "") for form in forms for field in form}


def test_it_opens_for_those_who_may_edit_something_here(acme: Company, version: PlanVersion, olga: User) -> None:
    index = reverse("admin:index")
    assert Client().get(index).status_code == 302
    assert within(olga).get(index).status_code == 200
    assert within(member(acme, Role.ADMINISTRATOR)).get(index).status_code == 200
    for role in (Role.REPRESENTATIVE, Role.MANAGER, Role.FINANCE, Role.REVENUE_LEADER):
        client = within(member(acme, role))
        answer = client.get(index, follow=True)
        assert answer.status_code == 403, role
    fresh = Client()
    fresh.force_login(olga, backend="django.contrib.auth.backends.ModelBackend")
    assert fresh.get(index)["Location"] == "/"  # no company visited yet
    policy = within(olga).get(index)["Content-Security-Policy"]
    assert (
        "'unsafe-eval'" in policy
        and "'unsafe-eval'" not in within(olga).get("/t/acme/plans/")["Content-Security-Policy"]
    )


def test_every_screen_opens_for_ops_and_the_administrator_sees_members_only_to_change(
    acme: Company, version: PlanVersion, olga: User
) -> None:
    with acme.scope(olga):
        person(acme, "Ann")
    ops, ada = within(olga), within(member(acme, Role.ADMINISTRATOR, "Ada"))
    for model in admin.site._registry:
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listed, add = reverse(f"{place}_changelist"), reverse(f"{place}_add")
        members = model is Membership
        assert ops.get(listed).status_code == (403 if members else 200), listed
        assert ops.get(add).status_code == (403 if members else 200), add
        assert ada.get(listed).status_code == 200
        assert ada.get(add).status_code == (200 if members else 403), add
        with acme.scope():
            first = model._default_manager.first()
        if first is not None and not members:
            assert ops.get(reverse(f"{place}_change", args=[first.pk])).status_code == 200
            assert ops.get(reverse(f"{place}_history", args=[first.pk])).status_code == 200


def test_another_companys_rows_are_not_there(acme: Company, version: PlanVersion) -> None:
    rival = company("rival")
    stranger = within(member(rival, Role.SALES_OPS, "Stranger"), "rival")
    path = reverse("admin:plans_planversion_change", args=[version.pk])
    assert stranger.get(path).status_code == 404
    listed = stranger.get(reverse("admin:plans_plan_changelist")).content.decode()
    assert "0 plans" in listed or "Account" not in listed


def test_the_form_edits_tiers_in_a_new_draft_and_refuses_a_bad_table(
    acme: Company, version: PlanVersion, olga: User
) -> None:
    client = within(olga)
    path = reverse("admin:plans_planversion_change", args=[version.pk])
    values = {**typed(client, path), "starts_on": "2026-12-01", "note": "More beyond quota"}
    refused = client.post(path, {**values, "part-commission-rates-1-rate": "many"})
    assert refused.status_code == 200 and "many" in refused.content.decode()
    saved = client.post(path, {**values, "part-commission-rates-1-rate": "13%"})
    with acme.scope():
        draft = PlanVersion.objects.get(number=2)
        assert saved["Location"] == reverse("admin:plans_planversion_change", args=[draft.pk])
        assert selectors.document(draft)["components"][0]["tiers"]["rates"][1]["rate"] == "13%"
        assert codes()[-1] == "plan.version.draft"
    said = client.get(saved["Location"]).content.decode()
    assert reverse("version_publish", args=["acme", "account-executive", 2]) in said
    assert reverse("version_export", args=["acme", "account-executive", 2]) in said
    assert reverse("version_diff", args=["acme", "account-executive", 2, 1]) in said


def test_a_version_is_imported(acme: Company, version: PlanVersion, olga: User) -> None:
    client, path = within(olga), reverse("admin:plans_planversion_add")
    values = {"plan": version.plan_id, "starts_on": "2027-01-01", "note": "By text"}
    wrong = client.post(path, {**values, "text": library("manager")})
    assert "is for the plan manager" in wrong.content.decode()
    assert client.post(path, {**values, "text": library("account-executive")}).status_code == 302


def test_rows_are_written_by_the_services(acme: Company, version: PlanVersion, olga: User) -> None:
    client = within(olga)

    def add(model: str, **values: object) -> object:
        return client.post(reverse(f"admin:{model}_add"), values)

    people = {"currency": "USD", "pay_group": acme.pay_group.pk, "starts_on": "2026-01-01"}
    assert add("people_team", key="west", name="West").status_code == 302
    assert "valid “slug”" in add("people_team", key="West!", name="West").content.decode()
    assert add("people_participant", key="1", name="Ann", **people).status_code == 302
    assert add("people_participant", key="2", name="Bob", **people).status_code == 302
    assert (
        "unknown currency"
        in add("people_participant", key="3", name="C", **{**people, "currency": "DOL"}).content.decode()
    )
    with acme.scope():
        ann, bob = Participant.objects.order_by("key")
        team = Team.objects.get()
    place = {"participant": ann.pk, "credit_role": acme.ae.pk, "team": team.pk}
    assert add("people_position", title="AE", starts_on="2026-01-01", **place).status_code == 302
    assert add("people_position", title="Senior AE", starts_on="2026-06-01", **place).status_code == 302
    assert add("people_reportingline", participant=ann.pk, manager=bob.pk, starts_on="2026-01-01").status_code == 302
    circle = add("people_reportingline", participant=bob.pk, manager=ann.pk, starts_on="2026-01-01")
    assert "cannot report to" in circle.content.decode()
    on = {"participant": ann.pk, "plan": version.plan_id, "starts_on": "2026-01-01"}
    assert add("plans_planassignment", **on).status_code == 302
    assert "already" in add("plans_planassignment", **on).content.decode()
    quota = {"participant": ann.pk, "key": "new-business", "unit": "money"}
    quota |= {"starts_on": "2026-01-01", "ends_on": "2026-04-01"}
    assert add("plans_quota", amount="50000", **quota).status_code == 302
    assert "is no amount" in add("plans_quota", amount="50k", **quota).content.decode()
    assert add("plans_plan", key="extra", name="Extra").status_code == 302

    with acme.scope():
        titles = Position.objects.order_by("starts_on").values_list("title", "ends_on")
        assert list(titles) == [("AE", date(2026, 6, 1)), ("Senior AE", None)]
        row, held, extra = PlanAssignment.objects.get(), Quota.objects.get(), Plan.objects.get(key="extra")
        assert (held.amount_minor, held.currency) == (5_000_000, "USD")

    def change(model: str, pk: int, **values: object) -> object:
        return client.post(reverse(f"admin:{model}_change", args=[pk]), values)

    assert change("plans_planassignment", row.pk, ends_on="2026-09-01").status_code == 302
    assert change("plans_quota", held.pk, amount="60000.00").status_code == 302
    assert change("plans_plan", extra.pk, name="Extra pay").status_code == 302
    renamed = {**people, "name": "Anna", "email": "", "user": "", "ends_on": ""}
    assert change("people_participant", ann.pk, **renamed).status_code == 302
    with acme.scope():
        assert PlanAssignment.objects.get().ends_on == date(2026, 9, 1)
        assert Quota.objects.get().amount_minor == 6_000_000
        last = AuditEntry.objects.order_by("-number").first()
        assert last is not None and (last.before["name"], last.after["name"]) == ("Ann", "Anna")
        assert last.actor_label == "Olga"
        assert codes()[-4:] == ["assignment.end", "quota.set", "plan.rename", "participant.change"]
    removed = client.post(reverse("admin:plans_quota_delete", args=[held.pk]), {"post": "yes"})
    assert removed.status_code == 302
    with acme.scope():
        assert not Quota.objects.exists() and codes()[-1] == "quota.remove"
    assert not LogEntry.objects.exists()


def test_a_kept_state_is_shown_and_not_turned_back(acme: Company, version: PlanVersion, olga: User) -> None:
    client = within(olga)
    with acme.scope(olga):
        team = Team.objects.create(key="west", name="West")
        Team.objects.filter(pk=team.pk).update(name="West coast")
        first = Team.history.filter(id=team.pk).order_by("history_id").first()
    history = client.get(reverse("admin:people_team_history", args=[team.pk])).content.decode()
    assert "West coast" in history
    path = reverse("admin:people_team_simple_history", args=[team.pk, first.pk])
    assert client.get(path).status_code == 200
    assert client.post(path, {"name": "West"}).status_code == 403


def test_members_are_let_in_changed_and_taken_out(acme: Company) -> None:
    ada = member(acme, Role.ADMINISTRATOR, "Ada")
    client, add = within(ada), reverse("admin:tenancy_membership_add")
    new = {"email": "new@acme.test", "role": Role.FINANCE, "pay_groups": "[]"}
    assert "password of new@acme.test is refused" in client.post(add, new).content.decode()
    assert client.post(add, {**new, "full_name": "New", "password": PASSWORD}).status_code == 302
    with acme.scope():
        row = Membership.objects.get(user__email="new@acme.test")
    change = reverse("admin:tenancy_membership_change", args=[row.pk])
    assert client.post(change, {"pay_groups": '["sales"]'}).status_code == 302
    remove = reverse("admin:tenancy_membership_delete", args=[row.pk])
    assert client.post(remove, {"post": "yes"}).status_code == 302
    with acme.scope():
        assert list(Membership.objects.filter(tenant=acme.tenant).values_list("user__full_name", flat=True)) == ["Ada"]
        assert codes()[-3:] == ["membership.add", "membership.change", "membership.remove"]
        mine = Membership.objects.get(user=ada)
    refused = client.post(reverse("admin:tenancy_membership_delete", args=[mine.pk]), {"post": "yes"}, follow=True)
    assert "last administrator" in refused.content.decode()
