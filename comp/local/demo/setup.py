"""What a company decides before the first event: people, places, plans, quotas, its catalogue and its endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from django.db import transaction

from comp.core.money import parse_money
from comp.local.demo import source
from comp.local.demo.companies import (
    CHIEF,
    CURRENCY,
    ENGINEERS,
    MAIN,
    NOTE,
    PASSWORD,
    RIVAL_NOTE,
    SUCCESS,
    TIME_ZONE,
    Company,
)
from comp.local.demo.events import months
from comp.local.demo.quotas import quotas
from comp.local.demo.source import Opportunity
from comp.local.demo.transport import Address
from comp.people import services as people
from comp.people.models import CreditRole, Participant, PayGroup, Team, Territory
from comp.tenancy import services as tenancy
from comp.tenancy.models import Tenant, User
from comp.tenancy.scope import Actor, Pay, tenant_scope
from crediting.models import HookEndpoint
from crediting.services.catalogue import account_create, product_create
from crediting.services.endpoints import door_of, endpoint_create
from crediting.services.issues import mapping_set
from payouts.models import NegativePolicy
from payouts.services.negatives import negative_policy_set
from plans import services as plans
from plans.models import Plan

PLANS = Path(__file__).parent / "plans"
#: Which plan pays which role.
PLAN_OF = {
    "ae": "account-executive",
    "manager": "manager",
    "se": "sales-engineer-csm",
    "csm": "sales-engineer-csm",
}
TITLES = {
    "ae": "Account executive",
    "manager": "Sales manager",
    "se": "Sales engineer",
    "csm": "Customer success manager",
    "cro": "Chief revenue officer",
}
ENDPOINT = "crm"
#: Deals without a customer stand on it until the CRM names one.
NO_ACCOUNT = "unassigned"


def company_make(company: Company, opportunities: Sequence[Opportunity], today: date) -> Tenant:
    """The company, all or nothing: a start that was interrupted begins anew."""
    with transaction.atomic():
        note = NOTE if company is MAIN else RIVAL_NOTE
        tenant = tenancy.tenant_create(
            slug=company.slug, name=company.name, time_zone=TIME_ZONE, currency=CURRENCY, note=note
        )
        with tenant_scope(tenant.pk, actor=Actor.command("demo"), pay=Pay.nobody()):
            users = _users(company)
            _catalogue(company)
            _endpoint(users[company.makers[0]])
            start = _first_day(opportunities, today)
            participants = _people(company, users, start, months(opportunities, today)[0])
            _plans(company, participants, users, start)
            for row in quotas(company, opportunities, today):
                plans.quota_set(
                    participant=participants[row.person][0],
                    key=row.key,
                    starts_on=row.starts_on,
                    ends_on=row.ends_on,
                    amount_minor=parse_money(str(row.amount), CURRENCY),
                    currency=CURRENCY,
                )
    return tenant


def address(tenant: Tenant) -> Address:
    """Where the company's CRM posts, and how it signs."""
    with tenant_scope(tenant.pk, actor=Actor.command("demo"), pay=Pay.nobody()):
        token = HookEndpoint.objects.get(key=ENDPOINT).token
    door = door_of(token)
    assert door is not None, f"{tenant.slug} has no live endpoint {ENDPOINT}"
    return Address(tenant.pk, token, door.secrets[-1])


def _first_day(opportunities: Sequence[Opportunity], today: date) -> date:
    """The first of the month in which the first deal was engaged: everybody is there from then on."""
    return min((row.engaged for row in opportunities if row.engaged), default=today).replace(day=1)


# ------------------------------------------------------------------ who may log in


def _users(company: Company) -> dict[str, User]:
    """By e-mail. Somebody who stands there already (the one of both companies) gets a membership more."""
    found = {}
    for login in company.logins:
        user = User.objects.filter(email=login.email).first()
        if user is None:
            user = tenancy.user_create(email=login.email, full_name=login.name, password=PASSWORD)
        tenancy.membership_add(user=user, role=login.role)
        found[login.email] = user
    return found


# ------------------------------------------------------------------ the catalogue and the hook


def _catalogue(company: Company) -> None:
    for row in source.products():
        product_create(
            key=row["product"].lower().replace(" ", "-"),
            name=row["product"],
            series=row["series"],
            list_price_minor=int(int(row["sales_price"]) * 100 * company.factor),
        )
    account_create(key=NO_ACCOUNT, name="No account yet")


def _endpoint(user: User) -> None:
    endpoint, _ = endpoint_create(key=ENDPOINT, name="CRM")
    # The sectors that are meant. "technolgy" is not among them: somebody will have to say what it is.
    for sector in sorted({row["sector"] for row in source.accounts()} - {"technolgy"}):
        mapping_set(endpoint=endpoint, kind="sector", value=sector, target=sector, user=user)


# ------------------------------------------------------------------ people


def _people(
    company: Company, users: dict[str, User], start: date, opens_on: date
) -> dict[str, tuple[Participant, str]]:
    """Participants and their roles by name: the agents, their managers, those beside them and the one above."""
    calendar = people.calendar_create(key="monthly", name="Monthly", kind="monthly", fiscal_year_start=1)
    group = people.pay_group_create(key="sales", name="Sales", calendar=calendar, opens_on=opens_on)
    negative_policy_set(pay_group=group, currency=CURRENCY, way=NegativePolicy.Way.CARRY)
    roles = {key: people.credit_role_create(key=key, name=title) for key, title in TITLES.items() if key != "cro"}
    chief_role = people.credit_role_create(key="cro", name=TITLES["cro"])
    agents = source.agents()
    offices = {
        office: people.territory_create(key=office.lower(), name=office)
        for office in sorted({agent.office for agent in agents})
    }
    managers = {agent.manager: agent.office for agent in agents}
    teams = {
        manager: people.team_create(key=manager.lower().replace(" ", "-"), name=f"Team {manager}")
        for manager in managers
    }
    maker = _Maker(company, users, start, group, {**roles, "cro": chief_role})
    chief = maker.person(CHIEF, "cro", None, None)
    for manager, office in managers.items():
        maker.person(manager, "manager", teams[manager], offices[office], under=chief)
    for agent in agents:
        boss = maker.made[agent.manager][0]
        maker.person(agent.name, "ae", teams[agent.manager], offices[agent.office], under=boss)
    if company.overlays:
        for role, beside in (("se", ENGINEERS), ("csm", SUCCESS)):
            for name, office in beside:
                maker.person(name, role, None, offices.get(office), under=chief)
    return maker.made


class _Maker:
    """Makes participants, numbered in the order in which they come."""

    def __init__(
        self, company: Company, users: dict[str, User], start: date, group: PayGroup, roles: dict[str, CreditRole]
    ) -> None:
        self.company, self.users, self.start, self.group, self.roles = company, users, start, group, roles
        self.emails = {login.participant: login.email for login in company.logins if login.participant}
        self.made: dict[str, tuple[Participant, str]] = {}

    def person(
        self, name: str, role: str, team: Team | None, territory: Territory | None, *, under: Participant | None = None
    ) -> Participant:
        email = self.emails.get(name, "")
        made = people.participant_create(
            key=f"{self.company.prefix}{1001 + len(self.made)}",
            name=name,
            currency=CURRENCY,
            pay_group=self.group,
            starts_on=self.start,
            email=email or f"{name.lower().replace(' ', '.')}@{self.company.slug}.example",
            user=self.users.get(email),
        )
        people.position_set(
            participant=made,
            title=TITLES[role],
            credit_role=self.roles[role],
            team=team,
            territory=territory,
            starts_on=self.start,
        )
        if under is not None:
            people.reporting_line_set(participant=made, manager=under, starts_on=self.start)
        self.made[name] = (made, role)
        return made


# ------------------------------------------------------------------ plans


def _plans(
    company: Company, participants: dict[str, tuple[Participant, str]], users: dict[str, User], start: date
) -> None:
    """Each plan drafted by one of Sales Ops, published by the other, in force from before the first event."""
    prepares, publishes = (users[email] for email in company.makers)
    made: dict[str, Plan] = {}
    # From the year's start, so that the text reads like one: the first event lies behind it.
    starts_on = (start - timedelta(days=1)).replace(day=1)
    for path in sorted(PLANS.glob(f"{company.slug}-*.yaml")):
        key = path.stem.removeprefix(f"{company.slug}-")
        text = path.read_text()
        with _as(prepares):
            plan = made[key] = plans.plan_create(key=key, name=_name(text))
            draft = plans.version_draft(
                plan=plan, text=text, starts_on=starts_on, note="The plan of this year", prepared_by=prepares
            )
        with _as(publishes):
            plans.version_publish(version=draft, published_by=publishes)
    for participant, role in participants.values():
        if role in PLAN_OF:
            plans.assignment_set(participant=participant, plan=made[PLAN_OF[role]], starts_on=start)


def _name(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("name: ")).removeprefix("name: ")


def _as(user: User):  # type: ignore[no-untyped-def]
    from comp.tenancy.scope import current_tenant_id

    return tenant_scope(current_tenant_id(), actor=Actor("user", str(user), user_id=user.pk))
