"""Sets of rules by which deals are aligned: kept for their preview, and put in force, each whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from comp.audit.services import record
from comp.core.canonical import digest
from comp.core.errors import Problem, refused
from comp.tenancy.models import User
from crediting.models import Alignment, AlignmentRule, Deal
from crediting.services.alignment import Realigned, deals_realign, in_force, realigned
from crediting.services.alignment_file import COLUMNS, ROWS, Given, rules_read
from crediting.services.locks import intake_hold
from crediting.services.news import changes_tell


@dataclass(frozen=True, slots=True)
class Touched:
    """Somebody whose deals would be others: how many come and go, and the first day of them."""

    participant: int
    gains: int
    loses: int
    since: date


@dataclass(frozen=True, slots=True)
class Preview:
    """What an alignment would change of the deals that stand."""

    changes: tuple[Realigned, ...]
    people: tuple[Touched, ...]

    @property
    def deals(self) -> int:
        return len({one.deal.pk for one in self.changes})

    @property
    def vacant(self) -> int:
        """Of the changes, those after which nobody has the deal."""
        return sum(one.after is None for one in self.changes)


def alignment_store(
    *, name: str, rows: Sequence[Given], by: User
) -> tuple[Alignment | None, list[tuple[int, Problem]]]:
    """Keeps a set of rules for its preview; or all that is wrong with them, each with its line, and keeps nothing."""
    if not 0 < len(rows) <= ROWS:
        allowed = f"1 to {ROWS:,} rules"
        raise refused("rules", f"{len(rows):,} rules", allowed, f"An alignment has {allowed}; found {len(rows):,}.")
    rules, wrong = rules_read(rows)
    if wrong:
        return None, wrong
    said = digest([[given.get(column, "").strip() for column in COLUMNS] for _, given in rows])
    with transaction.atomic():
        alignment = Alignment.objects.create(
            name=name.strip()[:200] or "Rules", digest=said, rows=len(rules), uploaded_by=by
        )
        for rule in rules:
            rule.alignment = alignment
        AlignmentRule.objects.bulk_create(rules, batch_size=1_000)
        after = {"name": alignment.name, "digest": said, "rules": len(rules)}
        record(code="alignment.upload", subject=alignment, after=after)
    return alignment, []


def alignment_preview(*, alignment: Alignment) -> Preview:
    """Whose deals would be others', if it were in force now."""
    changes = tuple(realigned(alignment))
    gains, loses = Counter(one.after for one in changes), Counter(one.before for one in changes)
    since: dict[int, date] = {}
    for one in changes:
        day = one.deal.close_date
        for pk in (one.before, one.after):
            if pk is not None and day is not None:
                since[pk] = min(day, since.get(pk, day))
    people = tuple(Touched(pk, gains[pk], loses[pk], since[pk]) for pk in sorted(since))
    return Preview(changes, people)


@transaction.atomic
def alignment_apply(*, alignment: Alignment, by: User) -> Alignment:
    """Puts a set of rules in force, in place of the one before: whose deals are others' now is corrected, all of them
    in one transaction. An older set is put in force again by uploading it again."""
    intake_hold()
    alignment = Alignment.objects.select_for_update().get(pk=alignment.pk)
    if alignment.number is not None:
        message = f"{alignment.name} was put in force already, as alignment {alignment.number}."
        raise refused("alignment", alignment.name, "a set of rules that was not put in force", message)
    before = in_force()
    last = Alignment.objects.aggregate(last=Max("number"))["last"] or 0
    alignment.number, alignment.applied_by, alignment.applied_at = last + 1, by, timezone.now()
    alignment.save(update_fields=["number", "applied_by", "applied_at"])
    changes = deals_realign(why=f"by alignment {alignment.number}")
    changes_tell(changes)
    vacant = Deal.objects.filter(aligned__isnull=False).exclude(aligned__why={}).exclude(stage="lost")
    alignment.counts = {"deals": len({change["deal"] for change in changes}), "vacant": vacant.count()}
    alignment.save(update_fields=["counts"])
    record(
        code="alignment.apply",
        subject=alignment,
        before={"number": before.number, "digest": before.digest} if before else None,
        after={"number": alignment.number, "digest": alignment.digest, "counts": alignment.counts},
    )
    return alignment
