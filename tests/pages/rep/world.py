"""A quarter of one small company, made by the product itself: deals by signed hooks, figures by the worker.

Ann sells (quota $20,000.00 for the quarter), Bob sells, Mia leads both. October's batch is paid; after that Ann's first
deal is corrected, which November carries as an adjustment. It is 20 November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from comp.outbox.services import work_once
from comp.people import services as people
from comp.people.models import Participant
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from crediting.services.catalogue import account_create, product_create
from payouts.models import Batch
from payouts.services import batches
from plans import services as plans
from tests.factories import Company, company, member, person, published
from tests.intake.sending import Sender, deal, event, sender

OCTOBER, NOVEMBER, JANUARY = date(2026, 10, 1), date(2026, 11, 1), date(2027, 1, 1)
TODAY = date(2026, 11, 20)


@dataclass
class World:
    company: Company
    crm: Sender
    users: dict[str, User] = field(default_factory=dict)
    people: dict[str, Participant] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"/t/{self.company.tenant.slug}"

    def work(self) -> None:
        """What the worker does, until nothing is left."""
        while work_once(self.company.tenant.pk):
            pass

    def won(self, name: str, day: str, amount: str, owner: str = "ann", **data: Any) -> None:
        at = data.pop("at", f"{day}T10:00:00Z")
        self.crm.send(deal("won", at, deal=name, owner=owner, amount=amount, close_date=day, **data))

    def milestone(self, name: str, kind: str, day: str) -> None:
        self.crm.send(event("milestone.reached", f"{day}T12:00:00Z", deal=name, milestone=kind, on=day))

    def usage(self, name: str, used: int, day: str) -> None:
        self.crm.send(event("usage.reported", f"{day}T12:00:00Z", deal=name, used=used, contracted=100, on=day))

    def submit(self, starts_on: date) -> Batch:
        with self.company.scope(self.users["Fay"]):
            return batches.batch_submit(
                pay_group=self.company.pay_group, starts_on=starts_on, submitted_by=self.users["Fay"]
            )

    def approve(self, batch: Batch) -> Batch:
        with self.company.scope(self.users["Finn"]):
            return batches.batch_approve(batch=batch, approved_by=self.users["Finn"], digest=batch.digest)

    def pay(self, batch: Batch) -> Batch:
        with self.company.scope(self.users["Finn"]):
            batches.batch_export(batch=batch, by=self.users["Finn"])
            return batches.batch_mark_paid(batch=batch, paid_by=self.users["Finn"])


def hired(slug: str = "acme") -> World:
    """The company with its people, plans and quotas, before any deal."""
    acme = company(slug, opens_on=OCTOBER)
    world = World(acme, sender(acme))
    for name, role in (
        ("Ann", Role.REPRESENTATIVE), ("Bob", Role.REPRESENTATIVE), ("Mia", Role.MANAGER), ("Fay", Role.FINANCE),
        ("Finn", Role.FINANCE), ("Olga", Role.SALES_OPS), ("Otto", Role.SALES_OPS),
    ):  # fmt: skip
        world.users[name] = member(acme, role, name)
    with acme.scope():
        for name in ("Ann", "Bob", "Mia"):
            who = world.people[name] = person(acme, name, user=world.users[name])
            title, role = ("Sales manager", acme.manager) if name == "Mia" else ("Account executive", acme.ae)
            people.position_set(
                participant=who, title=title, credit_role=role, team=None, territory=None, starts_on=date(2026, 1, 1)
            )
        for name in ("Ann", "Bob"):
            people.reporting_line_set(
                participant=world.people[name], manager=world.people["Mia"], starts_on=date(2026, 1, 1)
            )
        product_create(key="gtx-pro", name="GTX Pro", series="GTX", list_price_minor=482100)
        for key, name in (("acme", "Acme"), ("isdom", "Isdom"), ("konex", "Konex"), ("stanredtax", "Stanredtax")):
            account_create(key=key, name=name)
        by = {"ops": world.users["Olga"], "other": world.users["Otto"]}
        sells, leads = published("account-executive", **by), published("manager", **by)
        for name, version, quota, amount in (
            ("Ann", sells, "new-business", 2_000_000),
            ("Bob", sells, "new-business", 2_000_000),
            ("Mia", leads, "team-bookings", 4_000_000),
        ):
            who = world.people[name]
            plans.assignment_set(participant=who, plan=version.plan, starts_on=date(2026, 1, 1))
            plans.quota_set(
                participant=who, key=quota, starts_on=OCTOBER, ends_on=JANUARY, amount_minor=amount, currency="USD"
            )
    return world


def selling(slug: str = "acme") -> World:
    """The whole quarter so far."""
    world = hired(slug)
    world.won("D1", "2026-10-12", "4514.00")
    world.milestone("D1", "signature", "2026-10-12")
    world.won("D2", "2026-10-20", "6200.00", account="isdom")
    world.milestone("D2", "signature", "2026-10-21")
    world.milestone("D2", "go-live", "2026-11-05")
    world.won("B1", "2026-11-03", "5000.00", owner="bob")
    world.work()
    world.pay(world.approve(world.submit(OCTOBER)))
    world.won("D3", "2026-11-11", "12000.00", account="konex")
    world.won("D4", "2026-11-14", "3000.00", account="stanredtax")
    world.milestone("D4", "signature", "2026-11-14")
    world.usage("D4", 30, "2026-11-18")
    world.won("D1", "2026-10-12", "4700.00", at="2026-11-15T09:12:00Z")
    world.work()
    return world
