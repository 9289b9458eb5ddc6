"""The components, as template tags: `{% load comp %}`. The page /design/ shows each of them.

Tags that hold content are closed by `end` and their name. Whatever a page hands over is escaped unless it is markup
made by another component.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django import template
from django.core.paginator import Page
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, Form, RadioSelect
from django.template.defaultfilters import date as date_text
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from comp.core.money import format_money, split_for_display
from comp.web import icons, parts
from comp.web.once import FIELD, once_token

register = template.Library()
register.simple_tag(icons.icon, name="icon")
register.simple_tag(parts.percent, name="percent")


def part(name: str) -> str:
    return f"components/{name}.html"


@register.simple_tag
def once() -> SafeString:
    """In a form whose answer shows something a single time (comp.web.once)."""
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, once_token())


# Numbers and times


@register.simple_tag
def money(minor: int | None, currency: str, sign: bool = False, hero: bool = False) -> SafeString:
    """An amount in minor units. `sign` puts a plus before gains (for differences), `hero` sets the cents small."""
    if minor is None:
        return mark_safe('<span class="money none">none</span>')
    kind = "money neg" if minor < 0 else "money"
    if not hero:
        return format_html(
            '<span class="{}">{}{}</span>', kind, "+" if sign and minor > 0 else "", format_money(minor, currency)
        )
    at = split_for_display(minor, currency)
    symbol = at.symbol + ("\N{NO-BREAK SPACE}" if at.symbol[-1:].isalpha() else "")
    opened, closed = ("(", ")") if minor < 0 else ("", "")
    lead = f"{at.sign or ('+' if sign and minor > 0 else '')}{opened}{symbol}{at.whole}"
    cents = format_html('<span class="cents">{}{}{}</span>', at.point, at.cents, closed) if at.cents else closed
    return format_html('<span class="{} amount">{}{}</span>', kind, lead, cents)


@register.simple_tag
def rate(value: Decimal | None) -> str:
    """A rate of exchange, with the decimals that it has; nothing where there is none."""
    return "" if value is None else f"{value.normalize():f}"


@register.simple_tag
def when(moment: dt.datetime | None) -> SafeString | str:
    """A moment in the tenant's time zone, as short as it can be: today only the time, this year without the year."""
    if moment is None:
        return ""
    local, now = timezone.localtime(moment), timezone.localtime()
    if local.date() == now.date():
        short = date_text(local, "H:i")
    else:
        short = date_text(local, "j M H:i" if local.year == now.year else "j M Y")
    full = date_text(local, "l j F Y, H:i:s T")
    return format_html('<time class="nowrap" datetime="{}" title="{}">{}</time>', moment.isoformat(), full, short)


@register.simple_tag
def day(date: dt.date | None, long: bool = False) -> SafeString | str:
    """A calendar day, "30 Nov" or long "30 November"; the year only when it is another one."""
    if date is None:
        return ""
    form = ("j F" if long else "j M") + ("" if date.year == timezone.localdate().year else " Y")
    return format_html('<time class="nowrap" datetime="{}">{}</time>', date.isoformat(), date_text(date, form))


# States


#: A badge of at most so many characters stands on one line, however narrow its column is made.
ONE_LINE = 28


@register.simple_tag
def badge(text: str, tone: str = "", icon: str = "") -> SafeString:
    """A word with an icon. Tones: good, done, wait, stop, info, plain or none."""
    short = " nowrap" if len(text) <= ONE_LINE else ""
    return format_html('<span class="badge {}{}">{}{}</span>', tone, short, icons.icon(icon, 16) if icon else "", text)


@register.simple_tag
def state_badge(state: str, text: str = "") -> SafeString:
    """The state of money in the one vocabulary, with its cause: `{% state_badge "waiting" "go-live, 9 Dec" %}`."""
    known = parts.money_state(state)
    return badge(f"{known.word}: {text}" if text else known.word, known.tone, known.icon)


# Big pieces


@register.simple_block_tag
def hero(
    content: str, over: str, minor: int | None, currency: str, state: str = "", text: str = "", level: int = 1
) -> SafeString:
    """The page's one big number: what it is, the amount, its state, and in the content one sentence that says why.

    `over` is the page's h1 (empty the block `header` then), or a lower heading by `level`.
    """
    return format_html(
        '<section class="hero"><h{0} class="over">{1}</h{0}><div>{2}</div><p class="say">{3} {4}</p></section>',
        int(level),
        over,
        money(minor, currency, hero=True),
        state_badge(state, text) if state else "",
        mark_safe(content),
    )


@register.simple_block_tag
def card(content: str, title: str = "", aside: str = "", url: str = "", id: str = "") -> SafeString:
    """A sheet of paper with a title; `aside` is a remark or, with `url`, a link at the title's right."""
    remark = format_html('<a href="{}">{}</a>', url, aside) if url else format_html("<span>{}</span>", aside)
    head = format_html("<header><h2>{}</h2>{}</header>", title, remark if aside else "") if title else ""
    mark = format_html(' id="{}"', id) if id else ""
    return format_html('<section class="card"{}>{}{}</section>', mark, head, mark_safe(content))


@register.simple_block_tag
def note(content: str, tone: str = "", icon: str = "information-circle") -> SafeString:
    """A remark across the page, for what needs the reader; tone wait, good, stop or none. A button may follow."""
    return format_html('<div class="note-box {}">{}{}</div>', tone, icons.icon(icon, 20), mark_safe(content))


@register.inclusion_tag(part("way"))
def way(steps: Sequence[parts.WayStep], label: str = "This period's money by state") -> dict[str, Any]:
    """The track of money by state, each amount a link to its lines."""
    return {"steps": steps, "label": label}


@register.inclusion_tag(part("meter"))
def meter(meter: parts.Meter) -> dict[str, Any]:
    """Attainment: percent, target, a bar with tier marks and a pace marker, the tiers in words."""
    if not meter.drawn:
        return {"meter": meter}
    tiers = meter.reached()
    return {
        "meter": meter,
        "tiers": tiers,
        "marks": [meter.place(tier.at) for tier in meter.tiers if tier.at > 0],
        "fill": meter.place(meter.exact),
        "pace_at": None if meter.pace is None else meter.place(meter.pace),
        "pace": None if meter.pace is None else f"{meter.pace.normalize():f}%",
    }


@register.inclusion_tag(part("bars"))
def bars(bars: Sequence[parts.Bar], currency: str, title: str, total: int | None = None) -> dict[str, Any]:
    """The last payouts as bars, oldest first, with the figures in a table for those who cannot see bars."""
    top, low = max([0, *(b.minor for b in bars)]), min([0, *(b.minor for b in bars)])
    span = (top - low) or 1
    wide = 100 / max(len(bars), 1)

    def at(minor: int) -> int:
        """Where an amount lies, in ten-thousandths of the height from the top."""
        return (top - minor) * 10_000 // span

    drawn = []
    for index, bar in enumerate(bars):
        upper, lower = sorted((at(bar.minor), at(0)))
        kind = "bar neg" if bar.minor < 0 else "bar last" if index == len(bars) - 1 else "bar"
        place = {"x": f"{index * wide + wide * 0.12:.2f}%", "width": f"{wide * 0.76:.2f}%"}
        place |= {"y": f"{upper / 100:.2f}%", "height": f"{max(lower - upper, 150) / 100:.2f}%"}
        drawn.append({"bar": bar, "kind": kind, **place})
    words = ""
    if bars:
        first, last = bars[0], bars[-1]
        words = (
            f"{len(bars)} payouts, from {format_money(first.minor, currency)} in {first.label} "
            f"to {format_money(last.minor, currency)} in {last.label}"
        )
    return {
        "bars": drawn,
        "zero": f"{at(0) / 100:.2f}%" if low < 0 else "",
        "currency": currency,
        "title": title,
        "words": words,
        "total": total,
        "first": bars[0].label if bars else "",
        "last": bars[-1].label if bars else "",
    }


@register.inclusion_tag(part("facts"))
def facts(facts: Iterable[parts.Fact]) -> dict[str, Any]:
    """Names and values side by side."""
    return {"facts": facts}


@register.inclusion_tag(part("steps"))
def steps(steps: Sequence[parts.Step]) -> dict[str, Any]:
    """Numbered arithmetic, each input named and linked, the result below a line."""
    return {"steps": steps}


@register.inclusion_tag(part("chain"))
def chain(steps: Sequence[parts.ChainStep], label: str = "Approval") -> dict[str, Any]:
    """Who has to agree, who did, and whose turn it is."""
    return {"steps": steps, "label": label}


@register.inclusion_tag(part("timeline"))
def timeline(events: Sequence[parts.Event]) -> dict[str, Any]:
    """What happened, with time, person and details."""
    return {"events": events}


@register.inclusion_tag(part("changes"))
def changes(changes: Sequence[parts.Change]) -> dict[str, Any]:
    """Differences since the last visit, each with its amount and cause."""
    return {"changes": changes}


@register.inclusion_tag(part("empty"))
def empty_state(
    title: str, text: str, action_url: str = "", action_label: str = "", icon: str = "inbox"
) -> dict[str, Any]:
    """What a list says when nothing is in it, and what to do next."""
    return {"title": title, "text": text, "action_url": action_url, "action_label": action_label, "icon": icon}


@register.inclusion_tag(part("calculated"))
def calculated(
    at: dt.datetime | None, data_at: dt.datetime | None = None, closes: dt.date | None = None
) -> dict[str, Any]:
    """How fresh the figures are: "Calculated 14:05 from data of 14:04. The period closes on 30 November."""
    return {"at": at, "data_at": data_at, "closes": closes}


# Tables and lists


@register.simple_block_tag
def table(
    content: str,
    caption: str,
    count: str = "",
    csv: str = "",
    more: str = "",
    more_label: str = "Show all",
    quiet: bool = False,
    stack: bool = True,
) -> SafeString:
    """A table around its `<thead>`, `<tbody>`, `<tfoot>`. Below it the count in words, a link to more, and CSV.

    `quiet` keeps the caption for screen readers only. In a narrow place each row becomes a block: mark cells `key` (the
    number at the right), `row` (a line of its own), `aside` (left out), or give them a `data-label`.
    """
    under = [
        format_html("<span>{}</span>", count) if count else "",
        format_html('<a href="{}">{}</a>', more, more_label) if more else "",
        format_html('<a href="{}" download>CSV<span class="unseen"> of {}</span></a>', csv, caption) if csv else "",
    ]
    below = format_html('<p class="under">{}{}{}</p>', *under) if any(under) else ""
    return format_html(
        '<div class="table{}"><table><caption{}>{}</caption>{}</table>{}</div>',
        " stack" if stack else "",
        mark_safe(' class="unseen"') if quiet else "",
        caption,
        mark_safe(content),
        below,
    )


@register.inclusion_tag(part("pages"), takes_context=True)
def pages(context: template.Context, page_obj: Page[Any], name: str = "page", label: str = "Pages") -> dict[str, Any]:
    """Paging with an honest count ("41–60 of 212"), keeping the rest of the address. See comp.web.paging.

    `label` tells several lists of one page apart.
    """
    paginator = page_obj.paginator
    query = context["request"].GET.copy()
    query.pop(name, None)

    def url(number: int) -> str:
        query[name] = str(number)
        return f"?{query.urlencode()}"

    links = [
        (number, url(number) if isinstance(number, int) else "")
        for number in paginator.get_elided_page_range(page_obj.number, on_each_side=1, on_ends=1)
    ]
    return {
        "page": page_obj,
        "label": label,
        "count": paginator.count,
        "links": links if paginator.num_pages > 1 else [],
        "before": url(page_obj.number - 1) if page_obj.has_previous() else "",
        "after": url(page_obj.number + 1) if page_obj.has_next() else "",
    }


@register.inclusion_tag(part("tabs"))
def tabs(links: Sequence[parts.Link], label: str) -> dict[str, Any]:
    """Views of one thing, as links."""
    return {"links": links, "label": label}


@register.inclusion_tag(part("crumbs"))
def crumbs(links: Sequence[parts.Link]) -> dict[str, Any]:
    """The way back up; the page itself is not in it."""
    return {"links": links}


# Text as it is


@register.inclusion_tag(part("diff"))
def diff_lines(old: str, new: str, label: str = "Changes", around: int = 3) -> dict[str, Any]:
    """Two texts compared line by line, with + and − marks, and `around` equal lines beside each change."""
    return {"lines": list(_diff(old.splitlines(), new.splitlines(), around)), "label": label}


def _diff(old: list[str], new: list[str], around: int) -> Iterator[dict[str, Any]]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(around)):
        if number:
            yield {"kind": "gap"}
        for kind, a1, a2, b1, b2 in group:
            if kind == "equal":
                for step in range(a2 - a1):
                    yield {"kind": "same", "old": a1 + step + 1, "new": b1 + step + 1, "text": old[a1 + step]}
                continue
            for line in range(a1, a2):
                yield {"kind": "minus", "old": line + 1, "text": old[line]}
            for line in range(b1, b2):
                yield {"kind": "plus", "new": line + 1, "text": new[line]}


@register.inclusion_tag(part("json"))
def json_block(value: object, label: str = "Raw data") -> dict[str, Any]:
    """Raw data as it came, set out for reading. Text that is no JSON is shown as it is."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value).decode("utf-8", errors="backslashreplace")
    if isinstance(value, str):
        try:
            # Numbers stay the text that was sent: 25000.00 must not become 25000.0.
            text = _laid_out(json.loads(value, parse_float=_Number, parse_int=_Number))
        except (ValueError, RecursionError):
            text = value
    else:
        text = _laid_out(value)
    # Half of a surrogate pair stays as it was written: no page could be sent with it.
    return {"text": text.encode("utf-8", "backslashreplace").decode(), "label": label}


class _Number(str):
    """A number of the raw data, digit by digit."""


def _laid_out(value: object, indent: str = "") -> str:
    inner = indent + "  "
    match value:
        case _Number():
            return value
        case dict() if value:
            pairs = (
                f"{inner}{json.dumps(name, ensure_ascii=False)}: {_laid_out(one, inner)}" for name, one in value.items()
            )
            return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"
        case list() | tuple() if value:
            return "[\n" + ",\n".join(inner + _laid_out(one, inner) for one in value) + f"\n{indent}]"
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


# Regions that refresh, dialogs, forms


@register.simple_block_tag
def live(content: str, id: str, url: str, version: object, every: int = 5, announce: str = "") -> SafeString:
    """A region that asks `url` every so many seconds and is replaced when its version is another one.

    The address answers by comp.web.live.live_response with this same tag around the new content. `every=0` stops.
    """
    ask = ""
    if every:
        joined = f"{url}{'&' if '?' in url else '?'}v={quote(str(version), safe='')}"
        ask = format_html(' hx-get="{}" hx-trigger="every {}s" hx-swap="outerHTML"', joined, every)
    said = format_html(' data-announce="{}"', announce) if announce else ""
    return format_html('<div class="live" id="{}"{}{}>{}</div>', id, ask, said, mark_safe(content))


@register.simple_block_tag
def dialog(content: str, id: str, title: str, button: str, style: str = "", url: str = "") -> SafeString:
    """A button and the dialog it opens, without script. `url` is the same as a page, for those without dialogs."""
    other = format_html('<noscript><a href="{}">{}, on a page of its own</a></noscript>', url, button) if url else ""
    return format_html(
        '<button type="button" class="button {style}" command="show-modal" commandfor="{id}">{button}</button>{other}'
        '<dialog id="{id}" aria-labelledby="{id}-title"><div><header><h2 id="{id}-title">{title}</h2>'
        '<button type="button" class="close" command="close" commandfor="{id}" aria-label="Close">{cross}</button>'
        "</header>{content}</div></dialog>",
        id=id,
        title=title,
        button=button,
        style=style,
        other=other,
        cross=icons.icon("x-mark", 20),
        content=mark_safe(content),
    )


@register.inclusion_tag(part("field"))
def field(field: BoundField, label: str = "") -> dict[str, Any]:
    """A form's field: label, the input, help and errors, tied together for screen readers."""
    widget = field.field.widget
    many = isinstance(widget, (RadioSelect, CheckboxSelectMultiple))
    return {
        "field": field,
        "label": label or field.label,
        "check": isinstance(widget, CheckboxInput),
        "many": many,
        "hidden": field.is_hidden,
    }


@register.inclusion_tag(part("fields"))
def fields(form: Form) -> dict[str, Any]:
    """All fields of a form, its general errors first."""
    return {"form": form}
