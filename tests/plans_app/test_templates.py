"""The pages of templates: the list, each preview, and a draft made from one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from comp.core.errors import Problem, ProblemsError
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from plans import services
from plans.models import Plan, PlanVersion
from plans.rules.compile import compile_plan
from plans.rules.load import read_yaml
from plans.rules.reach import unsupported
from plans.rules.templates import template, templates
from tests.factories import Company, company, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Company:
    return company("acme")


@pytest.fixture
def olga(acme: Company) -> User:
    return member(acme, Role.SALES_OPS, "Olga")


@pytest.fixture
def client(olga: User) -> Client:
    return signed_in(olga)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def url(name: str, **kwargs: object) -> str:
    return reverse(name, kwargs={"tenant": "acme", **kwargs})


def body(client: Client, address: str) -> str:
    said = client.get(address)
    assert said.status_code == 200
    return said.content.decode()


def test_the_list_has_every_template_and_leads_to_it(client: Client) -> None:
    assert url("template_list") in body(client, url("plan_list"))
    page = body(client, url("template_list"))
    for found in templates():
        assert url("template_preview", template_key=found.key) in page
        assert found.sentence.replace("'", "&#x27;") in page
    assert page.count("<svg viewBox=") >= len(templates())


def test_each_preview_reads_the_plan_and_its_examples(client: Client) -> None:
    for found in templates():
        page = body(client, url("template_preview", template_key=found.key))
        assert page.count("Holds") == len(found.examples) >= 3, found.key
        assert "Does not hold" not in page


def test_a_preview_says_what_the_database_does_not_deliver_yet(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the library's templates all is paid from the database; of a plan of points it is said."""
    for each in templates():
        assert unsupported(compile_plan(read_yaml(each.text))) == [], each.key
    preview = url("template_preview", template_key="spiff")
    assert "once the database delivers" not in body(client, preview)
    points = Problem("currency", "A plan without a currency", "what the database delivers", "not yet")
    monkeypatch.setattr("plans.pages.templates.unsupported", lambda plan: [points])
    assert "once the database delivers a plan without a currency." in body(client, preview)


def test_an_unknown_template_is_not_found(client: Client) -> None:
    assert client.get(url("template_preview", template_key="nowhere")).status_code == 404


def test_only_who_may_edit_plans_sees_them(acme: Company) -> None:
    for role in (Role.FINANCE, Role.ADMINISTRATOR, Role.REPRESENTATIVE):
        reader = signed_in(member(acme, role))
        assert reader.get(url("template_list")).status_code == 403
        assert reader.get(url("template_preview", template_key="spiff")).status_code == 403


def test_using_one_makes_a_plan_with_a_draft(acme: Company, client: Client) -> None:
    start = f"{url('plan_add')}?template=deal-finalisation"
    assert start in body(client, url("template_preview", template_key="deal-finalisation"))
    assert 'value="deal-finalisation"' in body(client, start)
    typed = {"name": "Final", "key": "final", "start": "template:deal-finalisation", "starts_on": "2026-01-01"}
    said = client.post(start, typed)
    assert said.status_code == 302
    assert said["Location"] == url("version", key="final", number=1)
    with acme.scope():
        draft = PlanVersion.objects.get()
        assert draft.state == PlanVersion.State.DRAFT
        assert len(draft.document) > 1000
    assert "40% at signed contract" in body(client, said["Location"])


def test_the_next_phase_becomes_the_next_version(acme: Company, client: Client, olga: User) -> None:
    first, second = template("outcome-transition-1"), template("outcome-transition-2")
    assert first and second and first.plan_key == second.plan_key
    with acme.scope(olga):
        plan = services.plan_create(key=first.plan_key, name="Transition")
        services.version_draft(plan=plan, text=first.text, starts_on=date(2026, 1, 1), note="First", prepared_by=olga)
    start = f"{url('version_import', key=first.plan_key)}?template={second.key}"
    assert start in body(client, url("template_preview", template_key=second.key))
    assert "50% of your variable pay" in body(client, start)
    client.post(start, {"text": second.text, "starts_on": "2026-04-01", "note": "Second phase"})
    with acme.scope():
        assert PlanVersion.objects.filter(plan__key=first.plan_key).count() == 2


def test_every_template_can_be_drafted_and_its_draft_opened(acme: Company, client: Client, olga: User) -> None:
    for found in templates():
        with acme.scope(olga):
            plan = Plan.objects.filter(key=found.plan_key).first()
            plan = plan or services.plan_create(key=found.plan_key, name=found.title)
            draft = services.version_draft(
                plan=plan, text=found.text, starts_on=date(2026, 1, 1), note="Draft", prepared_by=olga
            )
        for page in ("version", "version_edit"):
            body(client, url(page, key=found.plan_key, number=draft.number))
        body(client, f"{url('plan', key=found.plan_key)}?tab=components")


def test_no_plan_takes_the_address_of_the_templates(acme: Company, olga: User) -> None:
    with acme.scope(olga), pytest.raises(ProblemsError, match="address of a page"):
        services.plan_create(key="templates", name="Templates")


ROOT = Path(__file__).parents[2]
PLANS = [*(ROOT / "plans/rules/library").glob("*.yaml"), *(ROOT / "comp/local/demo/plans").glob("*.yaml")]


@pytest.mark.parametrize("path", sorted(PLANS), ids=lambda path: path.stem)
def test_the_plans_that_companies_begin_with_carry_examples_that_hold(path: Path) -> None:
    document = read_yaml(path.read_text())
    assert document["examples"]
    assert services.judged(document) == []
    document["examples"][0]["expect"]["earnings"][0]["amount"] = "0.07"
    assert [problem.path for problem in services.judged(document)] == ["examples[0].expect.earnings[0]"]
