"""A company with two people who sell and four who do not, its figures put down by hand: these tests know no kernel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache

from django.contrib.auth.hashers import make_password
from django.test import Client

from comp.people.models import Participant, PayCalendar, PayGroup
from comp.tenancy.models import Membership, Tenant, User
from comp.tenancy.scope import Actor, Pay, tenant_scope
from crediting.models import Credit, Deal, DealRevision, HookEndpoint, RawDelivery
from payouts.models import Batch, Cause, Earning, NegativePolicy, Payable, Tranche
from payouts.services import batches
from payouts.services.payables import payables_refresh
from plans.models import Plan, PlanVersion

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
PASSWORD = "a long enough password"


@dataclass
class World:
    tenant: Tenant
    users: dict[str, User]
    group: PayGroup = field(init=False)
    people: dict[str, Participant] = field(default_factory=dict)
    endpoint: HookEndpoint = field(init=False)
    plan: Plan = field(init=False)
    version: PlanVersion = field(init=False)

    @contextmanager
    def scope(self, pay: Pay | None = None) -> Iterator[None]:
        with tenant_scope(self.tenant.pk, actor=Actor.command("test"), pay=pay or Pay.everyone()):
            yield

    def earn(self, who: str, deal: str, minor: int, release: date | None) -> None:
        """One line of one tranche as the recompute would leave it; said again, it replaces what stood."""
        with self.scope():
            found = Deal.objects.filter(external_id=deal).first() or self._deal(deal)
            key = {
                "participant": self.people[who],
                "fact": found.pk,
                "deal": found,
                "plan": self.plan,
                "rule": "deals",
                "role": "ae",
                "split": 0,
            }
            line = {"plan_version": self.version, "currency": "USD", "pay_group": self.people[who].pay_group}
            day = release or JANUARY
            Credit.objects.update_or_create(
                **key,
                defaults={
                    **line,
                    "revision": found.revision_id,
                    "credit_class": "bookings",
                    "kind": 0,
                    "credit_date": day,
                }
                | {"pot_minor": minor * 10, "amount_minor": minor * 10},
            )
            Earning.objects.update_or_create(
                **key,
                component="commission",
                defaults={
                    **line,
                    "credit_date": day,
                    "period_starts_on": JANUARY,
                    "credit_minor": minor * 10,
                    "position": 1,
                }
                | {
                    "before_minor": 0,
                    "after_minor": minor * 10,
                    "quota_minor": 100_000_00,
                    "tier_before": 0,
                    "tier_after": 0,
                }
                | {"band": 0, "rounded_minor": minor, "earned_minor": minor, "waiting": 0},
            )
            Tranche.objects.update_or_create(
                **key,
                component="commission",
                index=0,
                defaults={
                    **line,
                    "credit_date": day,
                    "amount_minor": minor,
                    "trigger": "credit_date",
                    "trigger_day": release,
                }
                | {"release_day": release, "period_starts_on": release.replace(day=1) if release else None},
            )
        self.refresh()

    def refresh(self) -> None:
        with self.scope():
            payables_refresh(participants=None, cause=Cause.objects.create(kind=Cause.Kind.JOB, label="Set up"))

    def submit(self, starts_on: date = JANUARY, by: str = "fiona") -> Batch:
        with self.scope():
            return batches.batch_submit(pay_group=self.group, starts_on=starts_on, submitted_by=self.users[by])

    def approve(self, batch: Batch, by: str = "frank", digest: str | None = None) -> Batch:
        with self.scope():
            return batches.batch_approve(batch=batch, approved_by=self.users[by], digest=digest or batch.digest)

    def pay(self, batch: Batch, by: str = "fiona") -> Batch:
        with self.scope():
            batches.batch_export(batch=batch, by=self.users[by])
            return batches.batch_mark_paid(batch=batch, paid_by=self.users[by])

    def payable(self) -> dict[str, int]:
        """What the open period owes, by participant key."""
        with self.scope():
            found: dict[str, int] = {}
            for key, minor in Payable.objects.values_list("participant__key", "amount_minor"):
                found[key] = found.get(key, 0) + minor
            return found

    def client(self, who: str) -> Client:
        client = Client()
        client.force_login(self.users[who], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def url(self, rest: str) -> str:
        return f"/t/{self.tenant.slug}/{rest}"

    def person(self, key: str, name: str, user: str | None = None, group: PayGroup | None = None) -> Participant:
        with self.scope():
            self.people[key] = Participant.objects.create(
                key=key,
                name=name,
                currency="USD",
                pay_group=group or self.group,
                starts_on=JANUARY,
                user=self.users[user] if user else None,
            )
        return self.people[key]

    def _deal(self, external_id: str) -> Deal:
        at = datetime(2026, 1, 5, tzinfo=UTC)
        body = external_id.encode()
        delivery = RawDelivery.objects.create(
            endpoint=self.endpoint,
            sender_id=f"msg-{external_id}",
            sent_at=at,
            body=body,
            body_sha256=hashlib.sha256(body).hexdigest(),
            state="done",
        )
        said = {
            "endpoint": self.endpoint,
            "external_id": external_id,
            "version": 1,
            "event_time": at,
            "stage": "won",
        } | {
            "sender_id": delivery.sender_id,
            "amount_minor": 1_000_00,
            "currency": "USD",
            "close_date": JANUARY,
        }
        return Deal.objects.create(**said, revision=DealRevision.objects.create(**said, delivery=delivery))


@cache
def _hash() -> str:
    return make_password(PASSWORD)


def company(slug: str = "acme") -> World:
    """Fiona, Frank and Greta of Finance, Rita and Sam who sell (Rita can log in), Lena who leads, Ada who
    administrates; the plan is Sales Ops'."""
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), time_zone="UTC", currency="USD")
    roles = {
        "fiona": "finance",
        "frank": "finance",
        "greta": "finance",
        "rita": "representative",
        "lena": "revenue_leader",
        "ada": "administrator",
    }
    roles |= {"ops": "sales_ops", "olaf": "sales_ops"}
    users = {}
    for name in roles:
        user = User(username=f"{name}@{slug}.test", email=f"{name}@{slug}.test", full_name=name.title())
        user.password = _hash()
        user.save()
        users[name] = user
    world = World(tenant, users)
    with world.scope():
        for name, role in roles.items():
            Membership.objects.create(tenant=tenant, user=users[name], role=role)
        calendar = PayCalendar.objects.create(key="monthly", name="Monthly", kind="monthly")
        world.group = PayGroup.objects.create(key="sales", name="Sales", calendar=calendar, opens_on=JANUARY)
        collected = {"currency": "USD", "way": "collect", "share": 100, "keep_minor": 0}
        NegativePolicy.objects.create(pay_group=world.group, **collected)
        world.endpoint = HookEndpoint.objects.create(key="crm", name="CRM", token=f"token-of-{slug}")
        world.plan = Plan.objects.create(key="ae", name="Account executive")
        world.version = PlanVersion.objects.create(
            plan=world.plan,
            number=1,
            state="published",
            starts_on=JANUARY,
            document="{}",
            digest="d" * 64,
            prepared_by=users["ops"],
            prepared_at=datetime(2026, 1, 1, tzinfo=UTC),
            published_by=users["olaf"],
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    world.person("R1", "Rita Rep", user="rita")
    world.person("S1", "Sam Seller")
    return world


def january() -> World:
    """Rita is owed 100.00 and 25.50, Sam 40.00; Sam's second deal waits for its signature."""
    world = company()
    world.earn("R1", "D-1", 100_00, date(2026, 1, 10))
    world.earn("R1", "D-2", 25_50, date(2026, 1, 20))
    world.earn("S1", "D-3", 40_00, date(2026, 1, 12))
    world.earn("S1", "D-4", 60_00, None)
    return world
