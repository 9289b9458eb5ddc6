"""What looks at every page finds what is wrong with one, and judges an element that comes again by its first."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import looking

pytestmark = pytest.mark.browser

PAGE = '<!doctype html><html lang="en"><title>Pay</title><body><main><h1>Pay</h1>{}</main></body></html>'


def test_each_fault_is_seen_once(chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "judged", set())
    monkeypatch.setattr(looking, "held", {0})

    def found(inside: str) -> list[str]:
        with chromium.new_context(viewport=looking.DESK) as context:  # type: ignore[arg-type]
            eyes = looking.watched(context)
            eyes.page.set_content(inside if inside.startswith("<!doctype") else PAGE.replace("{}", inside))
            eyes.everything()
            return [fault.removeprefix("about:blank: ").partition(":")[0] for fault in eyes.faults]

    assert found("<p>Ann is paid.</p>") == []
    assert found("<p>Ann is paid.</p><p>Ben is paid.</p>") == []
    assert found("<p>Ann is paid.</p><button></button>") == ["button-name"]
    assert found("<p>Ann is paid.</p><button></button>") == [], "judged before"
    assert found("<p>Ann is paid.</p><button>Pay</button>") == [], "the like that says something is another"
    assert found("<button class=new></button>") == ["button-name"]
    assert found('<label for="name">Name</label><input id="name">') == []
    assert found('<label for="names">Name</label><input id="name">') == ["label"], "what it names is not there"
    assert found('<input aria-label="Name">') == [] and found('<input aria-label=" ">') == ["label"]
    pale = '<p style="color: #999; background: #fff">Ann MORE</p>'
    assert found(pale) == found(pale.replace("MORE", " <b>is paid</b>")) == ["color-contrast"] * 2, "in both lights"
    assert found(pale) == [], "judged before"
    assert found(PAGE.replace("Pay</title>", "</title>")) == ["document-title"]
    assert found("<p>{{ name }}</p>") == ["raw '{{'"]
    wide = found('<p style="width: 1000px">Ann</p>')
    assert len(wide) == 1 and wide[0].endswith("px wider than the window"), "at phone width alone"
