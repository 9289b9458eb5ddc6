"""The data-quality inbox: questions that deliveries wait for, and their answers.

A delivery names in `waits_for` every question it waits for; when the last one is answered it is pending again and the
mailbox takes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.people.models import CreditRole, Participant
from comp.tenancy.models import User
from comp.tenancy.rows import rows_read
from crediting.intake.source import Change, Gap
from crediting.models import Account, DataIssue, HookEndpoint, Product, RawDelivery, SourceMapping
from crediting.services.locks import intake_ask, intake_hold

State, Kind = RawDelivery.State, SourceMapping.Kind
#: Kinds whose value is a deal: the deal's next event answers them.
OF_DEALS = ("deal", "amount", "currency")
#: Kinds that credits wait for (crediting.services.waiting): what stands opens and closes them.
OF_CREDITS = RATE, CONVERT = "rate", "convert"
#: The kind that payables wait for (payouts.services.unconverted), likewise.
PAY_RATE = "pay_rate"
#: A deal changed that another system paid before the switch (payouts.services.covered); nothing waits.
OPENED = "opened"
SECTOR_LENGTH = 80
#: Characters of the reason for which a record need not be sent again.
REASON = range(5, 301)


@dataclass(frozen=True, slots=True)
class Question:
    """What one delivery waits for. `value` is the source's own word, or the deal that it is about."""

    kind: str
    value: str
    message: str


def mapping_set(*, endpoint: HookEndpoint, kind: str, value: str, target: str, user: User | None) -> SourceMapping:
    """Says once what a source's word means. Every delivery that waited only for this is taken again.

    `target` is the key of a participant, product, account or credit role, or the text of a sector (which may be the
    value itself: a
    sector not seen before is confirmed that way). ProblemsError when the target does not exist or another meaning
    stands already.
    """
    target = _target(kind, target)
    intake_hold()
    mapping, created = SourceMapping.objects.get_or_create(
        endpoint=endpoint, kind=kind, value=value, defaults={"target": target, "created_by": user}
    )
    if mapping.target != target:
        message = f"{kind} {value!r} already means {mapping.target!r}; a meaning is said once and not changed."
        raise refused("target", target, mapping.target, message)
    if created:
        subject = ("crediting.sourcemapping", str(mapping.pk), f"{endpoint.key}: {kind} {value!r}")
        record(code="mapping.set", subject=subject, after={"kind": kind, "value": value, "target": target})
    questions_answer(endpoint_id=endpoint.pk, kinds=[kind], values=[value], answer=f"means {target}", user=user)
    return mapping


def issue_replay(*, issue: DataIssue, user: User | None) -> int:
    """Takes everything that waits for an issue again; what still cannot be answered asks again. Returns how many
    deliveries."""
    _answered_here(issue)
    intake_hold()
    count = questions_answer(
        endpoint_id=issue.endpoint_id, kinds=[issue.kind], values=[issue.value], answer="replayed", user=user
    )
    subject = ("crediting.dataissue", str(issue.pk), f"{issue.kind} {issue.value!r}")
    record(code="issue.replay", subject=subject, after={"deliveries": count})
    return count


def issue_close(*, issue: DataIssue, user: User | None) -> None:
    """Puts away a question that no delivery waits for (two bodies under one id, once somebody has looked)."""
    _answered_here(issue)
    intake_hold()
    issue.refresh_from_db()
    if issue.waiting:
        message = f"{issue.waiting} deliveries wait for an answer; it cannot be closed without one."
        raise refused("waiting", issue.waiting, "0", message)
    questions_answer(
        endpoint_id=issue.endpoint_id, kinds=[issue.kind], values=[issue.value], answer="closed", user=user
    )
    record(code="issue.close", subject=("crediting.dataissue", str(issue.pk), f"{issue.kind} {issue.value!r}"))


def _answered_here(issue: DataIssue) -> None:
    if issue.kind in (*OF_CREDITS, PAY_RATE):
        message = f"{issue.value}: this closes by itself when nothing waits any more; it is not answered here."
        raise refused("kind", issue.kind, "a question about deliveries", message)


def gap_cover(*, issue: DataIssue, reason: str, user: User | None) -> int:
    """Closes the question for a record that need not be sent again, with the reason: it was deleted, say, or what
    changed is not read here. Deliveries that asked for nothing else are done. Returns how many."""
    reason = reason.strip()
    if issue.kind != "gap":
        message = "Only what asks for a record again is closed with a reason."
        raise refused("kind", issue.kind, "gap", message)
    if len(reason) not in REASON:
        allowed = f"{REASON.start} to {REASON.stop - 1} characters"
        message = f"Say in {allowed} why the record need not be sent again."
        raise refused("reason", f"{len(reason)} characters", allowed, message)
    intake_hold()
    count = questions_answer(
        endpoint_id=issue.endpoint_id, kinds=["gap"], values=[issue.value], answer=f"covered: {reason}", user=user,
        state=State.DONE,
    )  # fmt: skip
    subject = ("crediting.dataissue", str(issue.pk), f"{issue.kind} {issue.value!r}")
    record(code="issue.cover", subject=subject, after={"reason": reason, "deliveries": count})
    return count


def gap_name(record: Gap | Change) -> str:
    """What the question for a record is called by."""
    return f"{record.object} {record.id}"[:200]


def _target(kind: str, target: str) -> str:
    """The target as it is kept, checked against what exists."""
    target = target.strip()
    if kind == Kind.SECTOR:
        if not 0 < len(target) <= SECTOR_LENGTH:
            allowed = f"text of 1 to {SECTOR_LENGTH} characters"
            raise refused("target", target, allowed, f"{target!r} is no sector; allowed is {allowed}.")
        return target
    models = {Kind.OWNER: Participant, Kind.PRODUCT: Product, Kind.ACCOUNT: Account, Kind.ROLE: CreditRole}
    model = models.get(kind)  # type: ignore[call-overload]
    if model is None:
        allowed = ", ".join(Kind.values)
        raise refused("kind", kind, allowed, f"{kind!r} cannot be mapped; allowed are {allowed}.")
    if not model.objects.filter(key=target).exists():
        what = f"the key of a {model._meta.verbose_name}"
        raise refused("target", target, what, f"{target!r} is not {what}.")
    return target


# ------------------------------------------------------------------ for those who hold the intake lock


def questions_open(*, asked: Iterable[tuple[RawDelivery, Question]], waits: bool = True) -> None:
    """Opens each question once and counts who waits for it; one answered earlier that comes up again is opened again.
    With `waits` false it is only told: no delivery waits."""
    grouped: dict[tuple[int, str, str], tuple[Question, RawDelivery, int]] = {}
    for delivery, question in asked:
        key = (delivery.endpoint_id, question.kind, question.value)
        first, count = (grouped[key][1], grouped[key][2]) if key in grouped else (delivery, 0)
        grouped[key] = (question, first, count + waits)
    if not grouped:
        return
    known = DataIssue.objects.filter(
        endpoint_id__in={k[0] for k in grouped}, kind__in={k[1] for k in grouped}, value__in={k[2] for k in grouped}
    )
    for issue in known:
        key = (issue.endpoint_id, issue.kind, issue.value)
        if key not in grouped:
            continue
        question, first, count = grouped.pop(key)
        if issue.state == DataIssue.State.RESOLVED:
            issue.state, issue.waiting, issue.opened_at = DataIssue.State.OPEN, 0, timezone.now()
            issue.resolved_at, issue.resolved_by, issue.resolution = None, None, ""
            issue.first_delivery, issue.message = first, question.message
        issue.waiting += count
        if not waits:
            issue.message = question.message
        issue.save()
    DataIssue.objects.bulk_create(
        DataIssue(
            endpoint_id=endpoint,
            kind=kind,
            value=value,
            message=question.message,
            first_delivery=first,
            waiting=count,
        )
        for (endpoint, kind, value), (question, first, count) in grouped.items()
    )


def questions_standing() -> bool:
    """Whether any question is open."""
    [(standing,)] = rows_read("SELECT EXISTS (SELECT 1 FROM crediting_dataissue WHERE state = 'open')", [])
    return bool(standing)


def deals_answered(deals: Iterable[tuple[int, str]]) -> None:
    """Whoever waited for one of these deals (endpoint, the source's id) to come, or for its next event, waits no more;
    other endpoints may have waited for it too."""
    if not questions_standing():
        return
    grouped: dict[int, list[str]] = defaultdict(list)
    for endpoint, deal in deals:
        grouped[endpoint].append(deal)
    for endpoint, values in grouped.items():
        questions_answer(endpoint_id=endpoint, kinds=OF_DEALS, values=values, answer="the deal's next event came")
        for other in HookEndpoint.objects.filter(deals_from=endpoint).values_list("id", flat=True):
            questions_answer(endpoint_id=other, kinds=["deal"], values=values, answer="the deal came")


def questions_leave(*, left: Sequence[tuple[int, str, str]]) -> None:
    """Deliveries wait no more for these questions (endpoint, kind, value), once for each: what came after them says
    more. A question that nobody waits for any more is resolved."""
    counts = Counter(left)
    if not counts:
        return
    open_issues = DataIssue.objects.filter(
        state=DataIssue.State.OPEN, endpoint_id__in={k[0] for k in counts}, value__in={k[2] for k in counts}
    )
    for issue in open_issues:
        count = counts[issue.endpoint_id, issue.kind, issue.value]
        issue.waiting = max(0, issue.waiting - count)
        if count and not issue.waiting:
            issue.state, issue.resolved_at = DataIssue.State.RESOLVED, timezone.now()
            issue.resolution = "a later change of the record came"
        issue.save()


def questions_answer(
    *,
    endpoint_id: int,
    kinds: Iterable[str],
    values: Iterable[str],
    answer: str,
    user: User | None = None,
    state: RawDelivery.State = State.PENDING,
) -> int:
    """Resolves the open questions of these kinds and values; deliveries that wait for nothing else are pending again,
    or in another `state`. Returns how many."""
    issues = list(
        DataIssue.objects.filter(
            endpoint_id=endpoint_id, kind__in=list(kinds), value__in=list(values), state=DataIssue.State.OPEN
        )
    )
    if not issues:
        return 0
    answered = {(issue.kind, issue.value) for issue in issues}
    waiting = RawDelivery.objects.filter(endpoint_id=endpoint_id, state__in=[State.WAITING, State.PARKED])
    freed: list[int] = []
    still: list[RawDelivery] = []
    for delivery in waiting.only("id", "waits_for").iterator():
        left = [pair for pair in delivery.waits_for if tuple(pair) not in answered]
        if len(left) == len(delivery.waits_for):
            continue
        if left:
            delivery.waits_for = left
            still.append(delivery)
        else:
            freed.append(delivery.pk)
    RawDelivery.objects.bulk_update(still, ["waits_for"], batch_size=500)
    RawDelivery.objects.filter(id__in=freed).update(state=state, waits_for=[], error="")
    DataIssue.objects.filter(id__in=[issue.pk for issue in issues]).update(
        state=DataIssue.State.RESOLVED, waiting=0, resolved_at=timezone.now(), resolved_by=user, resolution=answer
    )
    return len(freed)


def on_rates_changed(payload: dict[str, Any]) -> None:
    """A first rate of a currency may answer what waits for one; what waits for another is asked again."""
    intake_ask()
    issues = DataIssue.objects.filter(kind="currency", state=DataIssue.State.OPEN)
    by_endpoint: dict[int, list[str]] = defaultdict(list)
    for endpoint, value in issues.values_list("endpoint_id", "value"):
        by_endpoint[endpoint].append(value)
    for endpoint, values in by_endpoint.items():
        questions_answer(endpoint_id=endpoint, kinds=["currency"], values=values, answer=payload["label"])
