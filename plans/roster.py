"""What a roster changes: joiners, leavers, who is hired again, movers, managers, leave, targets. Tried or done in one
transaction: either all rows are applied or none is. The same roster again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from comp.audit.services import record
from comp.core.days import parse_day
from comp.core.errors import CompError, ProblemsError, refused
from comp.core.money import parse_money
from comp.outbox.models import Message
from comp.people import dated
from comp.people import services as people
from comp.people.models import (
    Attribute,
    CreditRole,
    Gap,
    Leave,
    Participant,
    PayGroup,
    Position,
    ReportingLine,
    RosterFile,
    Team,
    Territory,
)
from comp.people.selectors import today
from comp.people.timeline import span
from comp.tenancy.models import User
from comp.tenancy.selectors import own_currency
from plans import services as plans
from plans.models import Quota
from plans.roster_file import RosterRow, RowError, roster_read, told

#: What a change is, in the order in which they are shown.
KINDS = {
    "joiner": "Joins", "rehire": "Hired again", "leaver": "Leaves", "mover": "Moves", "manager": "Manager",
    "leave": "Leave", "target": "Target", "details": "Details",
}  # fmt: skip
_ATTRIBUTES = tuple(Attribute.Name.values)


@dataclass(frozen=True, slots=True)
class RosterChange:
    """What one row changes, in words; `since` is the first day that it is about."""

    line: int
    kind: str
    employee: str
    name: str
    what: str
    since: date


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a roster changes or would change. `affected`: participant id to the first day on which figures may move;
    somebody who would only join is not among them. Where there are errors nothing was applied."""

    changes: tuple[RosterChange, ...]
    errors: tuple[RowError, ...]
    affected: dict[int, date]
    rows: int
    applied: bool

    @property
    def digest(self) -> str:
        """Of what it changes and whom it affects: whoever applies a file applies what was shown."""
        said = repr((self.changes, sorted(self.affected.items())))
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """Changes by kind, and errors."""
        found = Counter(change.kind for change in self.changes)
        return {**{kind: found[kind] for kind in KINDS if found[kind]}, "errors": len(self.errors)}


def roster_store(*, name: str, text: str, by: User) -> RosterFile:
    """Keeps an uploaded file for its preview. Refuses what is no such table."""
    rows, errors = roster_read(text)
    file = RosterFile.objects.create(
        name=name[:200], text=text, digest=hashlib.sha256(text.encode()).hexdigest(), uploaded_by=by,
        rows=len(rows) + len({error.line for error in errors}),
    )  # fmt: skip
    record(code="roster.upload", subject=file, after={"name": file.name, "digest": file.digest, "rows": file.rows})
    return file


@transaction.atomic
def roster_file_apply(*, file: RosterFile, by: User, seen: str | None = None) -> Outcome:
    """Applies a stored file, once. Where any row is wrong nothing is done. `seen`: the digest of what was shown; where
    that is no longer what it would do, it is refused."""
    file = RosterFile.objects.select_for_update().get(pk=file.pk)
    if file.applied_at is not None:
        message = f"{file.name} was applied already; upload it again to see whether anything is left to do."
        raise refused("file", file.name, "a file that was not applied", message)
    outcome = roster_text_apply(text=file.text, dry_run=False)
    if outcome.applied and seen is not None and outcome.digest != seen:
        message = "People have changed since this was shown, and the file would do something else now. Look again."
        raise refused("seen", seen[:12] or "nothing", outcome.digest[:12], message)
    if outcome.applied:
        file.applied_at, file.applied_by, file.counts = timezone.now(), by, outcome.counts
        file.save(update_fields=["applied_at", "applied_by", "counts"])
        record(code="roster.apply", subject=file, after={"digest": file.digest, "counts": outcome.counts})
    return outcome


def roster_text_apply(*, text: str, dry_run: bool) -> Outcome:
    """A file's rows applied or tried; rows that cannot be read are errors among those that cannot be applied."""
    rows, errors = roster_read(text)
    return roster_apply(rows=rows, errors=errors, dry_run=dry_run)


def roster_apply(*, rows: Sequence[RosterRow], errors: Sequence[RowError] = (), dry_run: bool) -> Outcome:
    """Applies rows, or tries them and takes all of it back. With any error, here or given, all is taken back too."""
    with transaction.atomic():
        before = Message.objects.order_by("-id").values_list("id", flat=True).first() or 0
        known = set(Participant.objects.values_list("id", flat=True))
        work = _Roster()
        work.apply(rows)
        found = tuple(sorted((*errors, *work.errors), key=lambda error: error.line))
        affected = _affected(before)
        applied = not dry_run and not found
        if not applied:
            transaction.set_rollback(True)
    return Outcome(
        changes=tuple(work.changes),
        errors=found,
        affected={person: day for person, day in affected.items() if person in known},
        rows=len(rows),
        applied=applied,
    )


def _affected(before: int) -> dict[int, date]:
    """Whose figures may move from which day on, by the news that the changes gave."""
    found: dict[int, date] = {}
    for payload in Message.objects.filter(id__gt=before).values_list("payload", flat=True):
        named = payload.get("participants") or [payload.get("participant")]
        day = parse_day(payload["from"])
        for person in named:
            found[person] = min(day, found.get(person, day))
    return found


class _Roster:
    """The people as they stand, read once, and the changes that rows make."""

    def __init__(self) -> None:
        self.changes: list[RosterChange] = []
        self.errors: list[RowError] = []
        self.today, self.currency = today(), own_currency()
        self.people = {row.key: row for row in Participant.objects.select_related("pay_group__calendar")}
        self.named: dict[str, dict[str, Any]] = {
            column: {row.key: row for row in model._default_manager.all()}
            for column, model in (
                ("role", CreditRole),
                ("team", Team),
                ("territory", Territory),
                ("pay_group", PayGroup),
            )
        }
        self.dated: dict[type[Any], dict[int, list[Any]]] = {}
        for model in (Position, ReportingLine, Attribute, Leave, Gap, Quota):
            self.dated[model] = defaultdict(list)
            for row in model._default_manager.order_by("starts_on"):
                self.dated[model][row.participant_id].append(row)

    def apply(self, rows: Sequence[RosterRow]) -> None:
        """First who is employed, so that a row may name a manager who joins by a later one."""
        wrong: set[int] = set()
        for act in (self._employ, self._place, self._report):
            for row in sorted(rows, key=lambda row: (row.days.get("as_of") or date.min, row.line)):
                if row.line in wrong:
                    continue
                try:
                    with transaction.atomic():
                        act(row)
                except ProblemsError as error:
                    wrong.add(row.line)
                    self.errors += told(row.line, error)

    # ------------------------------------------------------------------ who is employed

    def _employ(self, row: RosterRow) -> None:
        person = self.people.get(row.employee)
        if person is None:
            self._join(row)
            return
        self._employment(row, person)
        values: dict[str, Any] = {
            name: row.texts[name]
            for name in ("name", "email")
            if name in row.texts and row.texts[name] != getattr(person, name) and (row.texts[name] or name == "email")
        }
        if (paid_in := row.texts.get("currency") or person.currency) != person.currency:
            values["currency"] = paid_in
        group = self._one_of("pay_group", row)
        if group is not None and group.pk != person.pay_group_id:
            values["pay_group"] = group
        if values:
            people.participant_change(participant=person, **values)
            what = ", ".join(f"{name.replace('_', ' ')} {value or 'none'}" for name, value in values.items())
            self._note(row, "details", what, self._as_of(row))

    def _join(self, row: RosterRow) -> None:
        hired, group = row.days.get("hired"), self._one_of("pay_group", row)
        for column, value in (("name", row.texts.get("name")), ("hired", hired), ("pay_group", group)):
            if not value:
                message = f"{row.employee} is new here: the row has to state {column}."
                raise refused(column, "nothing", f"the {column} of somebody new", message)
        assert hired is not None and group is not None
        left = row.days.get("left")
        self.people[row.employee] = people.participant_create(
            key=row.employee, name=row.texts["name"], email=row.texts.get("email", ""),
            currency=row.texts.get("currency") or self.currency, pay_group=group, starts_on=hired, ends_on=left,
        )  # fmt: skip
        self._note(row, "joiner", f"employed {span(hired, left)}, paid with {group}", hired)

    def _employment(self, row: RosterRow, person: Participant) -> None:
        """First and last day; a day of hire behind the last day is one of somebody hired again."""
        hired = row.days.get("hired")
        starts_on, was = person.starts_on, person.ends_on
        ends_on = row.days.get("left", was)
        gaps = self.dated[Gap][person.pk]
        again = False
        if hired is not None and hired != starts_on and hired not in [gap.ends_on for gap in gaps]:
            again = was is not None and hired >= was
            if not again:
                starts_on = hired
        if again:
            ends_on = row.days.get("left")
        moved = starts_on != person.starts_on
        if moved or ends_on != was:
            people.participant_change(participant=person, starts_on=starts_on, ends_on=ends_on)
        if again:
            assert was is not None and hired is not None
            if hired > was:
                dated.gap_set(participant=person, starts_on=was, ends_on=hired)
                self._reload(Gap, person)
            self._note(row, "rehire", f"employed again {span(hired, ends_on)}", hired)
        elif ends_on != was:
            what = f"leaves on {ends_on:%-d %B %Y}" if ends_on else f"stays, no longer leaves on {was:%-d %B %Y}"
            self._note(row, "leaver" if ends_on else "details", what, min(day for day in (ends_on, was) if day))
        if moved:
            self._note(row, "details", f"employed from {starts_on:%-d %B %Y}", starts_on)

    # ------------------------------------------------------------------ what they are

    def _place(self, row: RosterRow) -> None:
        person, day = self.people[row.employee], self._as_of(row)
        self._position(row, person, day)
        for name in _ATTRIBUTES:
            if name in row.texts:
                held = self._held(Attribute, person, day, name=name)
                value = row.texts[name]
                if value != (held.value if held else ""):
                    dated.attribute_set(participant=person, name=name, value=value, starts_on=day)
                    self._reload(Attribute, person)
                    self._note(row, "mover", f"{name} {value or 'none'} from {day:%-d %B %Y}", day)
        self._leave(row, person)
        for target, text in row.targets.items():
            self._target(row, person, target, text)

    def _position(self, row: RosterRow, person: Participant, day: date) -> None:
        columns = ("title", "role", "team", "territory")
        if not any(name in row.texts for name in columns):
            return
        held = self._held(Position, person, day)
        was: dict[str, Any] = dict.fromkeys(columns)
        if held is not None:
            was = {"title": held.title, "role": held.credit_role, "team": held.team, "territory": held.territory}
        wanted = dict(was)
        if row.texts.get("title"):
            wanted["title"] = row.texts["title"]
        if row.texts.get("role"):
            wanted["role"] = self._one_of("role", row)
        for name in ("team", "territory"):
            if name in row.texts:
                wanted[name] = self._one_of(name, row)
        if wanted == was:
            return
        for name in ("title", "role"):
            if wanted[name] is None:
                message = f"{person.name} has no position on {day:%-d %B %Y}: the row has to state {name}."
                raise refused(name, "nothing", f"the {name} of somebody without a position", message)
        people.position_set(
            participant=person, title=wanted["title"], credit_role=wanted["role"], team=wanted["team"],
            territory=wanted["territory"], starts_on=day,
        )  # fmt: skip
        self._reload(Position, person)
        moved = [f"{name} {wanted[name] or 'none'}" for name in columns if wanted[name] != was[name]]
        self._note(row, "mover", f"{', '.join(moved)} from {day:%-d %B %Y}", day)

    def _leave(self, row: RosterRow, person: Participant) -> None:
        starts_on, ends_on = row.days.get("leave_from"), row.days.get("leave_to")
        if starts_on is None:
            return
        for held in self.dated[Leave][person.pk]:
            if held.starts_on == starts_on:
                if held.ends_on == ends_on:
                    return
                people.leave_remove(leave=held)
        people.leave_set(participant=person, starts_on=starts_on, ends_on=ends_on)
        self._reload(Leave, person)
        self._note(row, "leave", f"on leave {span(starts_on, ends_on)}", starts_on)

    def _target(self, row: RosterRow, person: Participant, target: Any, text: str) -> None:
        try:
            amount = parse_money(text, self.currency)
        except CompError as error:
            raise refused(target.column, text, f"an amount in {self.currency}", str(error)) from None
        days = (target.starts_on, target.ends_on)
        for held in self.dated[Quota][person.pk]:
            if (held.key, held.starts_on, held.ends_on, held.amount_minor) == (target.key, *days, amount):
                return
        plans.quota_set(
            participant=person, key=target.key, starts_on=days[0], ends_on=days[1], amount_minor=amount,
            currency=self.currency,
        )  # fmt: skip
        self._reload(Quota, person)
        self._note(row, "target", f"{target.key} {text} {self.currency} {span(*days)}", days[0])

    def _report(self, row: RosterRow) -> None:
        if "manager" not in row.texts:
            return
        person, day, key = self.people[row.employee], self._as_of(row), row.texts["manager"]
        held = self._held(ReportingLine, person, day)
        if not key:
            if held is not None:
                people.row_end(row=held, ends_on=day)
                self._reload(ReportingLine, person)
                self._note(row, "manager", f"reports to nobody from {day:%-d %B %Y}", day)
            return
        manager = self.people.get(key)
        if manager is None:
            message = f"{person.name}: nobody here has the employee number {key}."
            raise refused("manager", key, "an employee number of somebody here or in this file", message)
        if held is None or held.manager_id != manager.pk:
            people.reporting_line_set(participant=person, manager=manager, starts_on=day)
            self._reload(ReportingLine, person)
            self._note(row, "manager", f"reports to {manager.name} from {day:%-d %B %Y}", day)

    # ------------------------------------------------------------------ small helps

    def _as_of(self, row: RosterRow) -> date:
        """The day that a row speaks of: its own, or today; of somebody hired later the first day."""
        stated = row.days.get("as_of")
        return stated or max(self.today, row.days.get("hired") or self.today)

    def _one_of(self, column: str, row: RosterRow) -> Any:
        key = row.texts.get(column, "")
        if not key:
            return None
        if key not in self.named[column]:
            allowed = ", ".join(sorted(self.named[column])) or "none is known yet"
            what = column.replace("_", " ")
            raise refused(column, key, allowed[:500], f"There is no {what} {key}; known are {allowed[:500]}.")
        return self.named[column][key]

    def _held(self, model: type[Any], person: Participant, day: date, **match: Any) -> Any:
        for row in self.dated[model][person.pk]:
            holds = row.starts_on <= day and (row.ends_on is None or row.ends_on > day)
            if holds and all(getattr(row, name) == value for name, value in match.items()):
                return row
        return None

    def _reload(self, model: type[Any], person: Participant) -> None:
        found = model._default_manager.filter(participant=person).order_by("starts_on")
        self.dated[model][person.pk] = list(found)

    def _note(self, row: RosterRow, kind: str, what: str, since: date) -> None:
        name = self.people[row.employee].name
        self.changes.append(RosterChange(row.line, kind, row.employee, name, what, since))
