"""Companies, people and plans for tests, made by the services that the product uses.

acme = company("acme")
with acme.scope():
    ann = person(acme, "Ann")
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from comp.people import services as people
from comp.people.models import CreditRole, Participant, PayCalendar, PayGroup
from comp.tenancy import services as tenancy
from comp.tenancy.capabilities import Role
from comp.tenancy.models import Tenant, User
from comp.tenancy.scope import Actor, Pay, Scope, tenant_scope
from plans import services as plans
from plans.models import Plan, PlanVersion

PASSWORD = "nine-lamps-over-water"
LIBRARY = Path(__file__).resolve().parent.parent / "plans" / "rules" / "library"


@dataclass(frozen=True)
class Company:
    """A tenant with one monthly pay group and the credit roles ae and manager."""

    tenant: Tenant
    calendar: PayCalendar
    pay_group: PayGroup
    ae: CreditRole
    manager: CreditRole

    def scope(self, user: User | None = None, pay: Pay | None = None) -> AbstractContextManager[Scope]:
        """The tenant's scope, as a user or as the test, seeing everybody's pay unless told otherwise."""
        actor = Actor("user", str(user), user_id=user.pk) if user else Actor.command("test")
        return tenant_scope(self.tenant.pk, actor=actor, pay=pay or Pay.everyone())


def company(slug: str = "acme", *, opens_on: date = date(2026, 1, 1), currency: str = "USD") -> Company:
    tenant = tenancy.tenant_create(slug=slug, name=slug.title(), time_zone="Europe/Berlin", currency=currency)
    with tenant_scope(tenant.pk, actor=Actor.command("test")):
        calendar = people.calendar_create(key="monthly", name="Monthly", kind="monthly")
        return Company(
            tenant,
            calendar,
            people.pay_group_create(key="sales", name="Sales", calendar=calendar, opens_on=opens_on),
            people.credit_role_create(key="ae", name="Account executive"),
            people.credit_role_create(key="manager", name="Manager"),
        )


def member(where: Company, role: Role, name: str = "") -> User:
    """Somebody who can log in with PASSWORD and has the role in the company. One user for each name."""
    name = name or role.label
    email = f"{re.sub('[^a-z]+', '.', name.lower())}@{where.tenant.slug}.test"
    user = User.objects.filter(email=email).first()
    if user is None:
        user = tenancy.user_create(email=email, full_name=name, password=PASSWORD)
    with where.scope():
        tenancy.membership_add(user=user, role=role)
    return user


def person(
    where: Company, name: str, *, starts_on: date = date(2026, 1, 1), user: User | None = None, currency: str = ""
) -> Participant:
    """A participant paid in the company's pay group, and in its currency unless told otherwise. Inside the company's
    scope."""
    return people.participant_create(
        key=re.sub("[^a-z0-9]+", "-", name.lower()),
        name=name,
        currency=currency or where.tenant.currency,
        pay_group=where.pay_group,
        starts_on=starts_on,
        user=user,
    )


def library(key: str) -> str:
    """The text of a plan of the library, account-executive, manager or sales-engineer-csm, without its examples: tests
    change rates, and what its examples promise no longer held."""
    return (LIBRARY / f"{key}.yaml").read_text().partition("\nexamples:")[0] + "\n"


def published(
    key: str, *, ops: User, other: User, starts_on: date = date(2026, 1, 1), text: str | None = None
) -> PlanVersion:
    """A version in force of the plan `key`, prepared by one and published by another. Inside the company's scope."""
    plan = Plan.objects.filter(key=key).first() or plans.plan_create(key=key, name=key.replace("-", " ").capitalize())
    draft = plans.version_draft(
        plan=plan, text=text or library(key), starts_on=starts_on, note="A new year", prepared_by=ops
    )
    return plans.version_publish(version=draft, published_by=other)
