"""What the payout pages show: changes in words, the chain, the facts before signing, the lines, and their CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from comp.tenancy.capabilities import Can
from comp.web.csv import csv_response
from comp.web.paging import paginate
from comp.web.parts import ChainStep, Fact, Link, percent
from payouts import selectors_batches as reads
from payouts.models import Adjustment, Batch, Download, Earning
from payouts.models.batches import DECIDED
from payouts.models.figures import LineNamed
from payouts.pages.approvals import stage_steps
from payouts.reads import batch_tables as tables
from payouts.reads.batch_people import People, people_of
from payouts.reads.held import held_words
from payouts.reads.labels import line_label
from payouts.reads.leaving import final_statements
from payouts.reads.lines import key_of
from payouts.reads.payments import open_count
from payouts.selectors_batches import Open, PersonRow, Subject
from payouts.services import downloads

PER_PAGE = 50
#: How many people stand among the exceptions; beyond it a list is no longer looked through. The CSV by person has all.
SHOWN_FIRST = 30
VIEWS = ("people", "deals", "lines")
#: States of a batch that stands in the ledger.
POSTED = (Batch.State.POSTED, Batch.State.PAID, Batch.State.CLOSED)


def change_text(before: int | None, now: int) -> str:
    """A change in words: +6.2%, −25.0%, new, or from nothing."""
    if before is None:
        return "new"
    if before == now:
        return "no change"
    if before == 0:
        return "from nothing"
    sign = "+" if now > before else "\N{MINUS SIGN}"
    return sign + percent(abs(now - before), abs(before))


def figures(request: HttpRequest, subject: Subject, people: People) -> dict[str, Any]:
    """Totals by currency with the change against the batch before, and the exceptions."""
    last = reads.batch_before(subject)
    before = last.totals if last else {}
    now = subject.totals if isinstance(subject, Batch) else reads.subject_totals(subject)
    sums = [
        {
            "currency": code,
            "minor": now.get(code, 0),
            "before": before.get(code) if last else None,
            "change": change_text(before.get(code, 0) if last else None, now.get(code, 0)),
        }
        for code in sorted({*now, *before})
    ]
    nothing = {"currency": request.tenant.currency, "minor": 0, "before": None, "change": ""}  # type: ignore[attr-defined]
    return {
        "sums": sums,
        "first": sums[0] if sums else nothing,
        "others": sums[1:],
        "last": last,
        "exceptions": [_told(person) for person in people.exceptions],
        "exception_count": people.exception_count,
        "people_count": people.people,
        "line_count": people.lines,
    }


def _told(person: PersonRow) -> dict[str, Any]:
    return {"person": person, "change": change_text(person.before_minor, person.minor)}


def card(request: HttpRequest, opened: Open) -> dict[str, Any]:
    people = people_of(opened, SHOWN_FIRST)
    return {
        **figures(request, opened, people),
        "open": opened,
        "last_day": opened.ends_on - timedelta(days=1),
        "pending": reads.scopes_pending(opened.pay_group),
        "may_submit": Can.BATCH_SUBMIT in request.can,  # type: ignore[attr-defined]
    }


def chain(found: Batch) -> list[ChainStep]:
    State = Batch.State
    decided = _by(found.decided_by, found.decided_at)
    steps = [ChainStep("Locked", "done", _by(found.locked_by, found.locked_at))]
    submitted, approved = found.submitted_at is not None, found.state in DECIDED
    if submitted or found.state == State.IN_REVIEW:
        state = "done" if submitted else "current"
        steps.append(ChainStep("Submitted", state, _by(found.submitted_by, found.submitted_at)))
    if submitted:
        steps += stage_steps(found)
    if found.state == State.REJECTED:
        return [*steps, ChainStep("Sent back", "refused", decided)]
    if found.state == State.VOIDED:
        return [*steps, ChainStep("Opened again", "refused", _by(found.voided_by, found.voided_at))]
    if not submitted:
        steps.append(ChainStep("Approval", "todo", "by a second person"))
    posted, paid = found.state in POSTED, found.state in (State.PAID, State.CLOSED)
    note = f"ledger {found.ledger_head[:8]}…" if posted else ""
    steps.append(ChainStep("Posted", "done" if posted else "current" if approved else "todo", note))
    exported = found.exported_at is not None
    steps.append(
        ChainStep(
            "Exported to payroll",
            "done" if exported else "current" if posted else "todo",
            _moment(found.exported_at) if exported else "",
        )
    )
    left = open_count(found) if exported else 0
    notes = [_by(found.paid_by, found.paid_at) if paid else "", f"payments open: {left:,}" if left else ""]
    note = "; ".join(filter(None, notes))
    steps.append(ChainStep("Paid", "done" if paid else "current" if exported else "todo", note))
    closed = found.state == State.CLOSED
    steps.append(
        ChainStep("Closed", "done" if closed else "current" if paid else "todo", _by(found.closed_by, found.closed_at))
    )
    return steps


def _by(who: Any, at: Any) -> str:
    return f"{who}, {_moment(at)}" if who else _moment(at)


def _moment(at: Any) -> str:
    return f"{timezone.localtime(at):%-d %b %Y, %H:%M}" if at else ""


def before_signing(request: HttpRequest, subject: Subject) -> list[Fact]:
    """What to know before signing: is the ledger balanced, do the figures still stand, does data wait."""
    can = request.can  # type: ignore[attr-defined]
    tenant = request.tenant.slug  # type: ignore[attr-defined]
    entries, off = reads.ledger_state()
    ledger = f"balanced, {entries:,} entries" if not off else f"off by {_amounts(off)}"
    pending = reads.scopes_pending(subject.pay_group)
    issues = reads.issues_open()
    facts = [Fact("Ledger", ledger, url=reverse("ledger", args=[tenant]) if Can.LEDGER_READ in can else "")]
    if isinstance(subject, Batch):
        moved = reads.differences(subject)
        facts.append(Fact("Recomputed since", _amounts(moved, sign=True) if moved else "no differences"))
    waiting = f"{pending:,} to come" if pending else "all done"
    facts.append(Fact("Recomputations", waiting))
    facts.append(Fact("Waiting for data", f"{issues:,} open {'question' if issues == 1 else 'questions'}"))
    if held := held_words(subject):
        facts.append(Fact("Held", held, url=reverse("hold_list", args=[tenant])))
    if rows := reads.unconverted(subject):
        people = len({row.participant_id for row in rows})
        of = f"of {people:,} {'person' if people == 1 else 'people'}, in no figure"
        facts.append(Fact("Credits waiting for a rate", f"{len(rows):,} {of}"))
    if count := reads.without_rate(subject):
        facts.append(Fact("Payables waiting for a rate", f"{count:,}, in no figure"))
    if isinstance(subject, Batch):
        facts.append(Fact("Digest", f"{subject.digest[:12]}…{subject.digest[-4:]}"))
    return facts


def _amounts(sums: dict[str, int], sign: bool = False) -> str:
    return ", ".join(("+" if sign and m > 0 else "") + format_money(m, c) for c, m in sorted(sums.items()))


def crumbs(request: HttpRequest, *groups: PayGroup) -> list[Link]:
    """The way back to all payouts, and to those of the pay group."""
    url = reverse("batch_list", args=[request.tenant.slug])  # type: ignore[attr-defined]
    return [Link("Payouts", url), *(Link(group.name, f"{url}?group={group.key}") for group in groups)]


def csv_link(request: HttpRequest) -> str:
    """This page's address as it is asked for, as a download of the whole list."""
    query = request.GET.copy()
    query.pop("page", None)
    query["csv"] = "1"
    return f"?{query.urlencode()}"


def view_of(request: HttpRequest) -> str:
    view = request.GET.get("view", "people")
    return view if view in VIEWS else "people"


def lines_page(request: HttpRequest, subject: Subject, view: str, people: People) -> dict[str, Any]:
    """The chosen view's page of rows, with what its footer adds up to."""
    known = subject.deals if isinstance(subject, Batch) else None
    deals = reads.deals(subject).count() if known is None else known
    counts = {"people": people.people, "deals": deals, "lines": people.lines}
    words = {"people": "By person", "deals": "By deal", "lines": "Line by line"}
    context: dict[str, Any] = {
        "view": view,
        "views": [Link(words[name], f"?view={name}#lines", name == view, counts[name]) for name in VIEWS],
        "period": subject.starts_on,
        "run": subject.run if isinstance(subject, Batch) else 0,
        "csv": csv_link(request),
    }
    if view == "people":
        page = paginate(request, people.with_lines, PER_PAGE)
        shown = people.rows_of(page.object_list)
        final = _final(subject, shown)
        page.object_list = [{**_told(person), "final": person.participant_id in final} for person in shown]
        whole = subject.totals if isinstance(subject, Batch) else reads.subject_totals(subject)
        return {**context, "page": page, "sum": whole}
    if view == "deals":
        page = paginate(request, reads.deals(subject), PER_PAGE)
        return {**context, "page": page, "sum": reads.totals(reads.subject_lines(subject).exclude(deal=None))}
    rows = _narrowed(request, subject)
    page = paginate(request, rows, PER_PAGE)
    page.object_list = list(page.object_list)
    why, by_hand = _why(page.object_list), _by_hand(page.object_list)
    for line in page.object_list:
        line.why = why.get(key_of(line), 0)
        line.adjustment = by_hand.get((line.participant_id, line.rule), 0)
        line.label = line_label(line, line.deal)
    filters = {name: request.GET.get(name, "") for name in ("person", "deal")}
    return {
        **context,
        "page": page,
        "sum": reads.totals(rows.order_by()),
        "narrowed": filters if any(filters.values()) else None,
    }


def _final(subject: Subject, shown: Sequence[PersonRow]) -> set[int]:
    """Those of these people whose statement in it is their final one."""
    people = Participant.objects.filter(pk__in=[row.participant_id for row in shown], ends_on__isnull=False)
    run = subject.run if isinstance(subject, Batch) else 0
    rows = final_statements(people)
    return {who for who, row in rows.items() if (row.period_starts_on, row.run) == (subject.starts_on, run)}


def _narrowed(request: HttpRequest, subject: Subject) -> Any:
    return tables.narrowed(subject, request.GET.get("person", ""), request.GET.get("deal", ""))


def _why(lines: Sequence[Any]) -> dict[tuple[Any, ...], int]:
    """The standing earning behind each line, for its "why": none where the deal earns nothing any more."""
    earnings = Earning.objects.filter(
        participant_id__in={line.participant_id for line in lines}, fact__in={line.fact for line in lines}
    )
    return {key_of(earning): earning.pk for earning in earnings}


def _by_hand(lines: Sequence[Any]) -> dict[tuple[int, str], int]:
    """By person and number, the adjustments that are lines of these."""
    people = {line.participant_id for line in lines if line.line_kind == LineNamed.Kind.MANUAL}
    rows = Adjustment.objects.filter(participant_id__in=people) if people else Adjustment.objects.none()
    return {(row.participant_id, str(row)): row.pk for row in rows}


# ------------------------------------------------------------------ CSV

BATCH_HEADER = ("batch", "pay group", "period", "pay date", "state", "people", "lines", "currency", "total", "digest")


def batch_cells(found: Batch) -> list[tuple[Any, ...]]:
    fixed = (found.name, found.pay_group.name, found.starts_on, found.pay_on, found.get_state_display())
    totals = found.totals or {"": 0}
    return [
        (*fixed, found.people, found.lines, currency, tables.amount(minor, currency), found.digest)
        for currency, minor in sorted(totals.items())
    ]


def lines_csv(request: HttpRequest, subject: Subject, view: str, name: str) -> HttpResponse:
    """The chosen view as a download; of a large batch or period workers make it, and the page of downloads follows."""
    said = {key: request.GET[key] for key in ("person", "deal") if view == "lines" and request.GET.get(key)}
    if not said and downloads.is_large_of(subject):
        kind, by = Download.Kind(view), request.user
        downloads.download_ask(of=subject, kind=kind, name=name, said=said, by=by)  # type: ignore[arg-type]
        messages.info(request, f"{name} is large: workers make the file. It is listed here as soon as it is done.")
        return redirect("download_list", tenant=request.tenant.slug)  # type: ignore[attr-defined]
    if view == "people":
        return csv_response(name, tables.PEOPLE, tables.people_rows(subject))
    if view == "deals":
        return csv_response(name, tables.DEALS, tables.deal_rows(subject))
    return csv_response(name, tables.LINES, tables.line_rows(_narrowed(request, subject)))
