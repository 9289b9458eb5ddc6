"""The demo company's past, lived once more: month by month the CRM posts, Sales Ops answers, Finance pays.

Every step looks at what stands before it acts, so the story goes on where it was broken off, and told again it changes
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.utils import timezone
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from comp.audit.models import AuditEntry
from comp.audit.services import record
from comp.local.demo.companies import COMPANIES, TIME_ZONE, Company
from comp.local.demo.events import Delivery, chosen, deliveries, months
from comp.local.demo.setup import ENDPOINT, NO_ACCOUNT, address, company_make
from comp.local.demo.transport import Address, Transport
from comp.people.models import PayGroup
from comp.tenancy.models import Tenant, User
from comp.tenancy.scope import Actor, Pay, tenant_scope
from crediting.models import DataIssue, HookEndpoint
from crediting.services.issues import mapping_set
from payouts.models import Batch, Dispute, Earning
from payouts.selectors import TAKEN
from payouts.services import batches
from payouts.services.disputes import dispute_open

BUILT = "demo.built"
#: What the second Sales Ops person answers when the inbox asks: (kind, the CRM's word) to what it means here.
ANSWERS = {
    ("sector", "technolgy"): "technology",
    ("product", "GTXPro"): "gtx-pro",
    ("account", ""): NO_ACCOUNT,
}


@dataclass(frozen=True)
class Told:
    """What a telling of the story came to."""

    statuses: Counter[str]  # the hooks' answers: stored, seen, quarantined
    batches: int  # steps taken on batches


@dataclass
class _Cast:
    """A company on the stage."""

    company: Company
    tenant: Tenant
    to: Address
    deliveries: list[Delivery]
    months: list[date]
    built: bool

    def chunk(self, number: int) -> list[Delivery]:
        return [one for one in self.deliveries if one.chunk == number]


def build_day() -> date:
    """The day that is today in the demo: the day on which it was first built."""
    first = Tenant.objects.filter(slug__in=COMPANIES).order_by("id").first()
    at = first.created_at if first else timezone.now()
    return at.astimezone(ZoneInfo(TIME_ZONE)).date()


def is_built(slug: str) -> bool:
    """Whether the whole story was told of a company."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        return False
    with tenant_scope(tenant.pk, actor=Actor.command("demo"), pay=Pay.nobody()):
        return AuditEntry.objects.filter(code=BUILT).exists()


def tell(companies: Sequence[Company], transport: Transport, *, today: date, limit: int | None = None) -> Told:
    """Makes what is missing of the companies and posts everything, in time order. `limit`: so many opportunities."""
    with _progress() as progress:
        bar = progress.add_task("people and plans", total=None)
        cast = [_on_stage(company, today, limit) for company in companies]
        progress.update(bar, total=sum(len(one.deliveries) for one in cast))
        story = _Story(cast, transport, progress, bar)
        story.tell()
    return Told(story.statuses, story.steps)


def _progress() -> Progress:
    return Progress(TextColumn("      {task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def _on_stage(company: Company, today: date, limit: int | None) -> _Cast:
    rows = chosen(company, today, limit)
    tenant = Tenant.objects.filter(slug=company.slug).first() or company_make(company, rows, today)
    return _Cast(
        company,
        tenant,
        address(tenant),
        deliveries(company, today, limit),
        months(rows, today),
        is_built(company.slug),
    )


class _Story:
    def __init__(self, cast: Sequence[_Cast], transport: Transport, progress: Progress, bar: TaskID) -> None:
        self.cast, self.transport, self.progress, self.bar = cast, transport, progress, bar
        self.statuses: Counter[str] = Counter()
        self.steps = 0

    def tell(self) -> None:
        self._post("customers", [(one, [d for d in one.chunk(0) if _is_account(d)]) for one in self.cast])
        self._post(
            "before the first month", [(one, [d for d in one.chunk(0) if not _is_account(d)]) for one in self.cast]
        )
        for number in range(1, max(len(one.months) for one in self.cast) + 1):
            acting = [one for one in self.cast if number <= len(one.months)]
            name = f"{acting[0].months[number - 1]:%B %Y}"
            self._post(name, [(one, one.chunk(number)) for one in acting])
            for one in acting:
                if not one.built and number < len(one.months):
                    self._begin(f"{name}: Finance")
                    self._month_end(one, one.months[number - 1], decided=number < len(one.months) - 1)
        for one in self.cast:
            if not one.built:
                self._question(one)
                with self._as(one, None):
                    record(code=BUILT, subject=one.tenant, after={"deliveries": len(one.deliveries)})

    def _post(self, what: str, parts: Sequence[tuple[_Cast, Sequence[Delivery]]]) -> None:
        """Posts, waits, and answers what the inbox asks, until nothing more can be answered."""
        self._begin(what)
        # Both companies' days pass side by side.
        posts = [(one.to, delivery) for one, found in parts for delivery in found]
        posts.sort(key=lambda post: (post[1].at, post[1].id))
        self.statuses += self.transport.post(posts, self._told)
        tenants = [one.tenant.pk for one, _ in parts]
        self.transport.drained(tenants, self._told)
        while sum(self._answer(one) for one, _ in parts):
            self.transport.drained(tenants, self._told)

    def _begin(self, what: str) -> None:
        """Names the step on the bar; where no terminal draws one, on a line of its own."""
        task = self.progress.tasks[self.bar]
        if task.description == what:
            return  # the other company's turn at the same step
        self.progress.update(self.bar, description=what)
        if not self.progress.console.is_terminal:
            print(f"      {what}, {task.completed:,.0f} of {task.total or 0:,.0f}", flush=True)

    def _told(self, count: int) -> None:
        self.progress.advance(self.bar, count)

    def _answer(self, one: _Cast) -> int:
        """Sales Ops maps what the CRM misspells. Returns how many questions were answered."""
        answered = 0
        user = _user(one.company.makers[1])
        with self._as(one, user):
            endpoint = HookEndpoint.objects.get(key=ENDPOINT)
            for issue in DataIssue.objects.filter(endpoint=endpoint, state=DataIssue.State.OPEN).order_by("id"):
                target = ANSWERS.get((issue.kind, issue.value))
                if target is not None:
                    mapping_set(endpoint=endpoint, kind=issue.kind, value=issue.value, target=target, user=user)
                    answered += 1
        return answered

    def _month_end(self, one: _Cast, month: date, *, decided: bool) -> None:
        """Finance submits the month; where it is `decided` a second person approves, and the first pays."""
        preparer, approver = (_user(email) for email in one.company.payers)
        with self._as(one, preparer):
            group = PayGroup.objects.get(key="sales")
            batch = Batch.objects.filter(pay_group=group, starts_on=month, run=0, state__in=TAKEN).first()
            if batch is None or batch.state == Batch.State.IN_REVIEW:
                batch = batches.batch_submit(pay_group=group, starts_on=month, submitted_by=preparer)
                self.steps += 1
        if not decided:
            return
        if batch.state == Batch.State.SUBMITTED:
            with self._as(one, approver):
                batch = batches.batch_approve(batch=batch, approved_by=approver, digest=batch.digest)
                self.steps += 1
        if batch.state == Batch.State.POSTED:
            with self._as(one, preparer):
                batches.batch_export(batch=batch, by=preparer)
                batches.batch_mark_paid(batch=batch, paid_by=preparer)
                self.steps += 2

    def _question(self, one: _Cast) -> None:
        """Somebody questions the latest line of their pay; nobody has taken it yet."""
        if not one.company.asks:
            return
        by = _user(one.company.asks)
        with self._as(one, by):
            lines = Earning.objects.filter(participant__user=by, line_kind=Earning.Kind.CREDIT, earned_minor__gt=0)
            line = lines.order_by("-credit_date", "-id").first()
            if line is not None and not Dispute.objects.exists():
                words = "I closed this one above my quota, so I expected the next tier."
                dispute_open(by=by, category=Dispute.Category.RATE, expectation=words, earning=line)

    def _as(self, one: _Cast, user: User | None):  # type: ignore[no-untyped-def]
        actor = Actor("user", str(user), user_id=user.pk) if user else Actor.command("demo")
        return tenant_scope(one.tenant.pk, actor=actor, pay=Pay.everyone())


def _user(email: str) -> User:
    return User.objects.get(email=email)


def _is_account(delivery: Delivery) -> bool:
    return delivery.id.startswith("crm-account-")
