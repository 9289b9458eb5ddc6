"""Disputes: somebody questions a line or a statement of their pay, somebody else looks after it, both say what they
have to say, and it is decided with the change that answers it. docs/disputes.md"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, TypeVar

from django.db import connection
from django.db.models import F, Max
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import refused
from comp.core.money import LARGEST
from comp.outbox.services import publish, ring
from comp.people.models import Participant
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from crediting.models import Deal, Fact
from payouts.models import Adjustment, ChangedScope, Dispute, DisputeEntry, Earning, Statement
from payouts.models.manual import State as ByHand
from payouts.reads import disputes as reads
from payouts.reads.periods import pay_group_of, span_holding
from payouts.services.decisions import not_own
from payouts.services.outside import dispute_told
from plans.models import PlanVersion

#: First key of the advisory lock under which a tenant's disputes are numbered.
LOCK = 7023
#: The longest text of an expectation, an entry or a decision.
WORDS = 2_000
#: How many disputes of one person and pay period may stand at once.
MOST = 20
#: So long does a move wait for a dispute that somebody is at.
MOVE_WAIT_MS = 100
#: News that disputes of people may be left in a pay group that these are no longer in.
LEFT = "disputes.left"
#: How far ahead a day may be promised.
FURTHEST = timedelta(days=366)

Row = TypeVar("Row", Adjustment, Deal, Fact, PlanVersion)

State, Decision, Category = Dispute.State, Dispute.Decision, Dispute.Category


def dispute_open(
    *,
    by: User,
    category: str,
    expectation: str,
    expected_minor: int | None = None,
    earning: Earning | None = None,
    statement: Statement | None = None,
) -> Dispute:
    """Questions one line, or a statement as a whole: the person whose pay it is, or who handles disputes in their
    place. `expected_minor` is what the line should earn, or what the statement lacks, in its currency. ProblemsError
    where the same is questioned already, with its number."""
    said = _words("expectation", expectation, "Say what you expected, and why.")
    if category not in Category.values:
        allowed = ", ".join(Category.values)
        raise refused("category", category, allowed, f"There is no category {category!r}; there are {allowed}.")
    if (earning is None) == (statement is None):
        raise refused("earning", "both or none", "one of the two", "A dispute is about one line or one statement.")
    if expected_minor is not None and abs(expected_minor) > LARGEST:
        raise refused("expected", expected_minor, f"up to {LARGEST}", "Nobody can expect as much.")
    if statement is not None and expected_minor is not None and expected_minor <= 0:
        raise refused(
            "expected", expected_minor, "above 0", "What is missing is above 0. Leave it out if you do not know."
        )
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        _one_counter()
        about = _line(earning) if earning is not None else _statement(statement.pk, said, category)  # type: ignore[union-attr]
        person: Participant = about["participant"]
        if not _has_a_say(person, by):
            raise refused("by", by, "the person, or who handles disputes", f"{by} cannot question the pay of {person}.")
        _few_enough(about)
        last = Dispute.objects.aggregate(last=Max("number"))["last"] or 0
        found = Dispute.objects.create(
            **about, number=last + 1, pay_group_id=person.pay_group_id, category=category, expectation=said,
            expected_minor=expected_minor, stake_minor=_stake(about, expected_minor), opened_by=by,
        )  # fmt: skip
        _changed(found, "opened", None)
        # They may have moved since they were read, and that news have been heard before there was this dispute.
        publish(topic=LEFT, payload={"participants": [person.pk]})
    return found


def dispute_take(*, dispute: Dispute, by: User, owner: User, promised_on: date) -> Dispute:
    """Somebody looks after it and says by when it is decided; again, where the owner or the day changes. The same
    again changes nothing."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found, before = _locked(dispute)
        not_own(found.participant, by, "a dispute")
        not_own(found.participant, owner, "a dispute")
        _handles(found, by, "by")
        _handles(found, owner, "owner")
        if found.owner_id == owner.pk and found.promised_on == promised_on:
            return found
        if not today() <= promised_on <= today() + FURTHEST:
            text = f"Promise a day from {today():%-d %B %Y} on, within a year."
            raise refused("promised_on", promised_on, "a day to come", text)
        found.state, found.owner, found.taken_at, found.promised_on = (
            State.IN_REVIEW,
            owner,
            timezone.now(),
            promised_on,
        )
        found.save(update_fields=["state", "owner", "taken_at", "promised_on"])
        _entry(found, by, kind=DisputeEntry.Kind.TAKEN, owner=owner, promised_on=promised_on)
        _changed(found, "taken", before)
    return found


def dispute_say(*, dispute: Dispute, by: User, words: str) -> DisputeEntry:
    """Adds to what was said. The person says it, or who handles disputes; the same words twice running are one."""
    said = _words("words", words, "Say something.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found, before = _locked(dispute)
        if not _has_a_say(found.participant, by):
            raise refused("by", by, "the person, or who handles disputes", f"{by} has no say in {found}.")
        last = DisputeEntry.objects.filter(dispute=found).order_by("-id").first()
        if last is not None and (last.said_by_id, last.words) == (by.pk, said):
            return last
        entry = _entry(found, by, words=said)
        _changed(found, "answered", before)
    return entry


def dispute_decide(
    *,
    dispute: Dispute,
    by: User,
    decision: str,
    words: str,
    adjustment: Adjustment | None = None,
    deal: Deal | None = None,
    fact: Fact | None = None,
    version: PlanVersion | None = None,
) -> Dispute:
    """Answers it: with the change that was made (an approved adjustment of the person, a deal or fact that concerns
    them, a published version of a plan of theirs), or with none. What the line earns, or the statement pays, is read
    now and kept beside what it was. ProblemsError while the person's figures are being worked out anew; where they
    cannot be, only what does not wait for them decides: an adjustment by hand, or nothing."""
    said = _words("words", words, "Say why: the person reads it.")
    if decision not in Decision.values:
        allowed = ", ".join(Decision.values)
        raise refused("decision", decision, allowed, f"There is no decision {decision!r}; there are {allowed}.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found, before = _locked(dispute)
        not_own(found.participant, by, "a dispute")
        _handles(found, by, "by")
        if found.state != State.IN_REVIEW:
            raise refused("state", "open", "one in review", f"{found} is open: somebody takes it before it is decided.")
        if found.owner_id == found.participant.user_id:  # whose user they became after they took it
            text = f"{found.owner} looks after {found}, which is about their own pay by now: hand it on first."
            raise refused("owner", found.owner, "somebody else", text)
        _figures_stand(found, decision)
        for name, value in _change(found, decision, adjustment, deal, fact, version).items():
            setattr(found, name, value)
        found.state, found.decision, found.decision_words = State.DECIDED, decision, said
        found.decided_by, found.decided_at = by, timezone.now()
        found.after_minor = reads.standing_minor(found)
        found.save(
            update_fields=[
                *("state", "decision", "decision_words", "decided_by", "decided_at", "after_minor"),
                *("by_adjustment", "by_deal", "by_fact", "by_version", "by_revision"),
            ]
        )
        _changed(found, "decided", before)
    return found


def dispute_withdraw(*, dispute: Dispute, by: User) -> Dispute:
    """Who opened it takes it back, until it is decided."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        found, before = _locked(dispute)
        if found.opened_by_id != by.pk:
            raise refused("by", by, str(found.opened_by), f"{found}: only who opened it withdraws it.")
        found.state, found.withdrawn_by, found.withdrawn_at = State.WITHDRAWN, by, timezone.now()
        found.save(update_fields=["state", "withdrawn_by", "withdrawn_at"])
        _changed(found, "withdrawn", before)
    return found


def on_people_changed(payload: dict[str, Any]) -> None:
    """Who moves to another pay group takes their disputes along: told by news of its own, so that what else follows
    from a change of people never waits for who is at a dispute."""
    people = [int(person) for person in payload["participants"]]
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        elsewhere = Dispute.objects.filter(participant_id__in=people).exclude(pay_group=F("participant__pay_group"))
        if moved := sorted(set(elsewhere.values_list("participant_id", flat=True))):
            publish(topic=LEFT, payload={"participants": moved})


def on_disputes_left(payload: dict[str, Any]) -> None:
    """Disputes, and what was said in them, follow their people to the pay group in which these are by now: the wall
    opens to who pays them now, as with their figures.

    Whoever decides or answers holds a dispute and then writes the audit trail, which other news of this transaction may
    have written: it gives way, and comes again when their work rings (`_changed`)."""
    people = [int(person) for person in payload["participants"]]
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = %s", [f"{MOVE_WAIT_MS}ms"])
        cursor.execute(_MOVED, [people])
        cursor.execute(_MOVED_ALONG, [people])
        cursor.execute("SET LOCAL lock_timeout = DEFAULT")


_MOVED = """
UPDATE payouts_dispute d SET pay_group_id = p.pay_group_id FROM people_participant p
WHERE p.id = d.participant_id AND d.participant_id = ANY(%s::bigint[]) AND d.pay_group_id <> p.pay_group_id
"""
_MOVED_ALONG = """
UPDATE payouts_disputeentry e SET pay_group_id = d.pay_group_id FROM payouts_dispute d
WHERE d.id = e.dispute_id AND e.participant_id = ANY(%s::bigint[]) AND e.pay_group_id <> d.pay_group_id
"""


# ------------------------------------------------------------------ parts


def _one_counter() -> None:
    """Nobody else numbers disputes, or looks whether one stands, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, current_tenant_id()])


def _has_a_say(person: Participant, user: User) -> bool:
    return person.user_id == user.pk or user in reads.handlers(person.pay_group)


def _handles(dispute: Dispute, user: User, field: str) -> None:
    """ProblemsError for somebody who does not handle disputes, or may not see this pay. The group is the one that the
    person is in now: the dispute's own follows a moment later."""
    group = dispute.participant.pay_group
    if user not in reads.handlers(group):
        raise refused(field, user, f"who handles disputes of {group}", f"{user} handles no disputes of {group}.")


def _figures_stand(dispute: Dispute, decision: str) -> None:
    """ProblemsError while figures of the person wait to be worked out anew, and where they cannot be and the decision
    says that a change moved them."""
    scopes = ChangedScope.objects.filter(participant=dispute.participant_id, places=False)
    if scopes.filter(error="").exists():
        text = f"The figures of {dispute.participant} are being worked out anew. Decide when they stand."
        raise refused("state", "being worked out", "figures that stand", text)
    failed = scopes.order_by("id").first()
    if failed is not None and decision not in (Decision.NO_CHANGE, Decision.ADJUSTMENT):
        text = f"The figures of {dispute.participant} cannot be worked out anew: {failed.error.strip()[:300]} "
        text += "Put that right first, or decide with an adjustment by hand or no change."
        raise refused("state", "not worked out", "figures that stand", text)


def _words(field: str, text: str, empty: str) -> str:
    text = text.strip()
    if not text or len(text) > WORDS:
        found = f"{len(text):,} characters" if text else "nothing"
        message = f"{found} are too many: {WORDS:,} at most." if text else empty
        raise refused(field, found, f"1 to {WORDS:,} characters", message)
    return text


def _line(earning: Earning) -> dict[str, Any]:
    """What a dispute about a line begins with."""
    rows = Earning.objects.select_related("participant", "deal__account", "deal__product")
    found = rows.filter(**reads.line_key(earning)).first()
    if found is None:
        raise refused("earning", "none", "a line that stands", "This line is no more; question the statement.")
    if stands := reads.of_line_standing(found):
        text = f"This line is questioned already: {stands} ({stands.get_state_display().lower()})."
        raise refused("earning", stands.name, "a line that nobody questions", text)
    key = {name: value for name, value in reads.line_key(found).items() if name != "participant_id"}
    span = span_holding(pay_group_of(found.participant), found.credit_date)
    return {
        **key, "about": Dispute.About.LINE, "participant": found.participant, "deal": found.deal,
        "pay_period": span.starts_on, "copied": reads.copied_line(found), "before_minor": found.earned_minor,
        "currency": found.currency,
    }  # fmt: skip


def _statement(statement: int, said: str, category: str) -> dict[str, Any]:
    """What a dispute about a statement begins with. Several deals may be missing in one; the same twice is one."""
    found = Statement.objects.select_related("participant").filter(pk=statement).first()
    if found is None:  # of a period in which nothing is left
        text = "This statement is no more: nothing is left in its period. Question a line, or another statement."
        raise refused("statement", "none", "a statement that stands", text)
    same = reads.of_period(found.participant_id, found).filter(about=Dispute.About.STATEMENT, category=category)
    if stands := same.filter(expectation=said).first():
        text = f"This was said already: {stands} ({stands.get_state_display().lower()})."
        raise refused("statement", stands.name, "something new", text)
    return {
        "about": Dispute.About.STATEMENT, "participant": found.participant, "pay_period": found.period_starts_on,
        "run": found.run, "copied": reads.copied_statement(found), "before_minor": found.payout_minor,
        "currency": found.currency,
    }  # fmt: skip


def _few_enough(about: dict[str, Any]) -> None:
    """ProblemsError where as many stand of the person's pay period that nobody could look after one more."""
    person = about["participant"]
    count = reads.standing().filter(participant=person, pay_period=about["pay_period"]).count()
    if count >= MOST:
        text = f"{count} disputes of {person} stand for this period. More are taken when some of them are over."
        raise refused(
            "earning" if about["about"] == Dispute.About.LINE else "statement", count, f"up to {MOST} at once", text
        )


def _stake(about: dict[str, Any], expected_minor: int | None) -> int | None:
    """By how much it could move: of a line the difference to what was expected, or else all of it; of a statement what
    it is said to lack. None where nobody said, and of a line that earned nothing."""
    if about["about"] == Dispute.About.STATEMENT:
        return expected_minor
    if expected_minor is None:
        return abs(about["before_minor"]) or None
    return abs(about["before_minor"] - expected_minor)


def _locked(dispute: Dispute) -> tuple[Dispute, dict[str, Any]]:
    """The dispute, changed by nobody else until the transaction ends, and what the audit says of it so far. Refused
    where it is over."""
    rows = Dispute.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.select_related("participant__pay_group", "deal", "owner")
    found = rows.get(pk=dispute.pk)
    if found.is_over:
        word = found.get_state_display().lower()
        text = f"{found} is {word}: nothing is added to it any more. Question the {found.about} again if it is wrong."
        raise refused("state", word, "one that stands", text)
    return found, _facts(found)


def _change(
    dispute: Dispute,
    decision: str,
    adjustment: Adjustment | None,
    deal: Deal | None,
    fact: Fact | None,
    version: PlanVersion | None,
) -> dict[str, Any]:
    """The columns that name the change, read again: it may be another by now than the page showed. ProblemsError for
    one that is missing, of another kind or of somebody else."""
    given = {"adjustment": adjustment, "deal": deal, "fact": fact, "version": version}
    named = [name for name, row in given.items() if row is not None]
    wanted = {
        Decision.NO_CHANGE: (), Decision.ADJUSTMENT: ("adjustment",), Decision.PLAN_FIX: ("version",),
        Decision.DATA_FIX: ("deal", "fact"), Decision.SPLIT: ("deal", "fact"),
    }[Decision(decision)]  # fmt: skip
    if len(named) != min(1, len(wanted)) or not set(named) <= set(wanted):
        words = " or ".join(wanted) or "no change"
        text = f"{dispute}: “{Decision(decision).label}” names {words}, and nothing else."
        raise refused(wanted[0] if wanted else "decision", ", ".join(named) or "nothing", words, text)
    person = dispute.participant
    adjustment, version = _as_it_is(adjustment, "adjustment"), _as_it_is(version, "version")
    deal, fact = _as_it_is(deal, "deal"), _as_it_is(fact, "fact")
    if adjustment is not None:
        if adjustment.participant_id != person.pk or adjustment.state != ByHand.APPROVED:
            of_whom = f"{adjustment} of {adjustment.participant}, {adjustment.get_state_display().lower()}"
            text = f"{adjustment} is no approved adjustment of {person}."
            raise refused("adjustment", of_whom, "an approved one of theirs", text)
        return {"by_adjustment": adjustment}
    if version is not None:
        if not reads.version_concerns(dispute, version):
            text = f"{version} is no published version of a plan of {person}."
            raise refused("version", version, "a version of theirs in force", text)
        return {"by_version": version}
    if deal is not None:
        if not reads.deal_concerns(dispute, deal):
            raise refused("deal", deal, "a deal of theirs", f"{person} does not stand on deal {deal}.")
        return {"by_deal": deal, "by_revision": deal.revision_id}
    if fact is not None:
        if not reads.fact_concerns(dispute, fact):
            raise refused("fact", fact, "a fact of theirs", f"{fact} does not concern {person}.")
        return {"by_fact": fact, "by_revision": fact.revision_id}
    return {}


def _as_it_is(row: Row | None, field: str) -> Row | None:
    """The row as it stands now; ProblemsError where it is no more."""
    if row is None:
        return None
    found = type(row)._default_manager.filter(pk=row.pk).first()
    if found is None:
        raise refused(field, row, f"a {field} that stands", f"{row} is no more.")
    return found


def _entry(dispute: Dispute, by: User, **said: Any) -> DisputeEntry:
    of = {"participant_id": dispute.participant_id, "pay_group_id": dispute.pay_group_id}
    return DisputeEntry.objects.create(dispute=dispute, **of, said_by=by, **said)


def _changed(dispute: Dispute, what: str, before: dict[str, Any] | None) -> None:
    """Tells the audit and whoever listens outside, in the transaction of the change. The bell is for a move that gave
    way to it."""
    dispute_told(dispute, what)
    ring(tenant_id=current_tenant_id())
    record(code=f"dispute.{_ACT[what]}", subject=dispute, before=before, after=_facts(dispute))


_ACT = {"opened": "open", "taken": "take", "answered": "say", "decided": "decide", "withdrawn": "withdraw"}


def _facts(dispute: Dispute) -> dict[str, Any]:
    """What the audit keeps. Who reads it may not be allowed to see pay: neither amounts nor what people wrote."""
    return {
        "state": str(dispute.state),
        "participant": dispute.participant.key,
        "category": str(dispute.category),
        "period": dispute.pay_period.isoformat(),
        "deal": dispute.deal.external_id if dispute.deal is not None else "",
        "owner": str(dispute.owner or ""),
        "promised_on": dispute.promised_on.isoformat() if dispute.promised_on else "",
        "decision": str(dispute.decision),
        "changed": _named(dispute),
    }


def _named(dispute: Dispute) -> str:
    """The change that a decision names, in words that outlive its row."""
    if dispute.by_adjustment is not None:
        return dispute.by_adjustment.name
    if dispute.by_version is not None:
        return str(dispute.by_version)
    if dispute.by_deal is not None:
        return f"deal {dispute.by_deal.external_id}, revision {dispute.by_revision}"
    if dispute.by_fact is not None:
        return f"{dispute.by_fact}, revision {dispute.by_revision}"
    return ""
