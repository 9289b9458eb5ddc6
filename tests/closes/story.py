"""A year of closes as an accountant writes it down: what came in, what each month paid, and what the books then say.

A story is a YAML file: people, a plan, what becomes of pay below zero (`negative`), steps in their order. After a step
`close: 2026-01` stands what is expected: of statements by person, of the ledger the balances of each account by person,
debits positive; what is not named is zero. The arithmetic stands in its comments. Nothing here knows how pay is worked
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db.models import Sum

from comp.core.days import parse_day
from comp.core.money import parse_money
from comp.outbox.services import work_once
from comp.people import services as people
from comp.people.models import Participant
from comp.people.rates import rate_set
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from crediting.models import DataIssue
from crediting.services.catalogue import account_create, product_create
from payouts.models import Batch, LedgerEntry, Statement
from payouts.services import batches, replay
from payouts.services.holds import hold_release, standing
from payouts.services.negatives import negative_policy_set
from payouts.services.partial import batch_approve_part
from payouts.verify import batch_digests, identity, ledger_balance
from plans import services as plans
from plans.models import Plan
from plans.rules.load import read_yaml, to_yaml
from tests.factories import Company, company, member, person
from tests.intake.sending import Sender, deal, event, sender

CURRENCY = "USD"
#: What a statement may be asked for.
FIGURES = ("released", "adjustments", "topped_up", "recovered", "withheld", "carried", "payout")


@dataclass
class Story:
    acme: Company
    crm: Sender
    ops: User
    other_ops: User
    preparer: User
    approver: User
    people: dict[str, Participant]
    document: dict[str, Any]
    told: int = 0
    digests: dict[int, str] = field(default_factory=dict)  # of each batch as it was paid

    def tell(self, step: dict[str, Any]) -> list[str]:
        """Does one step; what is not as the accountant wrote it."""
        self.told += 1
        act: Callable[[dict[str, Any]], list[str] | None] = getattr(self, f"_{next(iter(step))}")
        return act(step) or []

    def work(self) -> None:
        for _ in range(50):
            if not work_once(self.acme.tenant.pk):
                return
        raise AssertionError("work does not come to an end")

    # ------------------------------------------------------------------ what comes in

    def _at(self) -> str:
        return f"2026-12-31T10:{self.told // 60:02}:{self.told % 60:02}Z"

    def _deal(self, step: dict[str, Any]) -> None:
        """The deal as it is now said to be."""
        more: dict[str, Any] = {"currency": step.get("currency", CURRENCY)}
        if "team" in step:
            team = [{"role": "ae", "person": one["person"], "weight": int(one["weight"])} for one in step["team"]]
            more |= {"owner": None, "team": team}
        else:
            more["owner"] = step["owner"]
        said = deal("won", self._at(), deal=step["deal"], amount=str(step["amount"]), close_date=step["closed"], **more)
        self.crm.send(said)

    def _milestone(self, step: dict[str, Any]) -> None:
        said = {"deal": step["deal"], "milestone": step["milestone"], "on": step["on"]}
        self.crm.send(event("milestone.reached", self._at(), **said))

    def _cancelled(self, step: dict[str, Any]) -> None:
        said = {"id": f"C{self.told}", "deal": step["cancelled"], "on": step["on"], "type": "churn"}
        self.crm.send(event("deal.cancelled", self._at(), **said))

    def _rate(self, step: dict[str, Any]) -> None:
        with self.acme.scope(self.ops):
            starts = parse_day(step["from"])
            target = step.get("to", CURRENCY)
            rate_set(source=step["rate"], target=target, kind="spot", rate=str(step["is"]), starts_on=starts)

    def _leaves(self, step: dict[str, Any]) -> None:
        with self.acme.scope(self.ops):
            people.participant_change(participant=self.people[step["leaves"]], ends_on=parse_day(step["on"]))

    def _corrected(self, step: dict[str, Any]) -> None:
        """The plan as it should have been from a day on: texts of it replaced."""
        text = to_yaml(self.document["plan"])
        for old, new in step["corrected"].items():
            assert old in text, old
            text = text.replace(old, new)
        self._published(text, parse_day(step["from"]))

    def _published(self, text: str, starts_on: date) -> None:
        plan = Plan.objects.filter(key=self.document["plan"]["key"])
        with self.acme.scope(self.ops):
            found = plan.first() or plans.plan_create(key=self.document["plan"]["key"], name="Plan")
            draft = plans.version_draft(
                plan=found, text=text, starts_on=starts_on, note="As it should be", prepared_by=self.ops
            )
        with self.acme.scope(self.other_ops):
            plans.version_publish(version=draft, published_by=self.other_ops)

    def _let_go(self, step: dict[str, Any]) -> None:
        """What is held of a person comes free."""
        with self.acme.scope(self.approver):
            for hold in standing().filter(participant=self.people[step["let_go"]]):
                hold_release(hold=hold, by=self.approver, reason=step["reason"])

    # ------------------------------------------------------------------ closes

    def _close(self, step: dict[str, Any]) -> list[str]:
        """Submits, approves, exports and pays the month, and compares."""
        self.work()
        starts_on = parse_day(f"{step['close']}-01")
        batch = self._submitted(starts_on)
        if "without" in step:
            batch = self._partly(batch, step["without"], step["reason"])
        with self.acme.scope(self.approver):
            batch = batches.batch_approve(batch=batch, approved_by=self.approver, digest=batch.digest)
            batches.batch_export(batch=batch, by=self.approver)
            batch = batches.batch_mark_paid(batch=batch, paid_by=self.approver)
        self.digests[batch.pk] = batch.digest
        self.work()
        return [f"{step['close']}: {problem}" for problem in self._compared(starts_on, step.get("expect", {}))]

    def _submitted(self, starts_on: date) -> Batch:
        with self.acme.scope(self.preparer):
            return batches.batch_submit(pay_group=self.acme.pay_group, starts_on=starts_on, submitted_by=self.preparer)

    def _partly(self, batch: Batch, without: list[str], reason: str) -> Batch:
        with self.acme.scope(self.approver):
            out = [self.people[name] for name in without]
            return batch_approve_part(batch=batch, people=out, reason=reason, by=self.approver)

    def _compared(self, starts_on: date, expected: dict[str, Any]) -> Iterator[str]:
        with self.acme.scope():
            for name, figures in expected.get("statements", {}).items():
                statement = Statement.objects.get(participant=self.people[name], period_starts_on=starts_on)
                for figure in FIGURES:
                    wanted = parse_money(str(figures.get(figure, "0.00")), CURRENCY)
                    found = getattr(statement, f"{figure}_minor", 0)
                    if wanted != found:
                        yield f"{name}'s statement: {figure} expected {wanted}, found {found}"
            if "ledger" in expected:
                yield from self._books(expected["ledger"])
            if expected:
                for check in (identity(), ledger_balance(), batch_digests()):
                    yield from check.wrong
                yield from DataIssue.objects.filter(state="open").values_list("message", flat=True)
            if dict(Batch.objects.filter(pk__in=self.digests).values_list("pk", "digest")) != self.digests:
                yield "a posted batch's digest has moved"

    def _books(self, expected: dict[str, dict[str, Any]]) -> Iterator[str]:
        rows = LedgerEntry.objects.values("participant_id", "account").annotate(minor=Sum("amount_minor"))
        found = {(row["participant_id"], row["account"]): int(row["minor"]) for row in rows if row["minor"]}
        wanted = {
            (self.people[name].pk, account): parse_money(str(amount), CURRENCY)
            for name, accounts in expected.items()
            for account, amount in accounts.items()
        }
        names = {one.pk: name for name, one in self.people.items()}
        for key in sorted({*found, *wanted}):
            if found.get(key, 0) != wanted.get(key, 0):
                yield f"ledger of {names[key[0]]}, {key[1]}: expected {wanted.get(key, 0)}, found {found.get(key, 0)}"


def story(path: Path) -> Story:
    """The company of a story, before its first step."""
    document = read_yaml(path.read_text(encoding="utf-8"), "story")
    opens = parse_day(f"{document['opens']}-01")
    acme = company("acme", opens_on=opens, currency=CURRENCY)
    ops, other = member(acme, Role.SALES_OPS, "Olga Ops"), member(acme, Role.SALES_OPS, "Otto Ops")
    preparer, approver = member(acme, Role.FINANCE, "Fay Finance"), member(acme, Role.FINANCE, "Finn Finance")
    with acme.scope(ops):
        paid_in = document.get("paid_in", {})
        known = {
            name: person(acme, name, starts_on=opens, currency=paid_in.get(name, "")) for name in document["people"]
        }
        product_create(key="gtx-pro", name="GTX Pro", series="GTX", list_price_minor=482100)
        account_create(key="acme", name="Acme Corporation")
    found = Story(acme, sender(acme), ops, other, preparer, approver, known, document)
    found._published(to_yaml(document["plan"]), opens)
    if "negative" in document:
        with acme.scope(approver):
            negative_policy_set(
                pay_group=acme.pay_group, currency=CURRENCY, way=document["negative"]["way"],
                share=Decimal(str(document["negative"]["share"]).removesuffix("%")),
                keep_minor=parse_money(str(document["negative"]["keep"]), CURRENCY),
            )  # fmt: skip
    with acme.scope(ops):
        for one in known.values():
            plans.assignment_set(participant=one, plan=Plan.objects.get(), starts_on=opens)
        for row in document.get("quotas", []):
            starts_on = parse_day(f"{row['from']}-01")
            plans.quota_set(
                participant=known[row["person"]], key=row["key"], starts_on=starts_on,
                ends_on=parse_day(f"{row['to']}-01"), amount_minor=parse_money(str(row["amount"]), CURRENCY),
                currency=CURRENCY,
            )  # fmt: skip
    found.work()
    return found


def replayed(of: Story) -> list[str]:
    """What a recomputation of each posted period, as of its submission, gives otherwise; and of all that stands."""
    with of.acme.scope():
        wrong = [str(difference) for difference in replay.differences_found()]
        for batch in Batch.objects.filter(pk__in=of.digests).select_related("pay_group"):
            wrong += [f"{batch}: {each}" for each in replay.replay_period(batch.pay_group, batch.starts_on).found]
    return wrong


def months(document: dict[str, Any]) -> int:
    return sum("close" in step for step in document["steps"])
