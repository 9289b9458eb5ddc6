"""A pay group's switch from another system: prepared, its day moved, its files taken and taken back, given up, or
signed by a second person. docs/cutover.md"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from comp.audit.services import record
from comp.core.days import day_date
from comp.core.errors import CompError
from comp.outbox.services import publish
from comp.people.calendars import period_holding
from comp.people.models import PayGroup
from comp.people.services import named_change
from comp.tenancy.capabilities import CAPABILITIES, Can
from comp.tenancy.models import User
from payouts.models import (
    ApprovalStage,
    Batch,
    CutOver,
    Explanation,
    LedgerTransaction,
    LegacyFile,
    Opening,
    OpeningBalance,
    OpeningFile,
    OpeningTranche,
    ParallelRun,
    Statement,
)
from payouts.reads.digests import switch_digest
from payouts.selectors import TAKEN
from payouts.services import ledger
from payouts.services.adjustments_file import Wrong, digest_of
from payouts.services.approvals import stage_approve, why_not
from payouts.services.batch_steps import audit, batch_facts, everyone, one_writer, statements_of
from payouts.services.cutover_file import OpeningRow, balances_read, openings_read
from payouts.services.opening_batch import opening_build, opening_void
from payouts.services.parallel import parallel_open, was_run
from payouts.services.periods import ready

State = CutOver.State
#: How long the reason for signing without a parallel run may be.
NO_RUN = 500
#: The triggers that look whether an opening's tranches are what it earned.
_ADDS_UP = "opening_adds_up, openingtranche_adds_up"


class CutOverError(CompError):
    """Something may not be done with a cut-over; the message says why and what is allowed."""


@dataclass(frozen=True, slots=True)
class Named:
    """A table by its name, as plain CSV."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        return digest_of(self.text)


def cutover_prepare(*, pay_group: PayGroup, source: str, day: date, by: User) -> CutOver:
    """Begins the switch of a pay group from `source`. From `day` on, the first of one of its pay periods, Comp pays; it
    becomes the group's first day. Refused for a group that Comp has paid."""
    source = source.strip()
    if not source:
        raise CutOverError("Name the system that is left: people read it on their statements.")
    with everyone():
        pay_group = PayGroup.objects.select_for_update().get(pk=pay_group.pk)
        if batch := Batch.objects.filter(pay_group=pay_group, state__in=TAKEN).first():
            raise CutOverError(f"{pay_group}: {batch} stands, so Comp pays this group already.")
        if found := CutOver.objects.filter(pay_group=pay_group).exclude(state=State.ABANDONED).first():
            raise CutOverError(f"{pay_group}: its switch from {found.source} was begun by {found.prepared_by} already.")
        before = pay_group.opens_on
        _opens(pay_group, day)
        cut_over = CutOver.objects.create(
            pay_group=pay_group, source=source[:60], day=day, opened_before=before, prepared_by=by
        )
        record(code="cutover.prepare", subject=cut_over, after=_facts(cut_over))
    return cut_over


def cutover_move(*, cut_over: CutOver, day: date, by: User) -> CutOver:
    """Moves the switch to the first day of another pay period. Refused where what the files say does not fit it."""
    with everyone():
        cut_over = _open(cut_over)
        if cut_over.day == day:
            raise CutOverError(f"{cut_over}: it is on {day:%-d %B %Y} already.")
        late = OpeningTranche.objects.filter(
            opening__cut_over=cut_over, opening__taken_back_at=None, index__gt=0, release_day__lt=day
        ).select_related("participant")
        if tranche := late.first():
            raise CutOverError(
                f"{cut_over}: {tranche.participant} has a tranche released on {tranche.release_day:%-d %B %Y}, before "
                f"{day:%-d %B %Y}. Take the files back and bring them again as of the new day."
            )
        stands = Opening.objects.filter(cut_over=cut_over, taken_back_at=None, day__gte=day)
        if opening := stands.select_related("participant").first():
            raise CutOverError(
                f"{cut_over}: the opening of {opening.participant} stands for days until {opening.day:%-d %B %Y}."
            )
        back = OpeningBalance.objects.filter(cut_over=cut_over, taken_back_at=None, kind=OpeningBalance.Kind.HELD_BACK)
        if balance := back.filter(day__lt=day).select_related("participant").first():
            raise CutOverError(
                f"{cut_over}: what is held back of {balance.participant} returns before {day:%-d %B %Y}."
            )
        before = _facts(cut_over)
        opening_void(cut_over, by=by, reason=f"The switch moves to {day:%-d %B %Y}.")
        _opens(cut_over.pay_group, day)
        cut_over.day, cut_over.moved_by, cut_over.batch = day, by, None
        cut_over.save(update_fields=["day", "moved_by", "batch"])
        opening_build(cut_over, by=by)
        record(code="cutover.move", subject=cut_over, before=before, after=_facts(cut_over))
    return cut_over


def cutover_phase(*, cut_over: CutOver, state: CutOver.State, by: User) -> CutOver:
    """Begins the parallel run, or goes back to preparing."""
    if state not in (State.PREPARING, State.PARALLEL):
        raise CutOverError(f"{cut_over}: it is prepared or run in parallel; {state} has an act of its own.")
    with everyone():
        cut_over = _open(cut_over)
        before, cut_over.state = _facts(cut_over), state
        cut_over.save(update_fields=["state"])
        record(code="cutover.phase", subject=cut_over, before=before, after={**_facts(cut_over), "by": str(by)})
    return cut_over


def cutover_abandon(*, cut_over: CutOver, by: User, reason: str) -> CutOver:
    """Gives the switch up: its files are taken back, and the group is paid from the day, and as, it was before."""
    reason = reason.strip()
    if not reason:
        raise CutOverError(f"{cut_over}: say why it is given up.")
    with everyone():
        cut_over = _open(cut_over)
        for file in OpeningFile.objects.filter(cut_over=cut_over, taken_back_at=None, beside=None):
            _take_back(file, by)
        opening_void(cut_over, by=by, reason=reason)
        before = _facts(cut_over)
        cut_over.state, cut_over.batch = State.ABANDONED, None
        cut_over.save(update_fields=["state", "batch"])
        group = cut_over.pay_group
        if cut_over.opened_before is not None and group.opens_on == cut_over.day != cut_over.opened_before:
            named_change(row=group, opens_on=cut_over.opened_before)
        record(code="cutover.abandon", subject=cut_over, before=before, after=_facts(cut_over), reason=reason)
    return cut_over


# ------------------------------------------------------------------ files


def openings_take(*, cut_over: CutOver, file: Named, beside: Named | None = None, by: User) -> OpeningFile:
    """Takes a table of openings (with its unreleased tranches, `beside`) as a whole. It is read and checked here, where
    nobody else changes the switch meanwhile."""
    with everyone():
        cut_over = _open(cut_over)
        found = openings_read(file.text, beside.text if beside else "", cut_over=cut_over)
        _whole(file, found.rows, [*found.wrong, *found.wrong_tranches])
        kept = _kept(cut_over, OpeningFile.Kind.OPENINGS, file, len(found.rows), found.totals(), by)
        if beside is not None:
            sums = {"unreleased": found.totals()["unreleased"]}
            _kept(cut_over, OpeningFile.Kind.TRANCHES, beside, found.tranches, sums, by, kept)
        made = Opening.objects.bulk_create([_opening(cut_over, kept, row) for row in found.rows], batch_size=2000)
        OpeningTranche.objects.bulk_create(_tranches(made, found.rows), batch_size=2000)
        with connection.cursor() as cursor:
            # Looked at here, where all rows can be seen, and not at commit, when the request's narrower view is back.
            cursor.execute(f"SET CONSTRAINTS {_ADDS_UP} IMMEDIATE")
            cursor.execute(f"SET CONSTRAINTS {_ADDS_UP} DEFERRED")
        opening_build(cut_over, by=by)
        _told({(row.participant.pk, row.day) for row in found.rows}, f"Brought forward from {cut_over.source}")
    return kept


def balances_take(*, cut_over: CutOver, file: Named, by: User) -> OpeningFile:
    """Takes a table of balances as a whole, read and checked as openings are."""
    with everyone():
        cut_over = _open(cut_over)
        found = balances_read(file.text, cut_over=cut_over)
        _whole(file, found.rows, found.wrong)
        kept = _kept(cut_over, OpeningFile.Kind.BALANCES, file, len(found.rows), found.totals(), by)
        OpeningBalance.objects.bulk_create(
            [
                OpeningBalance(
                    cut_over=cut_over, file=kept, row=row.line, participant=row.participant,
                    pay_group=cut_over.pay_group, plan_id=row.version.plan_id, kind=row.kind, key=row.key, day=row.day,
                    amount_minor=row.amount_minor, currency=row.currency,
                )
                for row in found.rows
            ],
            batch_size=2000,
        )  # fmt: skip
        opening_build(cut_over, by=by)
    return kept


def file_take_back(*, file: OpeningFile, by: User) -> OpeningFile:
    """Takes a file back as a whole, with the one of tranches beside it, until the switch is signed."""
    with everyone():
        cut_over = _open(file.cut_over)
        file = OpeningFile.objects.select_for_update().get(pk=file.pk)
        if file.taken_back_at is not None:
            raise CutOverError(f"{file}: {file.taken_back_by} took it back already.")
        if file.beside is not None:
            raise CutOverError(f"{file}: it goes with {file.beside}; take that one back.")
        _take_back(file, by)
        opening_build(cut_over, by=by)
    return file


def _whole(file: Named, rows: Sequence[object], wrong: Sequence[Wrong]) -> None:
    """CutOverError unless all of a file can be taken."""
    if wrong:
        first = f"line {wrong[0].line}: {wrong[0].message}"
        raise CutOverError(f"{file.name}: a file counts whole or not at all, and {first}")
    if not rows:
        raise CutOverError(f"{file.name}: it holds nothing to bring forward.")


def _kept(
    cut_over: CutOver, kind: OpeningFile.Kind, file: Named, rows: int, totals: Any, by: User,
    beside: OpeningFile | None = None,
) -> OpeningFile:  # fmt: skip
    same = OpeningFile.objects.filter(cut_over=cut_over, kind=kind, digest=file.digest, taken_back_at=None)
    if same.exists():
        raise CutOverError(f"{file.name}: the same file was taken before.")
    kept = OpeningFile.objects.create(
        cut_over=cut_over, kind=kind, name=file.name[:200], digest=file.digest, rows=rows, totals=totals,
        uploaded_by=by, beside=beside,
    )  # fmt: skip
    record(code="cutover.file", subject=kept, after={"kind": str(kind), "rows": rows, "digest": file.digest})
    return kept


def _opening(cut_over: CutOver, file: OpeningFile, row: OpeningRow) -> Opening:
    return Opening(
        cut_over=cut_over, file=file, row=row.line, participant=row.participant, pay_group=cut_over.pay_group,
        plan_id=row.version.plan_id, component=row.component.key, day=row.day, measured_minor=row.measured_minor,
        earned_minor=row.earned_minor, currency=row.currency, reference=row.reference,
    )  # fmt: skip


def _tranches(made: Sequence[Opening], rows: Sequence[OpeningRow]) -> Iterable[OpeningTranche]:
    """What was paid first, then what is not released, in the order of the file."""
    for opening, row in zip(made, rows, strict=True):
        said = {
            "opening": opening, "participant_id": opening.participant_id, "pay_group_id": opening.pay_group_id,
            "currency": opening.currency,
        }  # fmt: skip
        if row.paid_minor:
            paid: dict[str, Any] = {}
            if row.rate is not None:
                paid = {"paid_minor": row.paid_out_minor, "paid_in": row.paid_in, "paid_rate": row.rate}
            yield OpeningTranche(**said, **paid, index=0, amount_minor=row.paid_minor, release_day=row.day)
        for index, each in enumerate(row.tranches, start=1):
            yield OpeningTranche(
                **said, index=index, amount_minor=each.amount_minor, release_day=each.release_day, deal=each.deal,
                milestone=each.milestone,
            )  # fmt: skip


def _take_back(file: OpeningFile, by: User) -> None:
    gone = {"taken_back_at": timezone.now(), "taken_back_by": by}
    OpeningBalance.objects.filter(file=file).update(**gone)
    openings = Opening.objects.filter(file=file)
    _told(set(openings.values_list("participant_id", "day")), f"{file.name} was taken back")
    openings.update(**gone)
    OpeningFile.objects.filter(beside=file).update(**gone)
    OpeningFile.objects.filter(pk=file.pk).update(**gone)
    file.refresh_from_db()
    record(code="cutover.file_back", subject=file, after={"kind": file.kind, "digest": file.digest})


def _told(openings: set[tuple[int, date]], label: str) -> None:
    """These people's figures of the openings' days are recomputed."""
    if openings:
        changes = [{"participant": person, "day": day.isoformat()} for person, day in sorted(openings)]
        publish(topic="openings.changed", payload={"changes": changes, "label": label[:300]})


# ------------------------------------------------------------------ the switch


def cutover_refresh(*, cut_over: CutOver, by: User) -> CutOver:
    """Builds the opening batch from the figures as they stand now. Refused while they are under way."""
    with everyone():
        ready(cut_over.pay_group)
        cut_over = _open(cut_over)
        opening_build(cut_over, by=by)
    return cut_over


def cutover_sign(*, cut_over: CutOver, signed_by: User, digest: str, no_run: str = "") -> CutOver:
    """A second person signs what was shown, by its digest: the opening batch is approved and posted, and from now on
    Comp pays. Nothing of it moves any more. Refused while figures are under way or the parallel run does not tie out,
    and to whoever had a hand in it or has pay in it. `no_run`: why there is no parallel run, where there is none."""
    with everyone():
        cut_over = CutOver.objects.select_related("pay_group__calendar").get(pk=cut_over.pk)
        ready(cut_over.pay_group)
        cut_over = _open(cut_over)
        if reasons := [*sign_refusals(cut_over, signed_by), *parallel_open(cut_over)]:
            raise CutOverError(f"{cut_over}: {reasons[0]}")
        built_by = cut_over.batch.locked_by if cut_over.batch else None
        batch = opening_build(cut_over, by=built_by or cut_over.prepared_by)
        signed = switch_digest(cut_over)
        if signed != digest:
            raise CutOverError(f"{cut_over}: what you were shown is not what would be signed. Look at it once more.")
        was = was_run(cut_over)
        no_run = "" if was else no_run.strip()[:NO_RUN]
        if not was and not no_run:
            raise CutOverError(f"{cut_over}: no parallel run was made; say why it is signed without one.")
        _approve(batch, cut_over, signed_by)
        before = _facts(cut_over)
        cut_over.state, cut_over.signed_by, cut_over.signed_at = State.SIGNED, signed_by, timezone.now()
        cut_over.digest, cut_over.no_run = signed, no_run
        cut_over.save(update_fields=["state", "signed_by", "signed_at", "digest", "no_run"])
        record(code="cutover.sign", subject=cut_over, before=before, after=_facts(cut_over), reason=no_run)
    return cut_over


def sign_refusals(cut_over: CutOver, user: User) -> list[str]:
    """Why a person may not sign the switch as it stands; nothing where they may."""
    found = []
    if not cut_over.is_open:
        found.append(f"it is {cut_over.get_state_display().lower()}.")
    if cut_over.prepared_by_id == user.pk:
        found.append("you prepared it, so somebody else has to sign it.")
    if cut_over.moved_by_id == user.pk:
        found.append("you moved its day, so somebody else has to sign it.")
    if cut_over.batch is not None and cut_over.batch.locked_by_id == user.pk:
        found.append("you brought its opening batch up to date, so somebody else has to sign it.")
    stands = {"cut_over": cut_over, "taken_back_at": None}
    with everyone():
        for files in (OpeningFile.objects, LegacyFile.objects):
            if file := files.filter(**stands, uploaded_by=user).first():
                found.append(f"you uploaded {file}, so somebody else has to sign it.")
        if Explanation.objects.filter(**stands, explained_by=user).exists():
            found.append("you explained a difference of its parallel run, so somebody else has to sign it.")
        if ParallelRun.objects.filter(cut_over=cut_over, rounding_by=user).exists():
            found.append("you said what rounding is in its parallel run, so somebody else has to sign it.")
        if any(
            rows.filter(**stands, participant__user=user).exists() for rows in (Opening.objects, OpeningBalance.objects)
        ):
            found.append("your own pay is in it, so somebody else has to sign it.")
    return found


def sign_digest(cut_over: CutOver) -> str:
    """What whoever signs has to be shown, and sends back."""
    with everyone():
        return switch_digest(cut_over)


def _approve(batch: Batch, cut_over: CutOver, signed_by: User) -> None:
    """The way of any batch, in one step: submitted by who prepared it, approved by the signer, posted."""
    now = timezone.now()
    batch.state, batch.submitted_by, batch.submitted_at = Batch.State.SUBMITTED, cut_over.prepared_by, now
    batch.save(update_fields=["state", "submitted_by", "submitted_at"])
    audit("batch.submit", batch, after=batch_facts(batch))
    roles = sorted(role.value for role, can in CAPABILITIES.items() if Can.BATCH_APPROVE in can)
    ApprovalStage.objects.create(
        batch=batch, place=1, seat=1, name="Switch", roles=roles, people=[], state=ApprovalStage.State.OPEN,
        opened_at=now,
    )  # fmt: skip
    if refusal := why_not(batch, signed_by):
        raise CutOverError(f"{cut_over}: {refusal}")
    stage_approve(batch=batch, approved_by=signed_by, digest=batch.digest)
    batch.state, batch.decided_by, batch.decided_at = Batch.State.APPROVED, signed_by, timezone.now()
    batch.approved_digest = batch.digest
    batch.save(update_fields=["state", "decided_by", "decided_at", "approved_digest"])
    audit("batch.approve", batch, Batch.State.SUBMITTED, batch_facts(batch))
    posted = ledger.post_query(
        ledger.OF_OPENING,
        {"batch": batch.pk},
        kind=LedgerTransaction.Kind.OPENING,
        batch=batch,
        day=cut_over.day,
    )
    batch.state, batch.posted_at, batch.ledger_head = Batch.State.POSTED, timezone.now(), posted.digest
    batch.save(update_fields=["state", "posted_at", "ledger_head"])
    statements_of(batch).update(state=Statement.State.PAID)
    audit("batch.post", batch, Batch.State.APPROVED, {**batch_facts(batch), "ledger": batch.ledger_head})


# ------------------------------------------------------------------ shared


def _open(cut_over: CutOver) -> CutOver:
    """The cut-over as it is now, locked; CutOverError where it is signed or given up."""
    one_writer()  # before the audit's lock
    found = CutOver.objects.select_for_update(of=("self",)).select_related("pay_group__calendar", "batch")
    row = found.get(pk=cut_over.pk)
    if not row.is_open:
        raise CutOverError(f"{row}: it is {row.get_state_display().lower()}, and stays as it is.")
    return row


def _opens(pay_group: PayGroup, day: date) -> None:
    """The group's first day is the switch; CutOverError for a day within a pay period."""
    start = day_date(period_holding(pay_group.calendar, day).start)
    if start != day:
        raise CutOverError(
            f"{pay_group}: {day:%-d %B %Y} is within a pay period; a switch is on a first day, such as "
            f"{start:%-d %B %Y}."
        )
    if pay_group.opens_on != day:
        named_change(row=pay_group, opens_on=day)


def _facts(cut_over: CutOver) -> dict[str, Any]:
    """What the audit trail keeps of it: no amounts, which its digest binds."""
    return {
        "pay_group": cut_over.pay_group.key, "source": cut_over.source, "day": cut_over.day.isoformat(),
        "state": str(cut_over.state), "digest": cut_over.digest or (cut_over.batch.digest if cut_over.batch else ""),
    }  # fmt: skip
