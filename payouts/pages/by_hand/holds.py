"""Holds: what stands, a new one, one with its release; and differences that wait because they reach far back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.html import format_html_join
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comp.core.money import format_money, plain_money
from comp.tenancy.capabilities import Can
from comp.web.access import needs
from comp.web.csv import csv_response
from comp.web.parts import Event, Fact, Link
from comp.web.templatetags.comp import badge, day, money
from crediting.models import Deal
from payouts.models import Batch, Hold, Payable
from payouts.pages.by_hand import parts
from payouts.pages.by_hand.forms import HoldForm
from payouts.pages.links import link
from payouts.reads.labels import line_label
from payouts.reads.lines import hold_words
from payouts.reads.periods import pay_group_of, span_holding
from payouts.services import differences, holds

READ = (Can.BATCH_READ,)
SHOWN = 200


def _visible() -> QuerySet[Hold]:
    return Hold.objects.filter(parts.of_visible()).select_related("participant", "deal", "plan", "batch", "placed_by")


def _held() -> dict[int, list[tuple[int, str]]]:
    """What each hold keeps now of those whose pay one may see, in minor units by currency."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    rows = Payable.objects.filter(hold__isnull=False).order_by("currency").values_list("hold_id", "currency")
    for hold_id, currency, minor in rows.annotate(minor=Sum("amount_minor")):
        found[hold_id].append((int(minor), currency))
    return found


@needs(*READ)
@require_GET
def hold_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """What is held and by whom; `all` shows those released too. Amounts are of those whose pay one may see."""
    every = "all" in request.GET
    rows = _visible().order_by("released_at", "-id") if every else _visible().filter(released_at=None).order_by("-id")
    if "csv" in request.GET:
        header = ("what", "component", "held by", "since", "until", "reason", "released", "amount", "currency")
        return csv_response("holds", header, _cells(rows))
    held = _held()
    sums = Payable.objects.filter(hold__isnull=False).order_by().values("currency").annotate(minor=Sum("amount_minor"))
    nothing = [(0, request.tenant.currency)]  # type: ignore[attr-defined]
    listing = parts.Listing(
        title="Holds",
        lead="What is held stays in the open period and is in no payout. Whoever is held up reads by whom, and why.",
        columns=(
            parts.Column("What"), parts.Column("By"), parts.Column("Reason", "row"), parts.Column("Until", "aside"),
            parts.Column("Holds now", "num key"), parts.Column("State"),
        ),
        cells=lambda row: (
            str(row), link(request, "hold", pk=row.pk),
            (str(row.placed_by or "a rule"), row.reason, day(row.expires_on),
             format_html_join(", ", "{}", ((money(*each),) for each in held.get(row.pk, nothing))), _mark(row)),
        ),
        empty=("Nothing is held", "A disputed deal, a person on leave, a component in doubt: hold it with a reason."),
        totals=", ".join(f"{format_money(int(row['minor']), row['currency'])} held" for row in sums),
        actions=[Link("Hold something", link(request, "hold_add"))] if _may(request) else [],
        csv="?csv=1" + ("&all=1" if every else ""),
        note="" if every else "?all=1",
    )  # fmt: skip
    return parts.page_list(request, "hold_list", listing, rows)


def _cells(rows: Iterable[Hold]) -> Iterator[list[Any]]:
    """A row for each hold and currency of what it keeps."""
    held = _held()
    for row in rows:
        said = [str(row), row.component, str(row.placed_by or "a rule"), row.placed_at, row.expires_on, row.reason]
        amounts = [[Decimal(plain_money(*each)), each[1]] for each in held.get(row.pk, [])] or [[None, ""]]
        for amount in amounts:
            yield [*said, row.released_at, *amount]


def _may(request: HttpRequest) -> bool:
    return Can.BATCH_SUBMIT in request.can  # type: ignore[attr-defined]


def _mark(row: Hold) -> str:
    return badge("Released", "plain", "arrow-uturn-left") if row.released_at else badge("Held", "stop", "hand-raised")


@needs(*READ, Can.BATCH_SUBMIT)
@require_http_methods(["GET", "POST"])
def hold_add(request: HttpRequest, tenant: str) -> HttpResponse:
    """Holds a person, a deal, a plan or a component; `batch` in the address holds that batch as a whole."""
    batch = request.GET.get("batch", "")
    held = get_object_or_404(Batch, pk=batch, pay_group__in=parts.pay_groups_visible()) if batch.isdecimal() else None
    form = HoldForm(request.POST or None)
    if held is not None:
        for name in ("participant", "deal", "plan", "component"):
            del form.fields[name]
    if request.method == "POST" and form.is_valid():
        said = dict(form.cleaned_data)
        said["deal"] = _deal(form, said.get("deal", ""))
        by: Any = request.user
        if (
            not form.errors
            and (hold := parts.tried(form, lambda: holds.hold_place(**said, batch=held, by=by))) is not None
        ):
            return redirect("hold", tenant=tenant, pk=hold.pk)
    title = f"Hold {held}" if held else "Hold something"
    note = "All that you name has to be met: a person and a deal hold that deal for that person alone."
    return parts.page_form(request, "hold_list", title, form, "Hold it", "" if held else note)


def _deal(form: HoldForm, number: str) -> Deal | None:
    if not number.strip():
        return None
    found = list(Deal.objects.filter(external_id=number.strip())[:2])
    if len(found) != 1:
        form.add_error(
            "deal", f"{'No deal has' if not found else 'Deals of several sources have'} the number {number!r}."
        )
        return None
    return found[0]


@needs(*READ)
@require_GET
def hold(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """A hold: what it keeps now, and its release."""
    row = get_object_or_404(_visible(), pk=pk)
    kept = Payable.objects.filter(hold=row).select_related("participant", "deal__account", "deal__product")
    facts = [
        Fact("What", str(row)), Fact("State", _mark(row)), Fact("Held by", str(row.placed_by or "a rule")),
        Fact("Until", day(row.expires_on, long=True) if row.expires_on else "it is released"),
    ]  # fmt: skip
    for line in kept.order_by("participant__name", "id")[:SHOWN]:
        facts.append(
            Fact(f"{line.participant.name}: {line_label(line, line.deal)}", money(line.amount_minor, line.currency))
        )
    events = [Event(row.placed_at, "Held", str(row.placed_by or "a rule"), row.reason, tone="stop")]
    if row.released_at:
        events.append(
            Event(row.released_at, "Released", str(row.released_by or "its day"), row.release_reason, tone="good")
        )
    acts = []
    if row.released_at is None and row.kind == Hold.Kind.PLACED and _may(request):
        url = link(request, "hold_release", pk=pk)
        note = "What it keeps is paid with the open period, unless something else holds it."
        acts = [parts.Act("Release", url, parts.ReasonForm(), (("release", "Release it", "yes"),), note)]
    shown = parts.Shown(
        title=f"Hold on {row}", lead=hold_words(row), back=Link("Holds", link(request, "hold_list")), facts=facts,
        events=events, acts=acts,
    )  # fmt: skip
    return parts.page_shown(request, shown)


@needs(*READ, Can.BATCH_SUBMIT)
@require_POST
def hold_release(request: HttpRequest, tenant: str, pk: int) -> HttpResponse:
    """Lets go what a hold keeps."""
    row = get_object_or_404(_visible(), pk=pk)
    by: Any = request.user
    reason = request.POST.get("reason", "")
    parts.answered(
        request, lambda: holds.hold_release(hold=row, by=by, reason=reason), f"The hold on {row} is released."
    )
    return redirect("hold", tenant=tenant, pk=pk)


@needs(*READ)
@require_GET
def difference_list(request: HttpRequest, tenant: str) -> HttpResponse:
    """Differences that reach further back than they may, each to be approved."""
    rows = differences.far_waiting()
    if "csv" in request.GET:
        header = ("employee", "name", "belongs to", "lines", "currency", "amount")
        cells = (
            (row.participant.key, row.participant.name, row.origin_starts_on, row.lines, row.currency,
             Decimal(plain_money(row.minor, row.currency)))
            for row in rows
        )  # fmt: skip
        return csv_response("differences", header, cells)
    listing = parts.Listing(
        title="Differences that reach far back",
        lead="A late change to a period further back than your limit. It waits here, and is paid once it is approved.",
        columns=(
            parts.Column("Person"), parts.Column("Belongs to"), parts.Column("Lines", "num aside"),
            parts.Column("Amount", "num key"),
        ),
        cells=lambda row: (
            row.participant.name, f"{link(request, 'difference_approve')}?{_address(row)}",
            (span_holding(pay_group_of(row.participant), row.origin_starts_on).name, row.lines,
             money(row.minor, row.currency, sign=True)),
        ),
        empty=("No difference waits", "Limits say how many pay periods back a difference may reach without approval."),
        csv="?csv=1",
    )  # fmt: skip
    return parts.page_list(request, "difference_list", listing, rows)


def _named(row: differences.Far) -> tuple[str, str, str]:
    return str(row.participant.pk), row.origin_starts_on.isoformat(), row.currency


def _address(row: differences.Far) -> str:
    return f"person={row.participant.pk}&from={row.origin_starts_on.isoformat()}&currency={row.currency}"


@needs(*READ)
@require_http_methods(["GET", "POST"])
def difference_approve(request: HttpRequest, tenant: str) -> HttpResponse:
    """One person's differences to one period, approved by whom the company's rule names."""
    wanted = {name: request.GET.get(name, "") for name in ("person", "from", "currency")}
    found = [row for row in differences.far_waiting() if _named(row) == tuple(wanted.values())]
    if not found:
        return redirect("difference_list", tenant=tenant)
    row = found[0]
    form = parts.ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by: Any = request.user
        shown = differences.Far(row.participant, row.origin_starts_on, row.currency, _shown(request), row.lines)
        done = parts.tried(
            form, lambda: differences.far_approve(waits=shown, approved_by=by, reason=form.cleaned_data["reason"])
        )
        if done is not None:
            return redirect("difference_list", tenant=tenant)
    period = span_holding(pay_group_of(row.participant), row.origin_starts_on).name
    title = f"{row.participant.name}, {period}: {format_money(row.minor, row.currency)}"
    return parts.page_form(
        request, "difference_list", title, form, "Approve it", f"{row.lines} lines.", hidden=[("minor", row.minor)]
    )


def _shown(request: HttpRequest) -> int:
    text = request.POST.get("minor", "")
    return int(text) if text.removeprefix("-").isdecimal() else 0


hold_urls = [
    path("holds/", hold_list, name="hold_list"),
    path("holds/new/", hold_add, name="hold_add"),
    path("holds/<int:pk>/", hold, name="hold"),
    path("holds/<int:pk>/release/", hold_release, name="hold_release"),
    path("differences/", difference_list, name="difference_list"),
    path("differences/approve/", difference_approve, name="difference_approve"),
]
