"""Each component, drawn alone: what it says, what it escapes, what it refuses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django import forms
from django.core.paginator import Paginator
from django.utils import timezone

from comp.web.pages import _context
from comp.web.parts import MONEY_STATES, Bar, ChainStep, Event, Fact, Meter, Step, Tier, WayStep, percent
from tests.web.conftest import Draw

EVIL = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ('{% money 1420658 "USD" %}', '<span class="money">$14,206.58</span>'),
        ('{% money -41230 "USD" %}', '<span class="money neg">−($412.30)</span>'),
        ('{% money 14144 "USD" sign=True %}', '<span class="money">+$141.44</span>'),
        ('{% money -14144 "USD" sign=True %}', '<span class="money neg">−($141.44)</span>'),
        ('{% money 0 "USD" sign=True %}', '<span class="money">$0.00</span>'),
        ('{% money None "USD" %}', '<span class="money none">none</span>'),
        ('{% money 1234567 "JPY" %}', '<span class="money">¥1,234,567</span>'),
        (
            '{% money 1420658 "USD" hero=True %}',
            '<span class="money amount">$14,206<span class="cents">.58</span></span>',
        ),
        ('{% money -5 "USD" hero=True %}', '<span class="money neg amount">−($0<span class="cents">.05)</span></span>'),
        ('{% money -500 "JPY" hero=True %}', '<span class="money neg amount">−(¥500)</span>'),
        (
            '{% money 99905 "CHF" hero=True %}',
            '<span class="money amount">CHF\xa0999<span class="cents">.05</span></span>',
        ),
    ],
)
def test_money_shows_currency_sign_and_all_cents(draw: Draw, tag: str, shown: str) -> None:
    assert draw(tag) == shown


def test_every_state_of_money_has_its_word_and_an_icon(draw: Draw) -> None:
    for key, state in MONEY_STATES.items():
        html = draw("{% state_badge key %}", key=key)
        assert state.word in html and "<svg" in html
    assert "Waiting: go-live, 9 Dec" in draw('{% state_badge "waiting" "go-live, 9 Dec" %}')
    assert "In batch" in draw('{% state_badge "In batch" %}')


def test_an_unknown_state_is_refused_by_name(draw: Draw) -> None:
    with pytest.raises(ValueError, match="found 'lost', allowed are estimated"):
        draw('{% state_badge "lost" %}')


def test_what_a_page_hands_over_is_escaped(draw: Draw) -> None:
    drawn = [
        draw('{% state_badge "held" text %}', text=EVIL),
        draw("{% badge text %}", text=EVIL),
        draw("{% card text text %}x{% endcard %}", text=EVIL),
        draw("{% facts facts %}", facts=[Fact(EVIL, EVIL, EVIL)]),
        draw("{% steps steps %}", steps=[Step(EVIL, EVIL, EVIL)]),
        draw("{% timeline events %}", events=[Event(timezone.now(), EVIL, EVIL, EVIL)]),
        draw("{% chain steps %}", steps=[ChainStep(EVIL, note=EVIL)]),
        draw("{% empty_state text text text text %}", text=EVIL),
        draw("{% table text count=text csv=text %}{{ text }}{% endtable %}", text=EVIL),
        draw("{% hero text 5 'USD' 'held' text %}{{ text }}{% endhero %}", text=EVIL),
        draw("{% dialog 'd' text text url=text %}{{ text }}{% enddialog %}", text=EVIL),
        draw("{% live 'l' text text announce=text %}{{ text }}{% endlive %}", text=EVIL),
        draw("{% diff_lines '' text %}", text=EVIL),
        draw("{% json_block text %}", text=EVIL),
        draw("{% json_block text %}", text={"a": EVIL}),
    ]
    for html in drawn:
        assert "&lt;script&gt;" in html or "%3Cscript%3E" in html
        assert EVIL not in html


def test_no_component_carries_inline_style_or_script(draw: Draw, rf) -> None:  # type: ignore[no-untyped-def]
    context = _context(rf.get("/"))
    html = draw(
        "{% way way %}{% meter meter %}{% meter over %}{% bars bars 'USD' 'Paid' %}{% facts facts %}{% steps steps %}"
        "{% chain chain %}{% timeline events %}{% changes changes %}{% diff_lines old new %}{% fields form %}",
        **context,
    )
    assert "style=" not in html and "<script" not in html and "onclick" not in html


# The bar


def meter(value: int, target: int, **rest: object) -> Meter:
    tiers = [Tier(Decimal(0), "8%"), Tier(Decimal(100), "12% from 100%")]
    return Meter("New business", value, target, "$92", "$100", tiers, **rest)  # type: ignore[arg-type]


def test_attainment_just_below_a_tier_never_reads_as_reached() -> None:
    assert percent(99_996, 100_000) == "99.9%"
    assert percent(-1, 3) == "−33.4%"
    assert percent(5, 0) == "none"
    assert [now for _, now in meter(9_999, 10_000).reached()] == [True, False]
    assert [now for _, now in meter(10_000, 10_000).reached()] == [False, True]


def test_the_bar_says_in_words_what_it_draws(draw: Draw) -> None:
    html = draw("{% meter meter %}", meter=meter(92, 100, pace=Decimal("55.0")))
    assert 'aria-label="New business: 92.0% of $100; pace for today 55%"' in html
    assert 'width="88.46%"' in html and 'cx="52.88%"' in html
    assert '<span class="reached">8%</span>' in html


def test_a_negative_value_draws_an_empty_bar_and_a_missing_target_none(draw: Draw) -> None:
    assert 'class="fill" x="0" y="6" width="0.00%"' in draw("{% meter meter %}", meter=meter(-5, 100))
    html = draw("{% meter meter %}", meter=meter(5, 0))
    assert "no target set" in html and "<svg" not in html


def test_bars_keep_the_figures_in_a_table(draw: Draw) -> None:
    html = draw("{% bars bars 'USD' 'Paid' total=50 %}", bars=[Bar("Oct", 100), Bar("Nov", -50)])
    assert "2 payouts, from $1.00 in Oct to −($0.50) in Nov" in html
    assert '<th scope="row">Nov</th><td><span class="money neg">−($0.50)</span></td>' in html
    assert 'y="0.00%" width="38.00%" height="66.66%"' in html
    assert 'class="bar neg"' in html
    assert "No payout yet" in draw("{% bars bars 'USD' 'Paid' %}", bars=[])


def test_the_track_links_each_state_to_its_lines(draw: Draw) -> None:
    html = draw(
        "{% way steps %}", steps=[WayStep("paid", 816_114, "USD", "on 31 October", "/lines/?state=paid", current=True)]
    )
    assert 'class="now"' in html and 'href="/lines/?state=paid"' in html and "Paid" in html


# Times


def test_times_are_as_short_as_they_can_be(draw: Draw) -> None:
    now = timezone.now()
    with timezone.override(dt.UTC):
        today = now.replace(hour=14, minute=5)
        assert ">14:05</time>" in draw("{% when at %}", at=today)
        old = dt.datetime(2019, 3, 4, 10, 0, tzinfo=dt.UTC)
        assert ">4 Mar 2019</time>" in draw("{% when at %}", at=old)
        assert 'title="Monday 4 March 2019, 10:00:00 UTC"' in draw("{% when at %}", at=old)
    assert draw("{% when at %}", at=None) == ""
    assert ">30 November 2019</time>" in draw("{% day date long=True %}", date=dt.date(2019, 11, 30))


def test_times_follow_the_time_zone_of_the_tenant(draw: Draw) -> None:
    import zoneinfo

    with timezone.override(zoneinfo.ZoneInfo("Asia/Tokyo")):
        assert ">1 Jan 2020</time>" in draw("{% when at %}", at=dt.datetime(2019, 12, 31, 20, 0, tzinfo=dt.UTC))


# Lists


def test_paging_counts_honestly_and_keeps_the_filters(draw: Draw) -> None:
    page = Paginator(range(212), 20).get_page(3)
    html = draw("{% pages page_obj %}", page_obj=page, path="/lines/?state=paid&page=3")
    assert "41–60 of 212" in html
    assert 'href="?state=paid&amp;page=4" rel="next"' in html
    only = draw("{% pages page_obj %}", page_obj=Paginator(range(7), 20).get_page(1))
    assert "1–7 of 7" in only and "<a" not in only
    assert "None" in draw("{% pages page_obj %}", page_obj=Paginator([], 20).get_page(1))


def test_a_diff_marks_lines_and_folds_what_is_equal(draw: Draw) -> None:
    old = "\n".join(f"line {n}" for n in range(30))
    html = draw(
        "{% diff_lines old new %}", old=old, new=old.replace("line 3\n", "line three\n").replace("line 25", "line 25b")
    )
    assert "<del>line 3</del>" in html and "<ins>line three</ins>" in html and "…" in html
    assert "line 15" not in html
    assert "Nothing differs." in draw("{% diff_lines 'a' 'a' %}")


def test_raw_data_keeps_its_numbers_digit_by_digit(draw: Draw) -> None:
    html = draw(
        "{% json_block raw %}", raw=b'{"amount": 25000.00, "big": 12345678901234567890.10, "list": [1, {}], "no": null}'
    )
    assert "25000.00" in html and "12345678901234567890.10" in html and "null" in html
    assert "not json {" in draw("{% json_block raw %}", raw="not json {")
    assert "\\xff" in draw("{% json_block raw %}", raw=b"\xff")
    assert "\\ud800" in draw("{% json_block raw %}", raw=rb'{"a": "\ud800", "\ud800": 1}')
    for deep in (b"[" * 100_000, b"[" * 600 + b"]" * 600, b'{"a":' * 3000 + b"1" + b"}" * 3000):
        assert "Raw data" in draw("{% json_block raw %}", raw=deep)


# Regions and forms


def test_a_live_region_asks_with_the_version_it_shows(draw: Draw) -> None:
    html = draw("{% live 'pay' '/live/?a=1' 'r 7&' every=4 %}x{% endlive %}")
    assert 'hx-get="/live/?a=1&amp;v=r%207%26" hx-trigger="every 4s" hx-swap="outerHTML"' in html
    assert "hx-get" not in draw("{% live 'pay' '/live/' 7 every=0 %}x{% endlive %}")


class PlanForm(forms.Form):
    name = forms.CharField(label="Plan name", help_text="As people read it.")
    note = forms.CharField(required=False)


def test_a_field_ties_label_help_and_error_together(draw: Draw) -> None:
    html = draw("{% fields form %}", form=PlanForm({"name": ""}))
    assert '<label for="id_name">Plan name</label>' in html
    assert 'aria-invalid="true"' in html
    described = html.split('aria-describedby="')[1].split('"')[0].split()
    for ident in described:
        assert f'id="{ident}"' in html
    assert "id_name_error" in html and "id_name_helptext" in described
    assert "optional" in html


def test_a_dialog_opens_without_script_and_has_a_page_of_its_own(draw: Draw) -> None:
    html = draw("{% dialog 'ask' 'Really?' 'Approve' url='/approve/' %}<p>Yes</p>{% enddialog %}")
    assert 'command="show-modal" commandfor="ask"' in html
    assert '<dialog id="ask" aria-labelledby="ask-title">' in html
    assert '<noscript><a href="/approve/">' in html


def test_a_chain_step_in_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="found 'maybe', allowed are done, current, todo, refused"):
        ChainStep("Approve", "maybe")
