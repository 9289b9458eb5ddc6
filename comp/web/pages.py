"""The gallery: every component with realistic values, to look at and to test in a browser. No data of any tenant."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from comp.web.forms import DateInput
from comp.web.live import live_response
from comp.web.parts import Bar, ChainStep, Change, Event, Fact, Link, Meter, Step, Tier, WayStep

MONTHS = ("Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov")
PAID = (
    980_000,
    812_040,
    1_204_500,
    1_330_012,
    760_000,
    1_011_150,
    1_480_933,
    -41_230,
    1_102_500,
    1_390_000,
    816_114,
    1_420_658,
)

OLD_PLAN = """plan: New business 2026
components:
  - name: New business commission
    credit: deal.amount
    tiers:
      - from: 0%
        rate: 8%
      - from: 100%
        rate: 12%
    release:
      - on: signature
        share: 50%
      - on: go_live
        share: 50%
"""
NEW_PLAN = OLD_PLAN.replace("rate: 12%", "rate: 12.5%\n      - from: 150%\n        rate: 15%").replace("2026", "2027")
RAW = b'{"type":"deal.won","deal":"1C1I7A6R","amount":37000.00,"margin":"0.31","note":"<script>1</script>","tags":[]}'


class GalleryForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="Plan name", help_text="As representatives will read it.")
    rate = forms.DecimalField(label="Rate from 100%", min_value=0, max_value=100, help_text="In percent of the credit.")
    starts = forms.DateField(label="Valid from", required=False, widget=DateInput)
    how = forms.ChoiceField(
        label="Tier counts", choices=[("marginal", "Only the part above"), ("all", "The whole credit")]
    )
    side = forms.ChoiceField(
        label="A credit exactly at the boundary",
        widget=forms.RadioSelect,
        choices=[("below", "earns the lower rate"), ("above", "earns the higher rate")],
    )
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    cap = forms.BooleanField(label="Cap at 200% of the target pay", required=False)


class FilterForm(forms.Form):
    """A filter bar's fields: optional, without help."""

    person = forms.CharField(label="Person", required=False)
    state = forms.ChoiceField(label="State", choices=[("", "All"), ("waiting", "Waiting")])


def gallery(request: HttpRequest) -> HttpResponse:
    """Every component on one page. Whoever routes it decides who may open it."""
    return render(request, "web/gallery.html", _context(request))


def gallery_live(request: HttpRequest) -> HttpResponse:
    """The gallery's live region: another version each four seconds."""
    return live_response(request, _tick(), "web/gallery_live.html", {"minor": 1_420_658 + _tick() % 100})


def _tick() -> int:
    return int(timezone.now().timestamp()) // 4


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now().replace(hour=14, minute=5, second=7)
    filled = GalleryForm({"name": "", "rate": "120", "how": "marginal", "side": "below"})
    return {
        "version": _tick(),
        "way": [
            WayStep("estimated", 694_000, "USD", "3 deals closing", "#"),
            WayStep("earned", 3_148_012, "USD", "14 deals", "#"),
            WayStep("waiting", 911_240, "USD", "for go-live and 75% usage", "#"),
            WayStep("approved", 1_420_658, "USD", "paid on 30 November", "#", current=True),
            WayStep("paid", 816_114, "USD", "on 31 October", "#"),
        ],
        "meter": Meter(
            "New business, fourth quarter",
            31_416_000,
            34_000_000,
            "$314,160",
            "$340,000",
            [Tier(Decimal(0), "8%"), Tier(Decimal(100), "12% from 100%"), Tier(Decimal(150), "15% from 150%")],
            Decimal(55),
            "$25,840 or about two deals to the 12% tier",
        ),
        "over": Meter("Renewals", 21_200, 10_000, "212 seats", "100 seats", [Tier(Decimal(100), "a bonus at 100%")]),
        "no_target": Meter("Services", 1_250_000, 0, "$12,500", "", []),
        "bars": [Bar(month, minor) for month, minor in zip(MONTHS, PAID, strict=True)],
        "paid": sum(PAID),
        "facts": [
            Fact("Budget used after this", "81.3% of $5.2M"),
            Fact("Ledger", "balanced, 1,236 postings", url="#"),
            Fact("Recomputed just now", "no differences"),
            Fact("Waiting for data", "0 deals", note="since 11:20"),
        ],
        "steps": [
            Step(
                "Deal value, after the margin throttle (margin 31%, above 20%: full credit)",
                "$37,000.00",
                "from the CRM, 11 Nov 16:42",
                "#",
            ),
            Step(
                "Your share of the deal, 90% (Versie Hillebrand has 10%)",
                "$33,300.00",
                "split set by your manager on 10 Nov",
            ),
            Step(
                "Position in the quarter: from $249,560.00 to $282,860.00 of $340,000.00",
                "73.4% → 83.2%",
                "sixth of 14 credits",
                "#",
                "The others",
            ),
            Step("Rate of the tier", "8%"),
            Step("Earned", "$2,664.00", result=True),
        ],
        "chain": [
            ChainStep("Prepared", "done", "Ana Ruiz, 11:20"),
            ChainStep("Regions confirmed", "done", "3 of 3"),
            ChainStep("Your approval", "current"),
            ChainStep("Posted"),
            ChainStep("Paid"),
        ],
        "events": [
            Event(now, "Approved $418,260.14 for 35 people", "Tomas Berg, Finance", "digest 7f3a…c21e", "#", "good"),
            Event(
                now - dt.timedelta(minutes=165),
                "Sent back",
                "Tomas Berg, Finance",
                "Zane Levy's adjustment has no reason",
                tone="stop",
            ),
            Event(now - dt.timedelta(days=9), "Prepared", "Ana Ruiz, Sales Ops"),
            Event(now - dt.timedelta(days=400), "Plan published", "Ines Moreau, Sales Ops", "version 3"),
        ],
        "changes": [
            Change("Kan-code reached 50% of its contracted usage", 120_525, "USD", "second tranche released", "#"),
            Change("Konex corrected from $25,000 to $26,768", 14_144, "USD", "CRM, 09:12"),
            Change("Stanredtax refunded", -32_800, "USD", "taken back at the rate that earned it"),
        ],
        "lines": [
            ("Kan-code · GTX Pro", dt.date(2026, 11, 14), 4_821_000, 385_680, "approved", ""),
            ("Acme · MG Advanced", dt.date(2026, 11, 11), 3_330_000, 266_400, "waiting", "go-live, 9 Dec"),
            (
                "Konex Incorporated International Holdings · GTK 500",
                dt.date(2026, 11, 8),
                2_676_800,
                214_144,
                "held",
                "by Ana Ruiz: bank details",
            ),
            ("Stanredtax · refund", dt.date(2026, 11, 6), -410_000, -32_800, "reversed", ""),
        ],
        "states": (
            "estimated",
            "earned",
            "payable",
            "in_batch",
            "approved",
            "paid",
            "waiting",
            "held",
            "disputed",
            "reversed",
        ),
        "amounts": (
            (1_420_658, "USD"),
            (-41_230, "USD"),
            (0, "USD"),
            (None, "USD"),
            (1_234_567, "JPY"),
            (99_905, "CHF"),
            (-5, "EUR"),
            (12_345_678_901, "KWD"),
        ),
        "tabs": [
            Link("In words", "#", True),
            Link("Rates and tiers", "#"),
            Link("Quotas", "#", count=35),
            Link("People", "#", count=0),
            Link("Examples", "#"),
            Link("History", "#"),
        ],
        "crumbs": [Link("Plans", "#"), Link("New business 2026", "#")],
        "old": OLD_PLAN,
        "new": NEW_PLAN,
        "raw": RAW,
        "form": filled,
        "filters": FilterForm(),
        "page_obj": Paginator(range(212), 20).get_page(request.GET.get("page", 3)),
        "calculated_at": now,
        "data_at": now - dt.timedelta(minutes=1),
        "period_closes": dt.date(now.year, 11, 30),
    }
