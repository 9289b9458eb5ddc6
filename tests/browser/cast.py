"""A company with everything that a page can show: two paid months, an open one, a question, a draft, a newcomer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from tempfile import TemporaryFile

from dateutil.relativedelta import relativedelta
from django.utils import timezone

from comp.api.grants import Grant
from comp.api.models import WebhookAttempt, WebhookMessage
from comp.api.services import key_create
from comp.api.webhooks import tell, webhook_create
from comp.outbox.services import work_once
from comp.people import services as people
from comp.people.models import Participant
from comp.people.selectors import today
from comp.tenancy import services as tenancy
from comp.tenancy.capabilities import Role
from comp.tenancy.models import User
from crediting.models import RawDelivery
from crediting.services.bulk import api_endpoint
from crediting.services.catalogue import account_create, product_create
from crediting.services.endpoints import endpoint_create
from crediting.services.uploads import upload_add, upload_match
from payouts.models import Earning, Statement
from payouts.services import batches, disputes
from plans import services as plans
from plans.models import Plan
from plans.roster import roster_store
from tests.factories import Company, company, library, member, person, published
from tests.intake.sending import Sender, deal, event, sender
from tests.unit.intake.calls import sample

LONG_NAME = "Maximiliana Featherstonehaugh-Cholmondeley van den Heuvel"
#: Amounts of Ann's deals, by how many months ago they closed. Her quota of 100,000.00 keeps all in the first tier.
AMOUNTS = {
    2: ("4000.00", "9500.00", "30000.00", "1200.00"),
    1: ("7000.00", "2500.00", "4999.99"),
    0: ("2000.00", "3000.00"),
}


@dataclass(frozen=True)
class Cast:
    """The company, what posts to it, today there, and everybody's address for the log-in."""

    acme: Company
    crm: Sender
    today: date
    email: dict[str, str]

    @property
    def month(self) -> date:
        """The first day of the open month."""
        return self.today.replace(day=1)

    def url(self, path: str) -> str:
        return f"/t/{self.acme.tenant.slug}/{path}"

    def work(self) -> None:
        """What a worker does until nothing waits."""
        while work_once(self.acme.tenant.pk):
            pass


def build() -> Cast:
    """Commits everything, with nobody listening to the bells: the work is done here."""
    rival = company("rival")
    with rival.scope():
        day = today(rival.tenant)
    acme = company("acme", opens_on=day.replace(day=1) - relativedelta(months=2))
    users = {
        "rep": member(acme, Role.REPRESENTATIVE, "Ann Okafor"),
        "newcomer": member(acme, Role.REPRESENTATIVE, LONG_NAME),
        "manager": member(acme, Role.MANAGER, "Mia Varga"),
        "ops": member(acme, Role.SALES_OPS, "Olga Brandt"),
        "other ops": member(acme, Role.SALES_OPS, "Otto Lindqvist"),
        "finance": member(acme, Role.FINANCE, "Fay Moreau"),
        "other finance": member(acme, Role.FINANCE, "Finn Haddad"),
        "leader": member(acme, Role.REVENUE_LEADER, "Rosa Vasquez"),
        "administrator": member(acme, Role.ADMINISTRATOR, "Ada Whitfield"),
        "stranger": member(rival, Role.REPRESENTATIVE, "Ann Okafor"),
        "of both": member(acme, Role.FINANCE, "Noor Haddad"),
    }
    with rival.scope():
        tenancy.membership_add(user=users["of both"], role=Role.FINANCE)
        person(rival, "Ann Okafor", starts_on=day, user=users["stranger"])
    built = Cast(acme, sender(acme), day, {name: user.email for name, user in users.items()})
    with acme.scope(users["ops"]):
        _people(built, users)
    built.work()
    for months, amounts in AMOUNTS.items():
        _month(built, months, amounts)
        if months:
            _close(built, months, users)
    # A question for Sales Ops, and a draft that waits to be published.
    built.crm.send(deal(deal="D-asked", owner="ann-okafor", product="GTXPro", close_date=day.isoformat()))
    built.work()
    _connections(built, users["ops"])
    _disputes(built, users)
    with acme.scope(users["ops"]):
        plans.version_draft(
            plan=Plan.objects.get(key="manager"),
            text=library("manager").replace("rate: 2.5%", "rate: 3%"),
            starts_on=built.month,
            note="More for a team that reaches its quota",
            prepared_by=users["ops"],
        )
    return built


def _people(cast: Cast, users: dict[str, User]) -> None:
    acme, opens_on = cast.acme, cast.acme.pay_group.opens_on
    product_create(key="gtx-pro", name="GTX Pro", series="GTX", list_price_minor=482100)
    product_create(key="mg", name="MG Special")
    account_create(key="acme", name="Acme Corporation", sector="technology", country="United States")
    ann = person(acme, "Ann Okafor", starts_on=opens_on, user=users["rep"])
    mia = person(acme, "Mia Varga", starts_on=opens_on, user=users["manager"])
    new = person(acme, LONG_NAME, starts_on=opens_on, user=users["newcomer"])
    people.position_set(participant=ann, title="Account executive", credit_role=acme.ae, starts_on=opens_on)
    people.position_set(participant=mia, title="Sales manager", credit_role=acme.manager, starts_on=opens_on)
    for one in (ann, new):
        people.reporting_line_set(participant=one, manager=mia, starts_on=opens_on)
    for who, key, quota in ((ann, "account-executive", "new-business"), (mia, "manager", "team-bookings")):
        published(key, ops=users["ops"], other=users["other ops"], starts_on=opens_on)
        plans.assignment_set(participant=who, plan=Plan.objects.get(key=key), starts_on=opens_on)
        _quotas(cast, who, quota)


def _quotas(cast: Cast, who: Participant, key: str) -> None:
    """For each quarter that holds one of the months."""
    start = date(cast.acme.pay_group.opens_on.year, (cast.acme.pay_group.opens_on.month - 1) // 3 * 3 + 1, 1)
    while start <= cast.today:
        end = start + relativedelta(months=3)
        plans.quota_set(
            participant=who, key=key, starts_on=start, ends_on=end, amount_minor=10_000_000, currency="USD"
        )  # fmt: skip
        start = end


def _month(cast: Cast, months: int, amounts: tuple[str, ...]) -> None:
    """Deals won in one month: signed at once, the first of them live and used too."""
    for place, amount in enumerate(amounts):
        day = cast.today if months == 0 else cast.month - relativedelta(months=months) + relativedelta(days=4 + place)
        key, at = f"D-{months}-{place}", f"{day}T10:00:00Z"
        cast.crm.send(deal("won", at, deal=key, owner="ann-okafor", amount=amount, close_date=day.isoformat()))
        cast.crm.send(event("milestone.reached", at, deal=key, milestone="signature", on=day.isoformat()))
        if place == 0 and months:
            cast.crm.send(event("milestone.reached", at, deal=key, milestone="go-live", on=day.isoformat()))
            cast.crm.send(event("usage.reading", at, deal=key, on=day.isoformat(), used=300, contracted=1000))
    cast.work()


def _connections(cast: Cast, ops: User) -> None:
    """What comes in and goes out beside the CRM: another source with a question, files, a roster, a key, a webhook."""
    with cast.acme.scope(ops):
        endpoint, _ = endpoint_create(key="salesforce", name="Accounts of the north", adapter="salesforce")
        body = sample("salesforce/gap-event.json")
        RawDelivery.objects.create(
            endpoint=endpoint, sender_id="gap", sent_at=timezone.now(), body=body, body_sha256="0" * 64
        )
        api_endpoint(None)
        roster_store(name="hr-november.csv", text=f"employee,as_of,title\nann-okafor,{cast.month},Senior\n", by=ops)
        roster_store(name="hr-wrong.csv", text=f"employee,as_of,title\nnobody,{cast.month},Senior\n", by=ops)
        key_create(
            name="Warehouse, nightly", grants=[Grant.FACTS_READ, Grant.PEOPLE_READ], made_by=ops,
            expires_at=timezone.now() + timedelta(days=90),
        )  # fmt: skip
        webhook, _ = webhook_create(
            name="Slack of Finance", url="https://hooks.example.com/a/b", topics=["plan.published"], made_by=ops
        )
        tell("plan.published", [{"plan": "manager", "number": 1}])
        message = WebhookMessage.objects.get(webhook=webhook)
        WebhookAttempt.objects.create(message=message, status=503, answer="Busy", milliseconds=412)
        files, _ = endpoint_create(key="first-crm", name="First CRM", adapter="file")
        with TemporaryFile() as file:
            file.write(
                b"Deal,Sales agent,Product,Account,Amount,Close date\nF-1,mia-varga,gtx-pro,acme,12.00,2026-03-01\n"
            )
            file.write(b"F-2,mia-varga,gtx-pro,acme,many,2026-03-01\n")
            upload = upload_add(endpoint=files, event="deal.won", name="old-deals.csv", file=file, made_by=ops)
        upload_match(upload=upload, columns=upload.columns, date_form="YYYY-MM-DD", decimal_form="1234.5")
    cast.work()


def _disputes(cast: Cast, users: dict[str, User]) -> None:
    """Ann questions three things: one is looked after, one waits, one is decided."""
    rep, ops, day = users["rep"], users["ops"], cast.today
    with cast.acme.scope(rep):
        lines = Earning.objects.filter(participant__user=rep, earned_minor__gt=0)
        latest = lines.filter(deal__external_id="D-0-1").latest("earned_minor")
        before = lines.filter(deal__external_id="D-1-0").latest("earned_minor")
        statement = Statement.objects.filter(participant__user=rep).earliest("period_starts_on")
        said = (
            "The second deal took me over my quota, so I expected the rate of the next tier for all that lies above it."
        )
        first = disputes.dispute_open(by=rep, category="rate", expectation=said, expected_minor=480_00, earning=latest)
        disputes.dispute_say(
            dispute=first, by=rep, words="I attach nothing: the order form is in the CRM, at the deal."
        )
        lacks = {"category": "missing_deal", "expectation": "Deal D-77 of Acme is missing.", "statement": statement}
        disputes.dispute_open(by=rep, **lacks, expected_minor=1_234_56)
        over = disputes.dispute_open(by=rep, category="credit", expectation="I closed it alone.", earning=before)
    with cast.acme.scope(ops):
        for dispute in (first, over):
            disputes.dispute_take(dispute=dispute, by=ops, owner=ops, promised_on=day + timedelta(days=5))
        disputes.dispute_say(dispute=first, by=ops, words="I look at the quota first.")
        words = "The CRM names you alone since yesterday."
        disputes.dispute_decide(dispute=over, by=ops, decision="data_fix", words=words, deal=before.deal)


def _close(cast: Cast, months: int, users: dict[str, User]) -> None:
    """Submits, approves, exports and marks paid one month."""
    acme, starts_on = cast.acme, cast.month - relativedelta(months=months)
    with acme.scope(users["finance"]):
        batch = batches.batch_submit(pay_group=acme.pay_group, starts_on=starts_on, submitted_by=users["finance"])
    with acme.scope(users["other finance"]):
        batch = batches.batch_approve(batch=batch, approved_by=users["other finance"], digest=batch.digest)
        batches.batch_export(batch=batch, by=users["other finance"])
        batches.batch_mark_paid(batch=batch, paid_by=users["other finance"])
    cast.work()
