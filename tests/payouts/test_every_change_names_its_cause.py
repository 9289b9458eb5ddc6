"""Whatever moves a figure is named: what it was, what it is, and by which change, on the page of the line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from django.test import Client

from comp.core.money import format_money
from comp.people import services as people
from comp.people.models import CreditRole, Participant, Team
from comp.people.rates import rate_set
from crediting import intake
from crediting.services.issues import mapping_set
from crediting.services.mappings import field_mapping_set
from payouts.models import Earning, FigureChange
from plans import services as plans
from plans.models import Plan, PlanAssignment
from plans.roster import roster_text_apply
from tests.intake.test_records_become_facts import HISTORY, Crm, prop
from tests.payouts.house import House, house, plan_text
from tests.payouts.test_a_change_redoes_the_least import POOL
from tests.payouts.test_the_whole_language_pays_from_the_database import full_agrees
from tests.payouts.test_what_others_do_is_paid import OVERRIDE, PRIZES, QUARTER, join, with_component

JANUARY = date(2026, 1, 1)
SENIOR = """    modifiers:
      combine: multiply
      each: [{key: senior, when: {field: person.title, op: is, value: Senior AE}, times: 1.25}]
    cap: null
"""
TEXT = with_component(
    plan_text()
    .replace("credit_rules:", "currencies: {pay_rate: credit_date}\ncredit_rules:", 1)
    .replace("    cap: null\n", SENIOR, 1),
    OVERRIDE + PRIZES + POOL,
)


@dataclass
class Watch:
    """The company, and Finance at the page of a line."""

    acme: House
    finance: Client

    def named(self, name: str, component: str, kind: str, label: str) -> None:
        """The latest change of somebody's lines has this cause, and the page of the line shows it."""
        self.acme.work()
        with self.acme.acme.scope():
            change = FigureChange.objects.filter(participant__name=name, component=component).latest("id")
            assert (change.cause.kind, change.cause.label[: len(label)]) == (kind, label)
            assert change.before_minor != change.after_minor
            line = Earning.objects.get(
                **{key: getattr(change, key) for key in ("participant_id", "line_kind", "fact", "origin", "period")},
                component=component,
            )
        page = unescape(self.finance.get(f"/t/{self.acme.acme.tenant.slug}/why/{line.pk}/").content.decode())
        before, after = (format_money(minor, "USD") for minor in (change.before_minor, change.after_minor))
        assert change.cause.label in page and f"{before} → {after}" in page


@pytest.fixture
def watch() -> Watch:
    acme, finance = house(TEXT), Client()
    finance.force_login(acme.preparer, backend="django.contrib.auth.backends.ModelBackend")
    for name in ("Bob", "Max", "Vera"):
        join(acme, name)
    with acme.acme.scope(acme.ops):
        people.reporting_line_set(participant=acme.ann, manager=Participant.objects.get(name="Max"), starts_on=JANUARY)
        rate_set(source="EUR", target="USD", kind="spot", starts_on=JANUARY, rate="1.10")
    acme.won("A", "60000.00", "2026-01-10")
    acme.won("B", "10000.00", "2026-01-11", owner="bob", currency="EUR")
    acme.work()
    return Watch(acme, finance)


@pytest.mark.django_db
def test_facts_plans_quotas_and_rates(watch: Watch) -> None:
    acme = watch.acme
    acme.won("A", "70000.00", "2026-01-10", at="2026-02-11T10:00:00Z", version=2)
    watch.named("Ann", "commission", "deal", "Deal A won, 70,000.00 USD")
    watch.named("Max", "override", "deal", "Deal A won, 70,000.00 USD")
    acme.publish(TEXT.replace("from: 0%, rate: 10%", "from: 0%, rate: 11%"), note="One percent more")
    watch.named("Ann", "commission", "plan", "Worked, version 2 published: One percent more")
    watch.named("Max", "override", "plan", "Worked, version 2 published: One percent more")
    with acme.acme.scope(acme.ops):
        plans.quota_set(participant=acme.ann, key="sales", **QUARTER | {"amount_minor": 5_000_000})
    watch.named("Ann", "commission", "quota", "Quota sales of Ann")
    watch.named("Max", "override", "quota", "Quota sales of Ann")
    with acme.acme.scope(acme.ops):
        rate_set(source="EUR", target="USD", kind="spot", starts_on=JANUARY, rate="1.20")
    watch.named("Bob", "commission", "rate", "EUR to USD (spot) 1.2 from 1 January 2026")
    full_agrees(acme)


@pytest.mark.django_db
def test_assignments_and_people(watch: Watch) -> None:
    acme = watch.acme
    acme.won("C", "90000.00", "2026-01-12", owner="bob")
    watch.named("Ann", "contest", "deal", "Deal C won")
    with acme.acme.scope(acme.ops):
        bobs = PlanAssignment.objects.get(participant__name="Bob", plan=Plan.objects.get(key="worked"))
        plans.assignment_end(assignment=bobs, ends_on=date(2026, 1, 5))
    watch.named("Ann", "contest", "assignment", "Bob on Worked")
    with acme.acme.scope(acme.ops):
        role = CreditRole.objects.get(key="ae")
        people.position_set(participant=acme.ann, title="Senior AE", credit_role=role, starts_on=JANUARY)
    watch.named("Ann", "commission", "people", "Ann is Senior AE from 1 January 2026")
    watch.named("Max", "override", "people", "Ann is Senior AE from 1 January 2026")
    with acme.acme.scope(acme.ops):
        vera = Participant.objects.get(name="Vera")
        people.reporting_line_set(participant=acme.ann, manager=vera, starts_on=JANUARY)
    watch.named("Vera", "override", "people", "Ann reports to Vera from 1 January 2026")
    with acme.acme.scope(acme.ops):
        outcome = roster_text_apply(text="employee,as_of,title\nann,2026-01-01,AE\n", dry_run=False)
        assert outcome.errors == ()
    watch.named("Ann", "commission", "people", "Ann is AE from 1 January 2026")
    with acme.acme.scope(acme.ops):
        north = people.team_create(key="north", name="North")
        people.position_set(participant=acme.ann, title="AE", credit_role=role, team=north, starts_on=JANUARY)
    watch.named("Ann", "share", "people", "Ann is AE from 1 January 2026")
    with acme.acme.scope(acme.ops):
        people.position_set(
            participant=vera, title="Lead", credit_role=role, team=Team.objects.get(key="north"), starts_on=JANUARY
        )
    watch.named("Ann", "share", "people", "Vera is Lead from 1 January 2026")
    full_agrees(acme)


@pytest.mark.django_db
def test_a_field_mapping(watch: Watch) -> None:
    """What is credited of a deal of the source's follows its mapping; the line that goes names it too."""
    acme = watch.acme
    here = Crm(acme.acme)
    here.take([one for one in HISTORY if one["eventId"] != 19], prop(20, "hubspot_owner_id", "61204418"))
    with acme.acme.scope():
        mapping_set(endpoint=here.endpoint, kind="owner", value="61204418", target="ann", user=None)
    acme.work()
    text = (Path(intake.__file__).parent / "hubspot" / "mapping.yaml").read_text()
    with acme.acme.scope():
        stood = FigureChange.objects.filter(participant=acme.ann).latest("id")
        field_mapping_set(
            endpoint=here.endpoint, text=text.replace("closedwon: won", "closedwon: lost"), note="Lost", user=None
        )
    acme.work()
    with acme.acme.scope():
        gone = FigureChange.objects.filter(participant=acme.ann, component="commission").latest("id")
        assert gone.pk > stood.pk and gone.after_minor == 0
        assert gone.cause.kind == "mapping" and gone.cause.label.startswith("Field mapping 1 of hubspot: Deal ")
    full_agrees(acme)
