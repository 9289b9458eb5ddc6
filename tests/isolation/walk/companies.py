"""Three companies, built by the same signed events, and what is secret in them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from tempfile import TemporaryFile
from typing import Any

from django.test import Client

from comp.api.models import WebhookMessage
from comp.api.services import key_create
from comp.api.webhooks import tell, webhook_create
from comp.people.dated import holiday_set
from comp.people.models import Erasure, Participant
from comp.people.rates import rate_set
from comp.people.services import leave_set, pay_group_create
from comp.tenancy.capabilities import Role
from crediting.models import DataIssue, Deal
from crediting.services.alignments import alignment_store
from crediting.services.catalogue import account_create
from crediting.services.endpoints import endpoint_create
from crediting.services.transfers import deal_transfer
from crediting.services.uploads import upload_add
from payouts.models import (
    Adjustment,
    AnswerRow,
    Batch,
    BatchCheck,
    BatchSettlement,
    Cause,
    CostLine,
    CutOver,
    Download,
    Earning,
    EvidenceExport,
    Journal,
    LargeStep,
    NegativeDecision,
    OpeningFile,
    Payment,
    PayrollFile,
    PayrollRun,
    RecomputeJob,
    SettlementReview,
    Statement,
    TieOut,
    WindfallReview,
)
from payouts.models.figures import LINE_KEY
from payouts.models.manual import State
from payouts.services.accruals import accrue
from payouts.services.adjustments import Wanted, file_decide, file_take
from payouts.services.approval_rules import deputy_add, rule_add
from payouts.services.attachments import File
from payouts.services.checklists import check_do
from payouts.services.contract_costs import costs_run
from payouts.services.cutovers import cutover_prepare
from payouts.services.disputes import dispute_open, dispute_say
from payouts.services.holds import hold_place
from payouts.services.letters import letter_decide, letter_prepare
from payouts.services.payroll_answers import answer_apply, answer_read
from payouts.services.payroll_files import provider_set
from payouts.services.relief import relief_prepare
from plans import services as plans
from plans.models import Plan, PlanAssignment, PlanVersion, Quota
from plans.roster import roster_store
from tests.factories import library, member, person
from tests.isolation.walk.table import ANNS, VISITORS
from tests.pages.rep.world import NOVEMBER, World, selling

#: The month that is closed in each company.
CLOSED = date(2024, 1, 1)


@dataclass
class Side:
    """One company: its ids for the addresses, its people, and whose secrets are what."""

    world: World
    ids: dict[str, Any] = field(default_factory=dict)
    pay: dict[str, set[str]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)


@dataclass
class Sides:
    acme: Side
    rival: Side
    third: Side
    clients: dict[str, Client] = field(default_factory=dict)

    def of(self, company: str) -> Side:
        return {"acme": self.acme, "rival": self.rival, "third": self.third}[company]

    def forbidden(self, visitor: str) -> set[str]:
        """What no answer to this visitor may hold."""
        if visitor == "stranger":
            return everything(self.acme) | everything(self.third)
        theirs = everything(self.rival) | everything(self.third)
        if visitor in ANNS - {"Ann"}:
            return theirs
        colleagues = set().union(*(words for name, words in self.acme.pay.items() if name != visitor))
        return theirs | (colleagues - self.acme.pay.get(visitor, set()))


def everything(side: Side) -> set[str]:
    """What nobody outside this company may know."""
    return side.secrets.union(*side.pay.values())


def words(minor: int) -> set[str]:
    """An amount as pages, files and data write it."""
    major, rest = divmod(minor, 100)
    return {f"{major:,}.{rest:02}", f"{major}.{rest:02}", str(minor)}


def uploaded(customer: str) -> int:
    """A file with a customer's name in it, by its id."""
    endpoint, _ = endpoint_create(key="files", name="Files", adapter="file")
    with TemporaryFile() as file:
        file.write(f"Deal,Account\nD1,{customer}\n".encode())
        return upload_add(endpoint=endpoint, event="deal.won", name="deals.csv", file=file, made_by=None).pk


def closed(world: World, deal: Deal) -> None:
    """A month is accrued in which nobody earned, a cost of the deal stands, and there is a journal."""
    fay, ann = world.users["Fay"], world.people["Ann"]
    accrue(month=CLOSED, made_by=fay)
    run = costs_run(month=CLOSED, made_by=fay)
    CostLine.objects.create(
        run=run, plan=Plan.objects.get(key="account-executive"), component="c", deal=deal,
        participant=ann, pay_group=ann.pay_group, currency="USD", starts_on=CLOSED, months=12,
        capitalised_minor=12_00, amortised_minor=1_00, impaired_minor=0,
    )  # fmt: skip
    Journal.objects.create(
        number=1, through=CLOSED, made_by=fay, postings=0, lines=0, totals={"USD": 0}, digest="0" * 64
    )


def side(slug: str, amounts: dict[str, str], customer: str) -> Side:
    """A company that sells, with one deal each of Ann's and Bob's of amounts that nobody else has."""
    world = selling(slug)
    company = world.company
    for name in VISITORS.keys() - world.users.keys():
        for role in VISITORS[name]:
            world.users[name] = member(company, role, name)
    with company.scope(world.users["Olga"]):
        person(company, "Cleo", user=world.users["Cleo"])
        away = leave_set(participant=world.people["Bob"], starts_on=date(2027, 1, 4), ends_on=date(2027, 1, 9))
        holiday = holiday_set(calendar=company.calendar, day=date(2027, 1, 1), name="New Year")
        account_create(key="secret", name=customer)
        upload = uploaded(customer)
        rate = rate_set(source="SEK", target="USD", kind="spot", starts_on=date(2026, 1, 1), rate="0.1")
        plans.plan_create(key=f"only-{slug}", name=f"Plan for {customer}")
        text = library("account-executive")
        draft = plans.version_draft(
            plan=PlanVersion.objects.get(plan__key="account-executive").plan, text=text, starts_on=date(2027, 6, 1),
            note="Next", prepared_by=world.users["Olga"],
        )  # fmt: skip
    for name, amount in amounts.items():
        world.won(f"{slug}-{name}", "2026-11-16", amount, owner=name.lower(), account=customer)
        world.milestone(f"{slug}-{name}", "signature", "2026-11-16")
    world.won(f"{slug}-odd", "2026-11-17", "1.00", owner="nobody-known")
    world.work()
    with company.scope(world.users["Olga"]):
        key, _ = key_create(
            name=customer, grants=["people:read"], made_by=world.users["Olga"],
            expires_at=datetime.now(UTC) + timedelta(days=9),
        )  # fmt: skip
        listens, _ = webhook_create(
            name=customer, url="https://example.com/hook", topics=["plan.published"], made_by=world.users["Olga"]
        )
        tell("plan.published", [{"plan": customer}])
        message = WebhookMessage.objects.get()
    batch = world.submit(NOVEMBER)
    built = Side(world, secrets={customer})
    with company.scope():
        check = BatchCheck.objects.filter(batch=batch, owner_role=Role.FINANCE).first()
        assert check is not None
        check_do(check=check, done_by=world.users["Fay"], file=BytesIO(customer.encode()), file_name="proof.txt")
        for name in ("Ann", "Bob", "Mia"):
            who = world.people[name]
            told = set()
            for earning in Earning.objects.filter(participant=who, deal__external_id__startswith=slug):
                told |= words(earning.earned_minor) if earning.earned_minor >= 1_000_00 else set()
            told |= words(Statement.objects.get(participant=who, period_starts_on=NOVEMBER).payout_minor)
            built.pay[name] = told
            assert len(told) >= 3, f"{name} has no pay to hide"
        users, chain = world.users, {"name": "Finance", "role": "finance", "needed": 1}
        asked = rule_add(name=customer, starts_on=NOVEMBER, stages=[chain], made_by=users["Ada"])
        stand_in = deputy_add(
            person=users["Fay"], deputy=users["Lena"], starts_on=NOVEMBER + timedelta(days=60), ends_on=None,
            reason=customer,
        )  # fmt: skip
        rule = {"role": "ae", "account": "secret", "participant": "ann", "from": "2027-01-01"}
        rules, _ = alignment_store(name="rules.csv", rows=[(2, rule)], by=world.users["Olga"])
        assert rules is not None
        file = roster_store(name="hr.csv", text="employee\nann\n", by=world.users["Olga"])
        deal = Deal.objects.get(external_id=f"{slug}-Ann")
        handed = deal_transfer(
            deal=deal, role="ae", giver=world.people["Ann"], receiver=world.people["Mia"], day=NOVEMBER,
            reason="Mia takes over", by=world.users["Olga"],
        )  # fmt: skip
        fay = world.users["Fay"]
        run = PayrollRun.objects.get()
        provider = provider_set(key="bank", name=customer, shape="bank", settings={}, by=fay)
        says = answer_read(
            run=run, provider=None, name=f"{customer}.csv", text="employee,amount\nann,1.23\n", rest_paid=True, by=fay
        )
        answer_apply(answer=says, by=fay)
        anew = Cause.objects.create(kind=Cause.Kind.JOB, label=f"Anew for {customer}")
        job = RecomputeJob.objects.create(cause=anew, people=1)
        line = Earning.objects.filter(participant=world.people["Ann"], deal=deal).latest("earned_minor")
        proof = EvidenceExport.objects.create(
            batch_id=batch.pk, pay_group_id=batch.pay_group_id, seed=f"{customer}", samples=1, steps=1, state="done",
            asked_by=world.users["Fay"], done_at=datetime(2026, 11, 19, tzinfo=UTC), body=b"PK",
        )  # fmt: skip
        fetched = Download.objects.create(
            kind="lines", name=customer, batch_id=batch.pk, pay_group_id=batch.pay_group_id, steps=1, state="done",
            asked_by=world.users["Fay"], done_at=datetime(2026, 11, 19, tzinfo=UTC), body=b"PK", sha256="d" * 64,
            content_type="application/zip",
        )  # fmt: skip
        leaver = person(company, f"Leaver of {customer}")
        gone = Erasure.objects.create(
            participant=leaver, pseudonym=f"Person of {customer}", reason="Asked", asked_by=world.users["Fay"]
        )
        taken = LargeStep.objects.create(
            step="lock", pay_group_id=batch.pay_group_id, starts_on=NOVEMBER, name=customer, people=1, lines=1,
            asked_by=world.users["Fay"], ended_at=datetime(2026, 11, 19, tzinfo=UTC), refused=customer,
        )  # fmt: skip
        built.ids = {
            "step": taken.pk, "erasures": gone.pk, "export": proof.pk, "download": fetched.pk,
            "period": NOVEMBER.isoformat(), "participant": world.people["Ann"].pk, "deal": deal.pk,
            "delivery": deal.revision.delivery_id, "endpoint": world.crm.endpoint.pk,
            "issue": DataIssue.objects.get(kind="owner").pk, "group": "sales",
            "key": "account-executive", "number": 1, "other": draft.number, "why": line.pk,
            "payouts": Batch.objects.get(pk=batch.pk).pk, "quotas": Quota.objects.first().pk, "jobs": job.pk,
            "people": PlanAssignment.objects.first().pk, "only": f"only-{slug}", "template_key": "spiff",
            "keys": key.pk, "upload": upload, "roster": file.pk, "rates": rate.pk,
            "participants": world.people["Bob"].pk, "leave": away.pk, "calendars": company.calendar.pk,
            "holiday": holiday.pk, "webhooks": listens.pk, "message": message.pk, "transfer": handed.pk,
            "territories": rules.pk, "check": check.pk, "item": check.item_id, "provider": provider.pk,
            "payment": Payment.objects.get(participant=world.people["Ann"]).pk, "answer": says.pk,
            "kept": PayrollFile.objects.get().pk, "difference": AnswerRow.objects.exclude(difference="").get().pk,
            **by_hand(world, customer), **switching(world), "approval-rules": asked.pk, "deputy": stand_in.pk,
            "account": "expense", "month": CLOSED.isoformat(), "cohort": CLOSED.isoformat(),
        }  # fmt: skip
        closed(world, deal)
    return built


def by_hand(world: World, customer: str) -> dict[str, int]:
    """One of each thing that people decide about Ann's pay, agreed to by a second person where others look at it."""
    ann, fay, cleo = world.people["Ann"], world.users["Fay"], world.users["Cleo"]
    plan, day, proof = Plan.objects.get(key="account-executive"), date(2026, 12, 1), File("why.txt", b"Agreed.")
    wanted = Wanted(ann, plan, 5_00, "USD", day, "A bonus that was promised")
    file = file_take(rows=[(wanted, proof)], name="one.csv", digest="f" * 64, by=fay)
    row = Adjustment.objects.get(file=file)
    file_decide(file=file, state=State.APPROVED, decided_by=cleo, reason="")
    dates: dict[str, Any] = {"participant": ann, "starts_on": day, "ends_on": date(2027, 1, 1), "prepared_by": fay}
    letter = letter_prepare(**dates, plan=plan, text="Agreed", attachment=proof, reason="Moved", monthly_minor=5_00)
    letter_decide(letter=letter, state=State.APPROVED, decided_by=cleo)
    key = Quota.objects.filter(participant=ann)[0].key
    eased = relief_prepare(**dates, key=key, percent=Decimal(1), reason="Moved")
    line = Earning.objects.filter(participant=ann)[0]
    review = WindfallReview.objects.create(
        **{name: getattr(line, name) for name in LINE_KEY}, pay_group=ann.pay_group, amount_minor=1, currency="USD",
        accept=False, reason="None", prepared_by=fay,
    )  # fmt: skip
    arriving = pay_group_create(
        key="arriving", name="Arriving", calendar=ann.pay_group.calendar, opens_on=date(2027, 1, 1)
    )
    switch = cutover_prepare(pay_group=arriving, source="Before", day=date(2027, 1, 1), by=fay)
    brought = OpeningFile.objects.create(
        cut_over=switch, kind="openings", name="openings.csv", digest="e" * 64, rows=0, totals={}, uploaded_by=fay
    )
    whose = world.users["Ann"]
    disputed = dispute_open(
        by=whose, category="missing_deal", expectation=f"A deal of {customer} is missing",
        statement=Statement.objects.get(participant=ann, period_starts_on=NOVEMBER),
    )  # fmt: skip
    dispute_say(dispute=disputed, by=fay, words=f"I look into {customer}")
    held = hold_place(reason="Look at it", by=fay, participant=Participant.objects.get(name="Cleo"))
    common = {"participant": ann, "pay_group": ann.pay_group, "period_starts_on": NOVEMBER, "currency": "USD"}
    asked = {**common, "amount_minor": 1, "reason": "None", "prepared_by": fay}
    below, above = (
        NegativeDecision.objects.create(**asked, way="carry"),
        SettlementReview.objects.create(**asked, plan=plan, pay_minor=0),
    )
    amounts = [field.attname for field in BatchSettlement._meta.concrete_fields if field.attname.endswith("_minor")]
    settled = BatchSettlement.objects.create(
        **common, plan=plan, plan_version=line.plan_version, batch=Batch.objects.filter(pay_group=ann.pay_group)[0],
        **dict.fromkeys(amounts, 0),
    )  # fmt: skip
    ids = {
        "cut-overs": switch.pk,
        "brought": brought.pk,
        "below-zero": below.pk,
        "caps": above.pk,
        "settled": settled.pk,
        "disputes": disputed.pk,
    }
    ids |= {"adjustments": row.pk, "file": file.pk, "side-letters": letter.pk, "relief": eased.pk}
    return ids | {"holds": held.pk, "reviews": review.pk}


def switching(world: World) -> dict[str, int]:
    """A pay group that arrives from another system, and a statement of it that is tied out."""
    group = pay_group_create(key="partners", name="Partners", calendar=world.company.calendar, opens_on=NOVEMBER)
    fay = world.users["Fay"]
    switch = CutOver.objects.create(pay_group=group, source="Xactly", day=NOVEMBER, prepared_by=fay)
    row = TieOut.objects.create(
        cut_over=switch, person="old-1", pay_group=group, period_starts_on=CLOSED, currency="USD", theirs_minor=5_00,
        ours_minor=0, rest_minor=0, causes={"stranger": -5_00},
    )  # fmt: skip
    return {"cut-overs": switch.pk, "row": row.pk}
