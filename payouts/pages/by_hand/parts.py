"""What the pages of decisions by hand share: the list, the page of one, its decision, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from comp.core.errors import ProblemsError
from comp.core.money import MoneyError
from comp.tenancy.capabilities import Can
from comp.web.forms import add_problems
from comp.web.paging import paginate
from comp.web.parts import Event, Fact, Link
from comp.web.templatetags.comp import badge
from payouts.models.manual import State
from payouts.pages.links import link
from payouts.selectors_batches import pay_groups_visible
from payouts.services.holds import FiguresMove

#: The pages of this section, in the order of its tabs.
SECTION = {
    "adjustment_list": "Adjustments",
    "hold_list": "Holds",
    "difference_list": "Differences",
    "letter_list": "Side letters",
    "relief_list": "Quota relief",
    "review_list": "Windfalls",
    "debt_list": "Debts",
    "adjustment_limits": "Limits",
}
_STATES = {
    State.DRAFT: ("plain", "pencil"),
    State.WAITING: ("wait", "clock"),
    State.APPROVED: ("good", "check-circle"),
    State.REFUSED: ("stop", "x-circle"),
    State.WITHDRAWN: ("plain", "arrow-uturn-left"),
}


@dataclass(frozen=True)
class Column:
    """A column's name, and how its cells stand: num, key, row, aside or nothing."""

    name: str
    css: str = ""


@dataclass(frozen=True)
class Listing:
    """A list of one kind: `rows` are pages of cells, the first of which is a link (words, address)."""

    title: str
    lead: str
    columns: Sequence[Column]
    cells: Callable[[Any], tuple[str, str, Sequence[object]]]
    empty: tuple[str, str]
    totals: str = ""
    actions: Sequence[Link] = ()
    filters: forms.Form | None = None
    csv: str = ""
    note: str = ""
    missing: str = ""  # what is not in it, and why
    files: Sequence[Any] = ()


@dataclass(frozen=True)
class Act:
    """Something to do on a page: a form with its buttons (value, label, style)."""

    title: str
    url: str
    form: forms.Form
    buttons: Sequence[tuple[str, str, str]]
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """The page of one decision."""

    title: str
    lead: str
    back: Link
    facts: Sequence[Fact]
    text: str = ""
    events: Sequence[Event] = ()
    acts: Sequence[Act] = ()
    links: Sequence[Link] = field(default_factory=list)


class ReasonForm(forms.Form):
    """Why, in a sentence."""

    reason = forms.CharField(label="Why, in a sentence", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class DecisionForm(forms.Form):
    """A second person's decision: a refusal says why."""

    reason = forms.CharField(
        label="Why", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="A refusal needs it: the preparer reads it.",
    )  # fmt: skip


def page_list(request: HttpRequest, name: str, listing: Listing, rows: Any) -> HttpResponse:
    """A list of the section, in pages."""
    page = paginate(request, rows, 50)
    context = {
        "tabs": tabs(request, name),
        "listing": listing,
        "page_obj": page,
        "rows": [(words, url, list(zip(listing.columns[1:], cells, strict=True)))
                 for words, url, cells in map(listing.cells, page.object_list)],
    }  # fmt: skip
    return render(request, "payouts/manual/list.html", context)


def page_shown(request: HttpRequest, shown: Shown, status: int = 200) -> HttpResponse:
    return render(request, "payouts/manual/shown.html", {"shown": shown, "crumbs": [shown.back]}, status=status)


def page_form(
    request: HttpRequest, name: str, title: str, form: forms.Form, button: str, note: str = "", **more: Any
) -> HttpResponse:
    """A page with one form, which goes back to the list `name`."""
    context = {
        "title": title, "form": form, "button": button, "note": note, "cancel": link(request, name),
        "crumbs": [Link(SECTION[name], link(request, name))], "file": form.is_multipart(), **more,
    }  # fmt: skip
    return render(request, "payouts/manual/form.html", context, status=422 if form.errors else 200)


def tabs(request: HttpRequest, current: str) -> list[Link]:
    """The pages of the section, for those who may read batches; the limits for those who set them."""
    may: frozenset[Can] = request.can  # type: ignore[attr-defined]
    return [
        Link(word, link(request, name), name == current)
        for name, word in SECTION.items()
        if name != "adjustment_limits" or Can.BATCH_APPROVE in may
    ]


def tried(form: forms.Form, act: Callable[[], Any]) -> Any:
    """What `act` gives; None, and its problems in the form, where it is refused."""
    try:
        return act()
    except ProblemsError as error:
        add_problems(form, error)
    except (MoneyError, FiguresMove) as error:
        form.add_error(None, str(error))
    return None


def answered(request: HttpRequest, act: Callable[[], Any], done: str) -> None:
    """Does it and says so, or why not."""
    try:
        act()
    except ProblemsError as error:
        messages.error(request, " ".join(problem.message for problem in error.problems))
    except (MoneyError, FiguresMove) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)


def state_mark(row: Any) -> str:
    """The badge of a decision's state."""
    tone, icon = _STATES[State(row.state)]
    return badge(row.get_state_display(), tone, icon)


def decided_events(row: Any) -> list[Event]:
    """Who prepared it and who decided, with their words."""
    events = [Event(row.prepared_at, "Prepared", str(row.prepared_by), row.reason)]
    if row.decided_at and row.decided_by:
        tone = "good" if row.state == State.APPROVED else "stop"
        events.append(Event(row.decided_at, row.get_state_display(), str(row.decided_by), row.decision, tone=tone))
    elif row.decided_at:
        events.append(
            Event(row.decided_at, "Approved", str(row.prepared_by), "within what one person may adjust alone")
        )
    return events


def decision(request: HttpRequest, row: Any, url: str, note: str = "") -> list[Act]:
    """The form of a second person, where one may decide."""
    may = Can.BATCH_APPROVE in request.can  # type: ignore[attr-defined]
    if row.state != State.WAITING or not may or row.prepared_by_id == request.user.pk:
        return []
    buttons = (("approved", "Approve", "yes"), ("refused", "Refuse", "plain"))
    return [Act("Decide", url, DecisionForm(), buttons, note)]


def asked(request: HttpRequest) -> tuple[State, str]:
    """The decision that a form sent: which, and why. Whatever is no approval is a refusal."""
    state = State.APPROVED if request.POST.get("act") == State.APPROVED else State.REFUSED
    return state, request.POST.get("reason", "")


def of_visible(name: str = "participant") -> Q:
    """Rows about nobody, or about people whose pay the visitor may see."""
    return Q(**{name: None}) | Q(**{f"{name}__pay_group__in": pay_groups_visible()})


def moment(at: Any) -> str:
    return f"{timezone.localtime(at):%-d %b %Y, %H:%M}" if at else ""
