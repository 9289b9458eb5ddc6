"""The pages of plans as each role meets them, and the form that edits tiers and rates without touching text."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from plans import selectors, services
from plans.models import PlanAssignment, PlanVersion, Quota
from plans.rules.load import read_yaml
from tests.factories import Company, company, library, member, person, published

pytestmark = pytest.mark.django_db

JANUARY = date(2026, 1, 1)


@pytest.fixture
def acme() -> Company:
    return company("acme")


@pytest.fixture
def olga(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Olga")


@pytest.fixture
def omar(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Omar")


@pytest.fixture
def plan(acme: Company, olga: User, omar: User) -> PlanVersion:
    """The account executives' plan in force, Ann on it with a quota."""
    with acme.scope(olga):
        version = published("account-executive", ops=olga, other=omar)
        ann = person(acme, "Ann")
        services.assignment_set(participant=ann, plan=version.plan, starts_on=JANUARY)
        services.quota_set(
            participant=ann,
            key="new-business",
            starts_on=JANUARY,
            ends_on=date(2026, 4, 1),
            amount_minor=5_000_000,
            currency="USD",
        )
        return version


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def url(name: str, **kwargs: object) -> str:
    return reverse(name, kwargs={"tenant": "acme", **kwargs})


def one(name: str, number: int = 1, **more: object) -> str:
    return url(name, key="account-executive", number=number, **more)


READ = [
    url("plan_list"),
    url("plan", key="account-executive"),
    *(f"{url('plan', key='account-executive')}?tab={tab}" for tab in ("components", "people", "versions", "history")),
    one("version"),
    one("version_export"),
    one("version_diff", other=1),
    url("quota_list"),
]
EDIT = [
    url("plan_add"),
    one("version_edit"),
    url("version_import", key="account-executive"),
    url("assignment_add"),
    url("quota_add"),
]
PUBLISH = [one("version_publish")]


def statuses(user: User, paths: list[str]) -> set[int]:
    client = signed_in(user)
    return {client.get(path).status_code for path in paths}


def test_ops_open_every_page_and_readers_the_pages_for_reading(acme: Company, plan: PlanVersion, olga: User) -> None:
    people = [url("assignment_list")]
    assert statuses(olga, READ + EDIT + PUBLISH + people) == {200}
    for role in (Role.FINANCE, Role.REVENUE_LEADER, Role.ADMINISTRATOR):
        reader = member(acme, role)
        assert statuses(reader, READ + people) == {200}
        assert statuses(reader, EDIT + PUBLISH) == {403}


def test_representatives_and_strangers_open_none(acme: Company, plan: PlanVersion) -> None:
    for role in (Role.REPRESENTATIVE, Role.MANAGER):
        assert statuses(member(acme, role), READ + EDIT + PUBLISH + [url("assignment_list")]) == {403}
    stranger = member(company("rival"), Role.SALES_OPS, "Stranger")
    assert statuses(stranger, READ + EDIT + PUBLISH) == {404}
    assert {Client().get(path).status_code for path in READ} == {302}


def test_an_empty_company_says_what_to_do_next(acme: Company, olga: User) -> None:
    client = signed_in(olga)
    for name, words in [
        ("plan_list", "No plan yet"),
        ("assignment_list", "Nobody here yet"),
        ("quota_list", "No quotas yet"),
    ]:
        assert words in client.get(url(name)).content.decode()


def typed(client: Client, path: str) -> dict[str, str]:
    """What the form of a page would send if nothing were changed."""
    editor = client.get(path).context["editor"]
    values: dict[str, str] = {}
    forms = [editor.dates]
    for part in editor.parts:
        for form in part.pieces:
            if hasattr(form, "management_form"):
                forms += [form.management_form, *form]
            else:
                forms.append(form)
    for form in forms:
        for field in form:
            value = field.value()
            values[field.html_name] = "" if value is None else str(value)
    return values


RATE = "part-commission-rates-1-rate"


def test_a_rate_is_changed_by_form_in_a_new_draft_and_published_by_somebody_else(
    acme: Company, plan: PlanVersion, olga: User, omar: User
) -> None:
    client = signed_in(olga)
    values = typed(client, one("version_edit"))
    assert values[RATE] == "12%"
    changed = {**values, RATE: "13", "starts_on": "2026-12-01", "note": "More beyond quota"}
    answer = client.post(one("version_edit"), changed, follow=True)
    assert answer.redirect_chain[-1][0] == one("version", 2)
    with acme.scope():
        draft = PlanVersion.objects.get(number=2)
        assert (draft.state, draft.starts_on, draft.note) == ("draft", date(2026, 12, 1), "More beyond quota")
        tiers = selectors.document(draft)["components"][0]["tiers"]
        assert tiers["rates"][1] == {"from": "100%", "rate": "13%"}
        # Only that rate differs.
        assert selectors.document(plan)["components"][1:] == selectors.document(draft)["components"][1:]

    page = client.get(one("version_publish", 2)).content.decode()
    assert "You had a hand in this draft" in page and "Publish version 2</button>" not in page
    client.post(one("version_publish", 2))
    with acme.scope():
        assert PlanVersion.objects.get(number=2).state == "draft"

    other = signed_in(omar)
    page = other.get(one("version_publish", 2)).content.decode()
    assert "12%" in page and "13%" in page and "1 person" in page
    other.post(one("version_publish", 2))
    with acme.scope():
        assert PlanVersion.objects.get(number=2).state == "published"
        assert PlanVersion.objects.get(number=1).ends_on == date(2026, 12, 1)
    assert "Version 1" in other.get(f"{url('plan', key='account-executive')}?tab=versions").content.decode()


def test_a_draft_is_changed_in_place_and_rows_come_and_go(acme: Company, plan: PlanVersion, olga: User) -> None:
    client = signed_in(olga)
    start = {**typed(client, one("version_edit")), "starts_on": "2026-12-01", "note": "Another tier"}
    client.post(one("version_edit"), start)
    values = typed(client, one("version_edit", 2))
    more = client.post(one("version_edit", 2), {**values, "more": "part-commission-rates"})
    assert more.context["editor"].parts[0].tier_rows.total_form_count() == 5
    values |= {"part-commission-rates-3-start": "200%", "part-commission-rates-3-rate": "20%"}
    values |= {"part-commission-rates-2-start": "", "part-commission-rates-2-rate": ""}
    client.post(one("version_edit", 2), values)
    with acme.scope():
        draft = PlanVersion.objects.get(number=2)
        rates = selectors.document(draft)["components"][0]["tiers"]["rates"]
        assert [row["from"] for row in rates] == ["0%", "100%", "200%"]
        assert PlanVersion.objects.count() == 2


def test_a_bad_table_is_refused_with_what_is_wrong_and_the_preview_says_so_too(
    acme: Company, plan: PlanVersion, olga: User
) -> None:
    client = signed_in(olga)
    values = typed(client, one("version_edit"))
    values |= {"starts_on": "2026-12-01", "note": "x", "part-commission-rates-1-start": "150%", RATE: "many"}
    for answer in (client.post(one("version_edit"), values), client.post(one("version_preview"), values)):
        assert answer.status_code == 200
        said = answer.content.decode()
        assert "many" in said and "This cannot be kept yet" in said
    with acme.scope():
        assert PlanVersion.objects.count() == 1


def test_the_preview_draws_the_curve_and_tells_the_change(acme: Company, plan: PlanVersion, olga: User) -> None:
    client = signed_in(olga)
    values = typed(client, one("version_edit"))
    said = client.post(one("version_preview"), {**values, RATE: "13%"}).content.decode()
    assert "13% up to 130% of quota" in said and 'class="before"' in said and "<svg" in said
    unchanged = client.post(one("version_preview"), values).content.decode()
    assert "Nothing differs" in unchanged and 'class="before"' not in unchanged


def test_import_and_export_keep_the_digest_and_the_diff_is_in_words(
    acme: Company, plan: PlanVersion, olga: User
) -> None:
    client = signed_in(olga)
    exported = client.get(one("version_export"))
    assert 'filename="account-executive-version-1.yaml"' in exported["Content-Disposition"]
    assert read_yaml(exported.content.decode()) == read_yaml(library("account-executive"))
    raised = exported.content.decode().replace("12%", "13%")
    path = url("version_import", key="account-executive")
    about = {"starts_on": "2026-12-01", "note": "By file"}
    refused = client.post(path, {**about, "text": raised.replace("rate: 13%", "rate: lots")})
    assert refused.status_code == 200 and "lots" in refused.content.decode()
    file = SimpleUploadedFile("plan.yaml", raised.encode())
    assert client.post(path, {**about, "file": file}).status_code == 302
    page = client.get(one("version_diff", 2, other=1)).content.decode()
    assert "<ins>" in page and "12%" in page and "13%" in page


def test_a_new_plan_starts_from_the_library(acme: Company, olga: User) -> None:
    client = signed_in(olga)
    values = {"name": "Partners", "key": "partners", "start": "manager", "starts_on": "2027-01-01"}
    answer = client.post(url("plan_add"), values, follow=True)
    assert answer.status_code == 200
    with acme.scope():
        version = PlanVersion.objects.get()
        assert (selectors.document(version)["key"], version.plan.name) == ("partners", "Partners")
    assert "There is a plan partners already" in client.post(url("plan_add"), values).content.decode()


def test_assignments_and_quotas_are_made_and_changed(acme: Company, plan: PlanVersion, olga: User) -> None:
    client = signed_in(olga)
    with acme.scope():
        bob = person(acme, "Bob")
    values = {"participant": bob.pk, "plan": plan.plan_id, "starts_on": "2026-03-01"}
    assert client.post(url("assignment_add"), values).status_code == 302
    assert "already" in client.post(url("assignment_add"), values).content.decode()
    with acme.scope():
        row = PlanAssignment.objects.get(participant=bob)
    end = url("assignment_end", pk=row.pk)
    assert client.get(end).status_code == 200
    assert "has to end later" in client.post(end, {"ends_on": "2026-01-01"}).content.decode()
    assert client.post(end, {"ends_on": "2026-06-01"}).status_code == 302
    listed = client.get(f"{url('assignment_list')}?year=2026&q=bo").content.decode()
    assert "Bob" in listed and "Ann" not in listed and "until" in listed
    assert "bob,Bob,account-executive,2026-03-01,2026-06-01" in (
        client.get(f"{url('assignment_list')}?format=csv").content.decode()
    )

    quota = {"participant": bob.pk, "key": "new-business", "unit": "money"}
    quota |= {"starts_on": "2026-01-01", "ends_on": "2026-04-01"}
    assert "is no amount" in client.post(url("quota_add"), {**quota, "amount": "12,000"}).content.decode()
    assert client.post(url("quota_add"), {**quota, "amount": "12000"}).status_code == 302
    with acme.scope():
        row = Quota.objects.get(participant=bob)
    assert client.get(url("quota_edit", pk=row.pk)).status_code == 200
    assert client.post(url("quota_edit", pk=row.pk), {"amount": "13000.50"}).status_code == 302
    page = client.get(url("quota_list")).content.decode()
    assert "$13,000.50" in page and "$63,000.50" in page
    assert "13000.50,USD" in client.get(f"{url('quota_list')}?format=csv").content.decode()


def test_another_companys_assignment_is_not_found(acme: Company, plan: PlanVersion) -> None:
    rival = company("rival")
    stranger = member(rival, Role.SALES_OPS, "Stranger")
    with acme.scope():
        row = PlanAssignment.objects.get()
    path = reverse("assignment_end", kwargs={"tenant": "rival", "pk": row.pk})
    assert signed_in(stranger).get(path).status_code == 404
