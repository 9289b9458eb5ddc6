"""A plan with every construct of the language is read, edited and compared; what keeps it from being in force is told
before somebody publishes it."""

from __future__ import annotations

import html
from datetime import date
from pathlib import Path

import pytest
from django.test import Client

from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from plans import selectors, services
from plans.models import PlanVersion
from plans.rules.load import read_yaml, to_yaml
from tests.factories import Company, company, member
from tests.payouts.house import plan_text
from tests.plans_app.test_pages import signed_in, url

pytestmark = pytest.mark.django_db

WHOLE = Path("tests/unit/rules/whole.yaml").read_text()
EXAMPLE = """examples:
  - name: One deal
    calendar: {pay: monthly, fiscal_start_month: 1}
    people: [Ada]
    assignments: [{person: Ada, from: 2026-01-01}]
    quotas: [{person: Ada, key: sales, period: 2026-Q1, amount: 100000.00}]
    deals: [{id: D-1, fields: {stage: won, amount: 1000.00, close_date: 2026-01-10}, team: [{role: ae, person: Ada}]}]
    expect: {earnings: [{person: Ada, component: commission, period: 2026-Q1, amount: EARNED}]}
"""


@pytest.fixture
def acme() -> Company:
    return company("acme")


@pytest.fixture
def olga(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Olga")


@pytest.fixture
def omar(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Omar")


def draft(acme: Company, user: User, text: str) -> PlanVersion:
    key = read_yaml(text)["key"]
    with acme.scope(user):
        plan = services.plan_create(key=key, name=key.title())
        return services.version_draft(
            plan=plan, text=text, starts_on=date(2026, 1, 1), note="The first", prepared_by=user
        )


def of(version: PlanVersion, name: str, **more: object) -> str:
    return url(name, key=version.plan.key, number=version.number, **more)


def test_a_whole_draft_is_read_edited_and_compared(acme: Company, olga: User) -> None:
    version, client = draft(acme, olga, WHOLE), signed_in(olga)
    read = client.get(of(version, "version")).content.decode()
    assert "is not published" not in read
    assert "Incentive" in read and "B: Rate table" in read and "Product series" not in read.split("B: Rate table")[0]
    for path in (
        f"{url('plan', key='whole')}?tab=components",
        of(version, "version_edit"),
        of(version, "version_diff", other=1),
        of(version, "version_publish"),
        f"{url('version_import', key='whole')}?from=1",
    ):
        assert client.get(path).status_code == 200, path


def typed(client: Client, version: PlanVersion) -> dict[str, str]:
    """What a browser would send back of the form, untouched."""
    found = {"starts_on": "2026-01-01", "ends_on": "", "note": "As before"}
    for part in client.get(of(version, "version_edit")).context["editor"].parts:
        for form in part.pieces:
            forms = [form.management_form, *form] if hasattr(form, "management_form") else [form]
            for each in forms:
                found |= {bound.html_name: str("" if (v := bound.value()) is None else v) for bound in each}
    return found


def test_the_form_leaves_what_it_does_not_show(acme: Company, olga: User) -> None:
    version, client = draft(acme, olga, WHOLE), signed_in(olga)
    page = client.get(of(version, "version_edit")).content.decode()
    assert "Edited as text: Tiers, ramp, modifiers, kickers, limits, minimum, caps, budget, gates, clawback" in page
    answer = client.post(of(version, "version_edit"), typed(client, version))
    assert answer.status_code == 302
    with acme.scope(olga):
        kept = PlanVersion.objects.get()
        assert selectors.document(kept) == selectors.document(version)
    assert kept.note == "As before"


def test_rates_beside_new_constructs_are_still_edited(acme: Company, olga: User) -> None:
    more = "    cap: null\n    minimum: {amount: 50.00, per: credit}\n    limits: {rate: 30%}\n"
    version, client = draft(acme, olga, plan_text().replace("    cap: null\n", more)), signed_in(olga)
    values = typed(client, version) | {"part-commission-rates-0-rate": "11%"}
    assert client.post(of(version, "version_edit"), values).status_code == 302
    with acme.scope(olga):
        before, now = selectors.document(version), selectors.document(PlanVersion.objects.get())
    before["components"][0]["tiers"]["rates"][0]["rate"] = "11%"
    assert now == before


@pytest.mark.parametrize(("earned", "says"), [("100.00", "Holds"), ("99.00", "Does not hold")])
def test_examples_are_told_before_somebody_publishes(
    acme: Company, olga: User, omar: User, earned: str, says: str
) -> None:
    version = draft(acme, olga, plan_text() + EXAMPLE.replace("EARNED", earned))
    page = signed_in(olga).get(of(version, "version")).content.decode()
    assert "One deal" in page and says in page
    client = signed_in(omar)
    asked = html.unescape(client.get(of(version, "version_publish")).content.decode())
    assert ("cannot be published before" in asked) == (earned == "99.00")
    told = html.unescape(client.post(of(version, "version_publish"), follow=True).content.decode())
    assert ("expects $99.00, the plan comes to $100.00" in told) == (earned == "99.00")


def test_a_text_is_offered_as_it_stands(acme: Company, olga: User) -> None:
    version = draft(acme, olga, WHOLE)
    form = signed_in(olga).get(f"{url('version_import', key='whole')}?from=1").context["form"]
    with acme.scope(olga):
        assert form["text"].value() == to_yaml(selectors.document(version))
