"""Disputes: the queue of those who handle them, one's own, a new one from a line or a statement, and one with its
thread, what may be done about it, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.paginator import Page
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.money import MoneyError, format_money, parse_money, plain_money
from comp.people.models import Participant
from comp.people.selectors import today
from comp.tenancy.capabilities import Can
from comp.tenancy.models import User
from comp.web.access import anyone, needs
from comp.web.csv import csv_response
from comp.web.forms import DateInput
from comp.web.paging import paginate
from comp.web.parts import MONEY_STATES, Event, Fact, Link
from comp.web.templatetags.comp import badge, day, money, state_badge
from crediting.models import Deal
from crediting.models import Fact as OtherFact
from payouts.models import Adjustment, Dispute, DisputeEntry, Earning, Statement
from payouts.models.figures import STATEMENT_PARTS, LineNamed
from payouts.pages.by_hand.parts import answered, tried
from payouts.pages.links import link, may_question
from payouts.reads import disputes as reads
from payouts.reads.periods import pay_group_of, span_holding
from payouts.services import disputes
from plans.models import PlanAssignment, PlanVersion

#: By when an answer is promised unless its owner says otherwise.
USUAL = timedelta(days=7)
PER_PAGE = 50
#: How much of a thread stands on one page, the latest first page.
SAID = 200
CSV_HEADER = (
    "number", "state", "category", "employee", "name", "about", "deal", "period", "opened", "owner", "promised",
    "decision", "before", "expected", "after", "at stake", "currency",
)  # fmt: skip
_LINES = forms.Textarea(attrs={"rows": 3})
#: Which field of the form names the change of a decision. What stands in the others is left out: the deal is offered.
_NAMES = {"data_fix": "deal", "split": "deal", "plan_fix": "version", "adjustment": "adjustment"}
State = Dispute.State


class OpenForm(forms.Form):
    category = forms.ChoiceField(label="What is wrong", choices=Dispute.Category.choices)
    expectation = forms.CharField(
        label="What you expected, and why", max_length=disputes.WORDS, widget=forms.Textarea(attrs={"rows": 4})
    )
    expected = forms.CharField(label="Amount", max_length=30, required=False)

    def __init__(self, *args: Any, currency: str, about: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        what = "What the line should earn" if about == Dispute.About.LINE else "What is missing in it"
        self.fields["expected"].help_text = f"{what}, in {currency}. Empty: you do not know."

    def clean_expected(self) -> int | None:
        text = str(self.cleaned_data["expected"]).strip()
        try:
            return parse_money(text, self.currency) if text else None
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from None


class TakeForm(forms.Form):
    owner = forms.ModelChoiceField(User.objects.none(), label="Who looks after it", empty_label=None)
    promised_on = forms.DateField(label="Decided by", widget=DateInput, help_text="The person reads this day.")

    def __init__(self, *args: Any, owners: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = User.objects.filter(pk__in=[user.pk for user in owners]).order_by("full_name", "email")
        self.fields["owner"].queryset = found  # type: ignore[attr-defined]


class SayForm(forms.Form):
    words = forms.CharField(label="Your words", max_length=disputes.WORDS, widget=_LINES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "say_%s", **kwargs})  # beside a decision's


class DecideForm(forms.Form):
    """The decision, its words, and the change that it names."""

    decision = forms.ChoiceField(label="Decision", choices=Dispute.Decision.choices)
    deal = forms.CharField(
        label="Deal", max_length=500, required=False,
        help_text="Of data that were put right, or of a split: its number in the source, or that of another fact.",
    )  # fmt: skip
    version = forms.ModelChoiceField(
        PlanVersion.objects.none(), label="Plan version", required=False, empty_label="No plan",
        help_text="Of a plan that was put right.",
    )  # fmt: skip
    adjustment = forms.CharField(
        label="Adjustment", max_length=20, required=False, help_text="Its number, such as ADJ-000012, once approved."
    )
    words = forms.CharField(label="Why", max_length=disputes.WORDS, widget=_LINES, help_text="The person reads it.")

    def __init__(self, *args: Any, dispute: Dispute, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dispute = dispute
        plans = PlanAssignment.objects.filter(participant_id=dispute.participant_id).values("plan")
        rows = PlanVersion.objects.filter(plan__in=plans).exclude(state=PlanVersion.State.DRAFT)
        rows = rows.select_related("plan").defer("document").order_by("plan__name", "-number")
        self.fields["version"].queryset = rows  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Only what the decision names is looked up: the deal is offered, and stands there whatever is decided."""
        said: dict[str, Any] = super().clean() or {}
        name = _NAMES.get(said.get("decision", ""), "")
        if name in ("deal", "adjustment") and said.get(name):
            try:
                said[name] = self._deal(said[name]) if name == "deal" else self._adjustment(said[name])
            except forms.ValidationError as error:
                self.add_error(name, error)
        return said

    def _adjustment(self, text: str) -> Adjustment:
        found = reads.adjustment_named(text)
        if found is None:
            raise forms.ValidationError(f"There is no adjustment {text!r}.")
        return found

    def _deal(self, number: str) -> Deal | OtherFact:
        found = reads.changes_named(self.dispute, number)
        if not found:
            raise forms.ValidationError(f"No deal or other fact has the number {number!r}.")
        if len(found) > 1:
            names = ", ".join(f"“{reads.named_in_full(row)}”" for row in found)
            raise forms.ValidationError(f"Several have the number {number!r}. Write which: {names}.")
        return found[0]


class ListForm(forms.Form):
    """Filters of the queue."""

    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "To be decided"), *State.choices, ("all", "All")]
    )
    by = forms.ChoiceField(label="First", required=False, choices=[("age", "The oldest"), ("money", "The most money")])
    person = forms.CharField(label="Person", max_length=60, required=False)


# ------------------------------------------------------------------ lists


@needs(Can.DISPUTE_HANDLE)
@require_GET
def dispute_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """The queue: the disputes of those whose pay one may see, by age or by money; `csv` downloads them."""
    form = ListForm(request.GET or None)
    wrong = form.is_bound and not form.is_valid()
    said = form.cleaned_data if form.is_bound and not wrong else {}
    rows, state = Dispute.objects.none() if wrong else Dispute.objects.all(), said.get("state", "")
    if state != "all":
        rows = rows.filter(state=state) if state else reads.standing(rows)
    if who := said.get("person", ""):
        rows = rows.filter(Q(participant__key=who) | Q(participant__name__icontains=who))
    rows = rows.order_by(*reads.ORDERS[said.get("by") or "age"])
    empty = ("No dispute waits", "What people question about their pay stands here until it is decided.")
    if wrong:
        empty = ("Nothing is listed", "Put the filters right first.")
    return _listed(request, rows, "Disputes", "Who waits longest stands first.", empty, form)


@needs(Can.PAY_OWN)
@require_GET
def my_disputes(request: HttpRequest, tenant: str) -> HttpResponse:
    """What one questioned about one's own pay, the newest first."""
    person: Participant | None = request.participant  # type: ignore[attr-defined]
    if person is None:
        return render(request, "payouts/home_nobody.html")
    rows = Dispute.objects.filter(participant=person).order_by("-number")
    empty = ("You questioned nothing", "Open “Why?” at a line, or a statement, and question it there.")
    return _listed(request, rows, "Your questions", "What you questioned about your pay, and its answers.", empty)


def _listed(
    request: HttpRequest, rows: QuerySet[Dispute], title: str, lead: str, empty: tuple[str, str], form: Any = None
) -> HttpResponse:
    rows = rows.select_related("participant__pay_group", "deal", "owner")
    wrong = form is not None and bool(form.errors)
    if "csv" in request.GET and not wrong:
        return csv_response("disputes", CSV_HEADER, map(_cells, rows))
    page, now = paginate(request, rows, PER_PAGE), today(request.tenant)  # type: ignore[attr-defined]
    left = {row.pk for row in _left(page.object_list)}
    query = request.GET.copy()
    query["csv"] = "1"
    context = {
        "title": title,
        "lead": lead,
        "page_obj": page,
        "rows": [
            (row, link(request, "dispute", pk=row.pk), _mark(row), _age(row, now), _late(row, now), row.pk in left)
            for row in page.object_list
        ],
        "stakes": ", ".join(format_money(minor, currency) for minor, currency in reads.stakes(rows)),
        "empty": empty,
        "form": form,
        "csv": f"?{query.urlencode()}",
        "own": form is None,
    }
    return render(request, "payouts/disputes/list.html", context, status=422 if wrong else 200)


def _left(rows: Iterable[Dispute]) -> list[Dispute]:
    """Those that stand and whose owner handles disputes of the person no more: somebody else has to take them."""
    taken = [row for row in rows if not row.is_over and row.owner_id is not None]
    able = reads.able_in({row.participant.pay_group for row in taken}) if taken else {}
    return [row for row in taken if row.owner_id not in able[row.participant.pay_group_id]]


def _age(row: Dispute, now: date) -> str:
    days = (now - timezone.localtime(row.opened_at).date()).days  # by the company's days, as `now` is one
    return "today" if days < 1 else f"{days} day{'' if days == 1 else 's'}"


def _late(row: Dispute, now: date) -> bool:
    return not row.is_over and row.promised_on is not None and row.promised_on < now


def _cells(row: Dispute) -> list[Any]:
    amounts = (row.before_minor, row.expected_minor, row.after_minor, row.stake_minor)
    return [
        row.name, row.get_state_display(), row.get_category_display(), row.participant.key, row.participant.name,
        row.copied["label"], row.copied.get("deal", ""), row.pay_period, row.opened_at, str(row.owner or ""),
        row.promised_on, row.get_decision_display(),
        *(None if minor is None else Decimal(plain_money(minor, row.currency)) for minor in amounts), row.currency,
    ]  # fmt: skip


def _mark(row: Dispute) -> str:
    """The badge of a dispute's state: while it stands, money is disputed."""
    if row.state == State.DECIDED:
        return badge("Decided", "good", "check-circle")
    if row.state == State.WITHDRAWN:
        return badge("Withdrawn", "plain", "arrow-uturn-left")
    return state_badge("disputed", "in review" if row.state == State.IN_REVIEW else "open")


# ------------------------------------------------------------------ a new one


@anyone
@require_http_methods(["GET", "POST"])
def dispute_add(request: HttpRequest, tenant: str, why: int) -> HttpResponse:
    """Questions a line: one's own, or in place of the person for who handles disputes."""
    line = get_object_or_404(Earning.objects.select_related("participant", "deal__account", "deal__product"), pk=why)
    _may_open(request, line.participant)
    if (stands := reads.of_line_standing(line)) is not None:
        return redirect("dispute", tenant=tenant, pk=stands.pk)
    back = Link("Why this number", link(request, "why", pk=why))
    copied = reads.copied_line(line)
    earns = f"{copied['label']}, {copied['component']}: it earns {format_money(line.earned_minor, line.currency)} now."
    return _opened(request, Dispute.About.LINE, back, earns, line.currency, earning=line)


@anyone
@require_http_methods(["GET", "POST"])
def dispute_add_statement(request: HttpRequest, tenant: str, period: date, participant: int) -> HttpResponse:
    """Questions a statement as a whole: something is missing in it."""
    run = request.GET.get("run", "0")
    number = int(run) if run.removeprefix("-").isdecimal() and len(run) < 5 else 0
    rows = Statement.objects.select_related("participant")
    row = get_object_or_404(rows, participant=participant, period_starts_on=period, run=number)
    _may_open(request, row.participant)
    whose = {} if request.participant == row.participant else {"participant": participant}  # type: ignore[attr-defined]
    address = link(request, "statement", period=period, **whose)
    back = Link("Statement", f"{address}?run={number}" if number else address)
    span = span_holding(pay_group_of(row.participant), period)
    pays = f"Statement {span.name}: it pays {format_money(row.payout_minor, row.currency)} now."
    return _opened(request, Dispute.About.STATEMENT, back, pays, row.currency, statement=row)


def _may_open(request: HttpRequest, person: Participant) -> None:
    if not may_question(request, person):
        raise Http404("whoever is paid questions it, or who handles disputes")


def _handles(request: HttpRequest) -> bool:
    return Can.DISPUTE_HANDLE in request.can  # type: ignore[attr-defined]


def _opened(request: HttpRequest, about: str, back: Link, lead: str, currency: str, **what: Any) -> HttpResponse:
    missing = {"category": Dispute.Category.MISSING} if about == Dispute.About.STATEMENT else {"category": "amount"}
    form = OpenForm(request.POST or None, initial=missing, currency=currency, about=about)
    if request.method == "POST" and form.is_valid():
        said, by = form.cleaned_data, request.user
        asked = {"category": said["category"], "expectation": said["expectation"], "expected_minor": said["expected"]}
        made = tried(form, lambda: disputes.dispute_open(by=by, **asked, **what))  # type: ignore[arg-type]
        if made is not None:
            return redirect("dispute", tenant=request.tenant.slug, pk=made.pk)  # type: ignore[attr-defined]
    context = {"form": form, "lead": lead, "crumbs": [back], "cancel": back.url}
    return render(request, "payouts/disputes/form.html", context, status=422 if form.errors else 200)


# ------------------------------------------------------------------ one


def _found(pk: int) -> Dispute:
    rows = Dispute.objects.select_related(
        "participant__pay_group", "deal", "owner", "opened_by", "decided_by", "by_adjustment", "by_deal", "by_fact",
        "by_version__plan",
    )  # fmt: skip
    return get_object_or_404(rows, pk=pk)


@anyone
@require_GET
def dispute(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """One dispute, for those whom the pay wall shows it."""
    return _shown(request, _found(pk))


def _shown(request: HttpRequest, row: Dispute, status: int = 200, **forms_: forms.Form) -> HttpResponse:
    handles, own = _handles(request), row.participant == request.participant  # type: ignore[attr-defined]
    stands, line = not row.is_over, reads.line_of(row)
    entries, left = _entries(request, row), bool(_left([row]))
    context = {
        "dispute": row,
        "lead": _lead(row, own, left),
        "crumbs": [_back(request, own, handles)],
        "facts": _facts(row, own, left),
        "copied": _copied(row),
        "why_url": link(request, "why", pk=line.pk) if line is not None else "",
        "statement_url": _statement_url(request, row, own),
        "events": _events(row, entries),
        "entries": entries,
        "change": _change(request, row),
        "may_say": stands and (own or handles),
        "may_take": stands and handles and not own,
        "may_decide": row.state == State.IN_REVIEW and handles and not own,
        "may_withdraw": stands and row.opened_by_id == request.user.pk,
        "say": SayForm(),
        "take": None,
        "decide": None,
    }
    if context["may_take"]:
        promised = row.promised_on or today(request.tenant) + USUAL  # type: ignore[attr-defined]
        given = {"owner": row.owner_id or request.user.pk, "promised_on": promised}
        context["take"] = TakeForm(owners=_owners(row), initial=given)
    if context["may_decide"]:
        deal = row.deal.external_id if row.deal is not None else reads.number_of(row.fact)
        context["decide"] = DecideForm(dispute=row, initial={"deal": deal})
    return render(request, "payouts/disputes/dispute.html", {**context, **forms_}, status=status)


def _owners(row: Dispute) -> list[User]:
    return reads.handlers(row.participant.pay_group, but=row.participant.user_id)


def _back(request: HttpRequest, own: bool, handles: bool) -> Link:
    if own:
        return Link("Your questions", link(request, "my_disputes"))
    if handles:
        return Link("Disputes", link(request, "dispute_list"))
    team = Can.PAY_TEAM in request.can  # type: ignore[attr-defined]
    return Link("Team", link(request, "team")) if team else Link("Payouts", link(request, "batch_list"))


def _lead(row: Dispute, own: bool, left: bool) -> str:
    """Where it stands, in one sentence."""
    if row.state == State.WITHDRAWN:
        return "It was withdrawn."
    if row.state == State.DECIDED:
        return _outcome(row)
    if row.promised_on is not None:
        promised = f"promised a decision by {row.promised_on:%-d %B %Y}"
        if left:
            return f"{row.owner} {promised} and handles it no more: somebody else has to take it."
        return f"{row.owner} looks after it and {promised}."
    by_person = row.opened_by_id == row.participant.user_id
    who = ("You" if own else row.participant.name) if by_person else str(row.opened_by)
    whom = "" if by_person else f" for {'you' if own else row.participant.name}"
    return f"{who} questioned it{whom}; nobody has taken it yet."


def _outcome(row: Dispute) -> str:
    """What was decided, and what came of it."""
    before, after = (format_money(minor, row.currency) for minor in (row.before_minor, row.after_minor or 0))
    same, later = row.before_minor == row.after_minor, reads.after_it(row)
    told = f"{row.get_decision_display()}. "
    if later is not None and same:
        told += f"The statement stays as it was, at {before}"
        moves = row.by_deal or row.by_fact or row.by_version
        told += f"; what changed is paid with {later.name}." if moves is not None else "."
    else:
        what = "It earned" if row.about == Dispute.About.LINE else "The payout was"
        told += f"{what} {before} before, and {'the same' if same else after} after it."
    if row.by_adjustment is not None:
        paid = format_money(row.by_adjustment.amount_minor, row.by_adjustment.currency)
        span = reads.paid_with(row.by_adjustment)
        told += f" Beside that, {row.by_adjustment} is {paid}{f', paid with {span.name}' if span is not None else ''}."
    return told


def _facts(row: Dispute, own: bool, left: bool) -> list[Fact]:
    verb = "Earned" if row.about == Dispute.About.LINE else "Payout"
    facts = [Fact("State", _mark(row))]
    if not own:
        facts.append(Fact("Person", row.participant.name))
    facts += [
        Fact("What is wrong", row.get_category_display()),
        Fact("Looked after by", f"{row.owner or 'nobody yet'}{', who handles it no more' if left else ''}"),
        Fact("Promised by", day(row.promised_on, long=True) if row.promised_on else "no day yet"),
        Fact(f"{verb} when questioned", money(row.before_minor, row.currency)),
    ]
    if row.expected_minor is not None:
        name = "Expected" if row.about == Dispute.About.LINE else "Missing"
        facts.append(Fact(name, money(row.expected_minor, row.currency)))
    if row.after_minor is not None:
        facts.append(Fact(f"{verb} when decided", money(row.after_minor, row.currency)))
    else:
        facts.append(Fact(f"{verb} now", money(reads.standing_minor(row), row.currency)))
    return facts


def _copied(row: Dispute) -> list[Fact]:
    """The line or statement as it stood at the opening."""
    said, currency = row.copied, row.currency
    credited = row.line_kind == LineNamed.Kind.CREDIT and row.deal_id is not None
    facts = []
    for name, words in _COPIED:
        value = said.get(name)
        if value in (None, ""):
            continue
        if (name == "credited_minor" and not credited) or (name in STATEMENT_PARTS and not value):
            continue
        if name.endswith("_minor"):
            value = money(value, currency)
        elif name == "credited_on":
            value = day(date.fromisoformat(value), long=True)
        elif name == "state":
            waits = said.get("waits_for", "")
            value = state_badge(value, waits) if value in MONEY_STATES else str(value).capitalize()
        facts.append(Fact(words, value))
    return facts


#: What is shown of a copy. The parts of a statement add up to its payout.
_COPIED = (
    ("label", "What"), ("deal", "Deal"), ("component", "Component"), ("plan", "Plan"), ("state", "State"),
    ("credited_on", "Credited"), ("credited_minor", "Credit"), ("rate", "Rate"), ("earned_minor", "Earned"),
    ("released_minor", "Released"), ("adjustments_minor", "Adjustments"), ("topped_up_minor", "Topped up"),
    ("recovered_minor", "Recovered"), ("withheld_minor", "Withheld"), ("carried_minor", "Carried"),
    ("forgiven_minor", "Forgiven"), ("payout_minor", "Payout"), ("period", "Period"), ("cause", "Cause"),
    ("statement_revision", "Statement revision"),
)  # fmt: skip


def _statement_url(request: HttpRequest, row: Dispute, own: bool) -> str:
    if reads.statement_of(row) is None:
        return ""
    address = link(request, "statement", period=row.pay_period, **({} if own else {"participant": row.participant_id}))
    return f"{address}?run={row.run}" if row.run else address


def _entries(request: HttpRequest, row: Dispute) -> Page[DisputeEntry]:
    """The thread in pages, the latest first."""
    entries = DisputeEntry.objects.filter(dispute=row).select_related("said_by", "owner").order_by("-id")
    return paginate(request, entries, SAID, "thread")


def _events(row: Dispute, entries: Page[DisputeEntry]) -> list[Event]:
    """What was said and done, in its order: of the pages of entries the first one has the end, the last the start."""
    first, last = not entries.has_previous(), not entries.has_next()
    events = [Event(row.opened_at, "Questioned", str(row.opened_by), row.expectation)] if last else []
    for entry in reversed(entries.object_list):
        if entry.kind == DisputeEntry.Kind.TAKEN:
            what = f"{entry.owner} looks after it"
            events.append(Event(entry.said_at, what, str(entry.said_by), f"promised by {entry.promised_on:%-d %b %Y}"))
        else:
            events.append(Event(entry.said_at, str(entry.said_by), "", entry.words))
    if first and row.decided_at is not None:
        what = f"Decided: {row.get_decision_display().lower()}"
        events.append(Event(row.decided_at, what, str(row.decided_by), row.decision_words, tone="good"))
    if first and row.withdrawn_at is not None:
        events.append(Event(row.withdrawn_at, "Withdrawn", str(row.opened_by)))
    return events


def _change(request: HttpRequest, row: Dispute) -> Link | None:
    """The change that a decision names."""
    if row.by_adjustment is not None:
        return Link(str(row.by_adjustment), link(request, "adjustment", pk=row.by_adjustment.pk))
    if row.by_deal is not None:
        return Link(f"Deal {row.by_deal}", link(request, "deal", deal=row.by_deal.pk))
    if row.by_fact is not None:
        deal = row.by_fact.deal_id
        return Link(str(row.by_fact), link(request, "deal", deal=deal) if deal else "")
    if row.by_version is not None:
        version = row.by_version
        may = Can.PLAN_READ in request.can  # type: ignore[attr-defined]
        return Link(str(version), link(request, "version", key=version.plan.key, number=version.number) if may else "")
    return None


# ------------------------------------------------------------------ steps


@anyone
@require_POST
def dispute_say(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Adds to the thread: the person, or who handles disputes."""
    row, by = _found(pk), request.user
    _may_open(request, row.participant)
    words = request.POST.get("words", "")
    answered(request, lambda: disputes.dispute_say(dispute=row, by=by, words=words), "It is said.")  # type: ignore[arg-type]
    return redirect("dispute", tenant=tenant, pk=pk)


@needs(Can.DISPUTE_HANDLE)
@require_POST
def dispute_take(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Says who looks after it, and by when it is decided."""
    row, by = _found(pk), request.user
    form = TakeForm(request.POST, owners=_owners(row))
    if form.is_valid():
        done = tried(form, lambda: disputes.dispute_take(dispute=row, by=by, **form.cleaned_data))  # type: ignore[arg-type]
        if done is not None:
            return redirect("dispute", tenant=tenant, pk=pk)
    return _shown(request, row, 422, take=form)


@needs(Can.DISPUTE_HANDLE)
@require_POST
def dispute_decide(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Decides it, with the change that answers it."""
    row, by = _found(pk), request.user
    form = DecideForm(request.POST, dispute=row)
    if form.is_valid():
        said = _decided(form.cleaned_data)
        done = tried(form, lambda: disputes.dispute_decide(dispute=row, by=by, **said))  # type: ignore[arg-type]
        if done is not None:
            return redirect("dispute", tenant=tenant, pk=pk)
    return _shown(request, row, 422, decide=form)


def _decided(said: dict[str, Any]) -> dict[str, Any]:
    """As the service takes it."""
    found: dict[str, Any] = {"decision": said["decision"], "words": said["words"]}
    name = _NAMES.get(said["decision"], "")
    change = said.get(name)
    if change is not None:
        found["fact" if isinstance(change, OtherFact) else name] = change
    return found


@anyone
@require_POST
def dispute_withdraw(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Who opened it takes it back."""
    row, by = _found(pk), request.user
    _may_open(request, row.participant)
    answered(request, lambda: disputes.dispute_withdraw(dispute=row, by=by), f"{row} is withdrawn.")  # type: ignore[arg-type]
    return redirect("dispute", tenant=tenant, pk=pk)


dispute_urls = [
    path("disputes/", dispute_list, name="dispute_list"),
    path("my-disputes/", my_disputes, name="my_disputes"),
    path("disputes/new/<int:why>/", dispute_add, name="dispute_add"),
    path("disputes/new/<day:period>/<int:participant>/", dispute_add_statement, name="dispute_add_statement"),
    path("disputes/<int:pk>/", dispute, name="dispute"),
    path("disputes/<int:pk>/say/", dispute_say, name="dispute_say"),
    path("disputes/<int:pk>/take/", dispute_take, name="dispute_take"),
    path("disputes/<int:pk>/decide/", dispute_decide, name="dispute_decide"),
    path("disputes/<int:pk>/withdraw/", dispute_withdraw, name="dispute_withdraw"),
]
