"""A small company that earns: one representative under a manager, a system that posts, two people in Ops and in
Finance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from comp.outbox.services import work_once
from comp.people.models import Participant
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from payouts.models import Batch, Earning, Statement
from payouts.services import batches
from plans import services as plans
from plans.models import Plan
from tests.factories import Company, company, member, person, published
from tests.intake.sending import Sender, catalogue, deal, event, sender

#: Quota 100,000; 10% to 100%, 15% to 120%, 20% beyond, as in the numbers worked by hand of the domain.
PLAN = """
format: comp/plan/1
key: worked
name: Worked by hand
currency: USD
on_new_version: carry
rounding: {at: line, mode: half-even, step: minor}
credit_rules:
  - key: won
    fact: deal
    class: bookings
    when: {all: [{field: stage, op: is, value: won}]}
    credit_date: close_date
    amount: amount
    credit: [{role: ae, share: 100%}]
    roll_up: []
components:
  - key: commission
    name: Commission
    clause: You earn a share of what you sell.
    kind: commission
    credits: {classes: [bookings], roles: [ae]}
    measure: {every: quarter}
    quota: sales
    missing_quota: wait
    zero_quota: highest_tier
    below_zero: lowest_tier
    tiers:
      mode: marginal
      boundary: above
      rates: [{from: 0%, rate: 10%}, {from: 100%, rate: 15%}, {from: 120%, rate: 20%}]
    accelerator: ACCELERATOR
    cap: null
    release: RELEASE
"""


def plan_text(*, accelerator: str = "null", release: str = "[{share: 100%, on: credit_date}]", top: str = "20%") -> str:
    text = PLAN.replace("ACCELERATOR", accelerator).replace("RELEASE", release)
    return text.replace("{from: 120%, rate: 20%}", f"{{from: 120%, rate: {top}}}")


@dataclass(frozen=True)
class House:
    acme: Company
    crm: Sender
    ops: User
    other_ops: User
    preparer: User
    approver: User
    ann: Participant

    def work(self) -> None:
        """What a worker does until nothing waits."""
        for _ in range(50):
            if not work_once(self.acme.tenant.pk):
                return
        raise AssertionError("work does not come to an end")

    def won(self, key: str, amount: str, day: str, **more: object) -> None:
        """Posts a deal of Ann's (or another `owner`'s), as the CRM would."""
        at, owner = more.pop("at", f"{day}T10:00:00Z"), more.pop("owner", "ann")
        self.crm.send(deal("won", str(at), deal=key, owner=owner, amount=amount, close_date=day, **more))

    def milestone(self, key: str, kind: str, day: str, *, reached: bool = True, at: str = "") -> None:
        name = "milestone.reached" if reached else "milestone.withdrawn"
        self.crm.send(event(name, at or f"{day}T12:00:00Z", deal=key, milestone=kind, on=day))

    def earned(self) -> dict[str, int]:
        """Each deal's earning of Ann's, in minor units."""
        with self.acme.scope():
            return dict(Earning.objects.order_by("deal__external_id").values_list("deal__external_id", "earned_minor"))

    def close(self, starts_on: date) -> Batch:
        """Submits, approves, exports and marks paid one period."""
        with self.acme.scope(self.preparer):
            batch = batches.batch_submit(pay_group=self.acme.pay_group, starts_on=starts_on, submitted_by=self.preparer)
        with self.acme.scope(self.approver):
            batch = batches.batch_approve(batch=batch, approved_by=self.approver, digest=batch.digest)
            batches.batch_export(batch=batch, by=self.approver)
            return batches.batch_mark_paid(batch=batch, paid_by=self.approver)

    def statement(self, starts_on: date) -> Statement:
        with self.acme.scope():
            return Statement.objects.get(participant=self.ann, period_starts_on=starts_on)

    def publish(self, text: str, *, starts_on: date = date(2026, 1, 1), note: str = "A change") -> None:
        with self.acme.scope(self.ops):
            draft = plans.version_draft(
                plan=Plan.objects.get(key="worked"), text=text, starts_on=starts_on, note=note, prepared_by=self.ops
            )
        with self.acme.scope(self.other_ops):
            plans.version_publish(version=draft, published_by=self.other_ops)
        self.work()


def house(text: str = "", *, quota_minor: int = 10_000_000, slug: str = "acme") -> House:
    acme = company(slug, opens_on=date(2026, 1, 1))
    ops, other = member(acme, Role.SALES_OPS, "Olga Ops"), member(acme, Role.SALES_OPS, "Otto Ops")
    preparer, approver = member(acme, Role.FINANCE, "Fay Finance"), member(acme, Role.FINANCE, "Finn Finance")
    with acme.scope(ops):
        catalogue(acme)
        ann = Participant.objects.filter(name="Ann").first() or person(acme, "Ann")
        published("worked", ops=ops, other=other, text=text or plan_text())
        plans.assignment_set(participant=ann, plan=Plan.objects.get(key="worked"), starts_on=date(2026, 1, 1))
        plans.quota_set(
            participant=ann, key="sales", starts_on=date(2026, 1, 1), ends_on=date(2026, 4, 1),
            amount_minor=quota_minor, currency="USD",
        )  # fmt: skip
    built = House(acme, sender(acme), ops, other, preparer, approver, ann)
    built.work()
    return built
