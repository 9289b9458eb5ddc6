"""The parallel run of a cut-over: statements of the system before, taken and taken back; the tie-out; explanations; and
what is left before the switch can be signed. docs/cutover.md"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError, refused
from comp.core.money import format_money
from comp.outbox.services import JOBS, ring
from comp.people.models import Participant
from comp.tenancy.models import User
from comp.tenancy.rows import rows_store
from comp.tenancy.scope import current_scope, current_tenant_id
from payouts.kernel.tieout import Tie, tied
from payouts.models import CutOver, Explanation, LargeStep, LegacyFile, LegacyLine, ParallelRun, TieOut
from payouts.reads.parallel import last_cause, lines_standing, progress, run_of, ties
from payouts.selectors_batches import scopes_pending
from payouts.services.batch_steps import everyone
from payouts.services.decisions import not_own
from payouts.services.parallel_sides import Sides, sides, told

#: No difference is larger than this and still rounding.
MOST_ROUNDING = 10_000
NOTE = 1_000
#: A row of the tie-out is known by these, and keeps its number; so many are written at once.
_ONCE = ("cut_over_id", "person", "period_starts_on", "currency")
PIECE = 5_000
#: A run of more statements' lines than these is tied out by the workers of the jobs.
AT_ONCE = 10_000


class ParallelError(CompError):
    """The parallel run cannot take this step; the message says why and what is allowed."""


def _open(cut_over: CutOver) -> CutOver:
    """The cut-over as it is now, locked; refused once it is signed or given up."""
    found = CutOver.objects.select_for_update(of=("self",)).select_related("pay_group").get(pk=cut_over.pk)
    if not found.is_open:
        raise ParallelError(
            f"{found}: it is {found.get_state_display().lower()}, and its parallel run stays as it was."
        )
    return found


# ------------------------------------------------------------------ their statements


def file_take(
    *, cut_over: CutOver, name: str, digest: str, lines: Sequence[LegacyLine], kinds: dict[str, str], by: User
) -> LegacyFile:
    """Takes the lines of a file, read by payouts.services.parallel_file, and ties the run out."""
    with everyone():
        cut_over = _open(cut_over)
        if standing := LegacyFile.objects.filter(cut_over=cut_over, digest=digest, taken_back_at=None).first():
            raise refused("file", name, "a file that was not taken yet", f"The same file stands as {standing}.")
        file = LegacyFile.objects.create(
            cut_over=cut_over, name=name[:200], digest=digest, rows=len(lines), kinds=kinds, uploaded_by=by
        )
        for line in lines:
            line.cut_over, line.file, line.pay_group_id = cut_over, file, cut_over.pay_group_id
        LegacyLine.objects.bulk_create(lines, batch_size=2000)
        sums: Counter[str] = Counter()
        for line in lines:
            sums[line.currency] += line.amount_minor
        _tie_soon(cut_over, by)
        record(code="parallel.file", subject=file, after={"digest": digest, "rows": len(lines), "totals": dict(sums)})
    return file


def file_take_back(*, file: LegacyFile, by: User) -> None:
    """The lines of a file count no more; they stay, with who took them back."""
    with everyone():
        cut_over = _open(file.cut_over)
        found = LegacyFile.objects.select_for_update().get(pk=file.pk)
        if found.taken_back_at is not None:
            raise ParallelError(f"{found}: it was taken back already.")
        found.taken_back_at, found.taken_back_by = timezone.now(), by
        found.save(update_fields=["taken_back_at", "taken_back_by"])
        _tie_soon(cut_over, by)
        record(code="parallel.file_back", subject=found, before={"digest": found.digest, "rows": found.rows})


# ------------------------------------------------------------------ the tie-out


def rounding_set(*, cut_over: CutOver, minor: int, by: User) -> None:
    """Differences of a line up to so many minor units of its own currency are rounding; ties the run out by it."""
    if not 0 <= minor <= MOST_ROUNDING:
        allowed = f"0 to {MOST_ROUNDING:,} smallest units"
        raise refused("rounding", minor, allowed, f"{minor:,} is more than rounding can be; allowed are {allowed}.")
    with everyone():
        cut_over = _open(cut_over)
        run, _ = ParallelRun.objects.get_or_create(cut_over=cut_over)
        before, run.rounding_minor, run.rounding_by = run.rounding_minor, minor, by
        run.save(update_fields=["rounding_minor", "rounding_by"])
        _tie_soon(cut_over, by)
        record(code="parallel.rounding", subject=cut_over, before={"minor": before}, after={"minor": minor})


def tie_out(*, cut_over: CutOver, by: User) -> LargeStep | None:
    """Compares both sides as they stand now; what is large is asked of the workers, and returned."""
    with everyone():
        return _tie_soon(_open(cut_over), by)


def tie_now(*, cut_over: CutOver, by: User) -> ParallelRun:
    """Compares both sides as they stand now, however large."""
    with everyone():
        return _tie(_open(cut_over), by)


def _tie_soon(cut_over: CutOver, by: User) -> LargeStep | None:
    """Ties the run out, or has workers do it: one that waits reads what stands when it is taken. Behind the cut-over's
    lock, for which workers wait too. Until it is tied out the switch cannot be signed: its digest is another one."""
    lines = lines_standing(cut_over)
    if (count := lines.count()) <= AT_ONCE:
        _tie(cut_over, by)
        return None
    if asked := LargeStep.objects.filter(pay_group_id=cut_over.pay_group_id, ended_at=None).first():
        if asked.step != LargeStep.Step.TIE:
            raise ParallelError(f"{asked} is under way, asked for by {asked.asked_by}. Wait until it is done.")
        return asked
    asked = LargeStep.objects.create(
        step=LargeStep.Step.TIE, pay_group=cut_over.pay_group, starts_on=cut_over.day,
        name=f"the parallel run with {cut_over.source}", people=lines.values("person").distinct().count(), lines=count,
        said={"cut_over": cut_over.pk}, asked_by=by, actor=asdict(current_scope().actor),
    )  # fmt: skip
    ring(tenant_id=current_tenant_id(), queue=JOBS)
    return asked


def _tie(cut_over: CutOver, by: User) -> ParallelRun:
    """Works both sides out and records it last: an audit entry locks the company's trail until the transaction ends."""
    run, _ = ParallelRun.objects.get_or_create(cut_over=cut_over)
    run.last_cause = last_cause()
    both = sides(cut_over)
    found = tied(
        both.theirs, both.ours, periods=both.periods, rounding=run.rounding_minor, strangers=both.strangers
    )  # fmt: skip
    rows = [_row(cut_over, both, tie) for tie in found]
    changing = [name for name in rows[0] if name not in _ONCE] if rows else []
    stands = [pk for start in range(0, len(rows), PIECE) for pk in
              rows_store(TieOut, rows[start : start + PIECE], once=_ONCE, changing=changing)]  # fmt: skip
    TieOut.objects.filter(cut_over=cut_over).exclude(pk__in=stands).delete()
    run.tied_at, run.tied_by, run.digest = timezone.now(), by, both.digest(run.rounding_minor)
    run.save(update_fields=["tied_at", "tied_by", "digest", "last_cause"])
    state = progress(cut_over)
    record(
        code="parallel.tie",
        subject=cut_over,
        after={"digest": run.digest, "people": state.people, "tied": state.tied, "rows": len(found)},
    )
    return run


def _row(cut_over: CutOver, both: Sides, tie: Tie) -> dict[str, Any]:
    causes: Counter[str] = Counter()
    for part in tie.parts:
        if part.cause:
            causes[part.cause] += part.minor
    return {
        "cut_over_id": cut_over.pk,
        "person": tie.person,
        "period_starts_on": both.starts_on(tie.period),
        "currency": tie.currency,
        "participant_id": both.people.get(tie.person),
        "pay_group_id": cut_over.pay_group_id,
        "theirs_minor": tie.theirs,
        "ours_minor": tie.ours,
        "rest_minor": tie.rest,
        "causes": dict(causes),
        "parts": [told(part, both.deals) for part in tie.parts],
    }


# ------------------------------------------------------------------ explanations


def explain(*, row: TieOut, amount_minor: int, cause: str, note: str, by: User) -> Explanation:
    """Says why the rest of a row is `amount_minor`, which has to be what stands. What was said before is taken back."""
    note = note.strip()[:NOTE]
    if cause not in Explanation.Cause.values:
        raise refused("cause", cause, ", ".join(Explanation.Cause.values), f"{cause!r} is no cause of a difference.")
    if not note:
        raise refused("note", "nothing", "a sentence", "An explanation needs a note that an auditor can follow.")
    with everyone():
        cut_over = _open(row.cut_over)
        found = TieOut.objects.filter(**_of(row)).first()
        rest = found.rest_minor if found else 0
        if rest != amount_minor or not rest:
            said, stands = (format_money(minor, row.currency) for minor in (amount_minor, rest))
            raise refused("amount", said, stands, f"What is unexplained is {stands}, not {said}: look at it again.")
        if who := Participant.objects.filter(key=row.person).first():
            not_own(who, by, "pay")
        _end(_standing(row), by)
        made = Explanation.objects.create(
            **_of(row) | {"cut_over": cut_over},
            participant=who,
            pay_group_id=row.pay_group_id,
            amount_minor=amount_minor,
            cause=cause,
            note=note,
            explained_by=by,
        )
        record(
            code="parallel.explain",
            subject=("payouts.tieout", str(row.pk), f"{row.person}, {row.period_starts_on:%-d %B %Y}"),
            after={"minor": amount_minor, "currency": row.currency, "cause": cause},
            reason=note,
        )
    return made


def explanation_take_back(*, row: TieOut, by: User) -> None:
    """The explanation of a row counts no more."""
    with everyone():
        _open(row.cut_over)
        standing = _standing(row)
        if standing is None:
            raise ParallelError("No explanation stands that could be taken back.")
        _end(standing, by)
        subject = ("payouts.tieout", str(row.pk), f"{row.person}, {row.period_starts_on:%-d %B %Y}")
        record(code="parallel.explain_back", subject=subject, before={"minor": standing.amount_minor})


def _end(standing: Explanation | None, by: User) -> None:
    if standing is not None:
        standing.taken_back_at, standing.taken_back_by = timezone.now(), by
        standing.save(update_fields=["taken_back_at", "taken_back_by"])


def _of(row: TieOut) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("cut_over", "person", "period_starts_on", "currency")}


def _standing(row: TieOut) -> Explanation | None:
    return Explanation.objects.filter(**_of(row), taken_back_at=None).first()


# ------------------------------------------------------------------ the gate


def was_run(cut_over: CutOver) -> bool:
    """Whether any statement of the system before stands; a switch without is signed with the reason why."""
    with everyone():
        return lines_standing(cut_over).exists()


def parallel_open(cut_over: CutOver, *, exact: bool = True) -> list[str]:
    """Why the switch cannot be signed as the parallel run stands; nothing where it can. Reads only. Not `exact`: for a
    page, which does not compare both sides again to see whether amounts moved since they were tied out."""
    with everyone():
        if not lines_standing(cut_over).exists():
            none = f"The parallel run holds no statement of {cut_over.source}: upload them first."
            return [none] if cut_over.state == CutOver.State.PARALLEL else []
        found: list[str] = []
        run = run_of(cut_over)
        if pending := scopes_pending(cut_over.pay_group):
            found.append(f"{pending:,} recomputations are still to come: wait until the figures stand.")
        if exact and (run is None or run.digest != sides(cut_over).digest(run.rounding_minor)):
            found.append("Figures or statements moved since the parallel run was tied out: tie it out again.")
        late = lines_standing(cut_over).filter(period_starts_on__gte=cut_over.day).order_by("period_starts_on").first()
        if late is not None:
            from_day = f"{late.period_starts_on:%-d %B %Y}"
            found.append(f"A statement is of the period from {from_day}, which Comp pays: take its file back.")
        open_rows = ties(cut_over).filter(open__gt=0).order_by("currency").values("currency")
        if sums := list(open_rows.annotate(count=Count("id"), minor=Sum("open"))):
            said = ", ".join(format_money(int(row["minor"]), row["currency"]) for row in sums)
            count = sum(row["count"] for row in sums)
            of = f"{count:,} statement{'' if count == 1 else 's'}"
            found.append(f"{said} in {of} is unexplained; {progress(cut_over)}.")
        return found
