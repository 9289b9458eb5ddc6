"""What is asked of every page: its policy kept, nothing that axe calls serious, nothing raw, nothing cut off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page

#: Set before any script of the page runs, and not subject to its policy.
LISTEN = """
window.breaches = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.breaches.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
RAW = re.compile(r"\{\{|\{%|\bNone\b|\bundefined\b|\bNaN\b")
OTHERS_WORDS = "pre, script, textarea, nav.pages"  # the last says None of no rows
LOUD = ("serious", "critical")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
#: Rules whose answer depends on colours, and those whose answer depends on widths: the others ask for the document.
COLOURS, WIDTHS = ("color-contrast",), ("target-size", "scrollable-region-focusable")
#: What axe judges an element by: those that it stands within, its and their attributes (of some the values too), which
#: kinds of elements it holds, whether it says something, has a label, and whether what it names by id is there; what it
#: says, and how often the like is there, makes no difference. Gives a digest for each such element, with one of how it
#: is painted where it says something (else 0), and keeps the first that has it.
ELEMENTS = """
() => {
  const told = ["class", "type", "role", "style", "lang", "disabled", "checked", "aria-hidden", "aria-current"];
  const digest = (text) => [...text].reduce((sum, letter) => (Math.imul(31, sum) + letter.charCodeAt(0)) | 0, 7);
  const named = ["id", "for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "headers"];
  const ids = (element) => named.flatMap((name) => (element.getAttribute(name) || "").split(" ").filter(Boolean));
  const there = (id) => document.querySelectorAll(`#${CSS.escape(id)}`).length;
  const blank = (element) => ["alt", "aria-label", "title"].filter((name) => element.getAttribute(name)?.trim() === "");
  const painted = new Map();
  window.met = new Map();
  const walk = (element, above) => {
    const attributes = [...element.attributes].map((a) => told.includes(a.name) ? `${a.name}=${a.value}` : a.name);
    const path = digest(`${above}>${element.localName}[${attributes.sort()}]`);
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const holds = new Set([...element.children].map((child) => child.localName));
    const means = `${ids(element).map(there)} ${blank(element)} ${element.labels?.length > 0}`;
    const own = digest(`${path} ${says} ${!element.textContent.trim()} ${[...holds].sort()} ${means}`);
    if (!window.met.has(own)) window.met.set(own, element === document.body ? document.documentElement : element);
    painted.set(own, says || ["input", "select", "textarea"].includes(element.localName) ? path : 0);
    for (const child of element.children) walk(child, path);
  };
  const head = [...document.querySelectorAll("meta[name=viewport]")].map((meta) => meta.content);
  walk(document.body, `${document.documentElement.lang} ${!document.title} ${head}`);
  return [...painted];
}
"""
#: Elements that axe has judged in this process: a row more or another name is not judged again.
judged: set[int] = set()
#: What was held against its background already: by far the dearest of axe's rules.
held: set[int] = {0}


@dataclass
class Eyes:
    """A page that is watched, and all that was found on its way."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def open(self, path: str, status: int = 200) -> None:
        answer = self.page.goto(path)
        if answer is None or answer.status != status:
            self.note(f"status {answer and answer.status}, expected {status}")

    def note(self, fault: str) -> None:
        self.faults.append(f"{self.page.url}: {fault}")

    def policy(self) -> None:
        """Breaches since the page was opened."""
        for breach in self.page.evaluate("window.breaches"):
            self.note(f"breach of the policy: {breach}")

    def text(self) -> None:
        """Nothing of a template shows, nor a value that is none. Bodies and plan texts are other people's words."""
        shown = self.page.evaluate(
            "(others) => [...document.querySelectorAll('main, title')].map((e) => {"
            " const c = e.cloneNode(true); c.querySelectorAll(others).forEach((p) => p.remove());"
            " return c.textContent }).join('\\n')",
            OTHERS_WORDS,
        )
        for found in sorted(set(RAW.findall(shown))):
            self.note(f"raw {found!r}")

    def width(self) -> None:
        """Nothing reaches beyond the window's side."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.note(f"{wide} px wider than the window")

    def axe(self, elements: Sequence[int], *, only: Sequence[str] = (), without: Sequence[str] = ()) -> None:
        """What axe finds serious or critical in these elements, by these rules or by all without some."""
        rules = {"runOnly": list(only)} if only else {"rules": {name: {"enabled": False} for name in without}}
        for one in violations(self.page, rules, elements):
            if one["impact"] in LOUD:
                self.note(f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}")

    def everything(self) -> None:
        """The page at both widths and in both lights; by axe where no element of this kind was judged before."""
        self.text()
        self.width()
        painted = dict(self.page.evaluate(ELEMENTS))
        new, colours = painted.keys() - judged, set(painted.values()) - held
        judged.update(new)
        held.update(colours)
        if new:
            self.axe([*new], without=() if colours else COLOURS)
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        self.width()
        if new:
            self.page.emulate_media(color_scheme="dark")
            self.axe([*new], only=(*WIDTHS, *COLOURS) if colours else WIDTHS)
            self.page.emulate_media(color_scheme="light")
        self.policy()
        self.page.set_viewport_size(DESK)  # type: ignore[arg-type]


def violations(page: Page, options: dict[str, Any], elements: Sequence[int] = ()) -> Sequence[dict[str, Any]]:
    """What axe finds on the page as it stands: in all of it, or in what ELEMENTS met by these digests."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(
        "([elements, options]) => axe.run("
        " elements.length ? {include: elements.map((own) => window.met.get(own)).filter((one) => one.isConnected)}"
        "   : document,"
        " {...options, resultTypes: ['violations'], selectors: false, preload: false}"
        ").then((found) => found.violations)",
        [list(elements), options],
    )
    return found


def watched(context: BrowserContext) -> Eyes:
    """A new page of the context, with its console heard too."""
    context.add_init_script(LISTEN)
    eyes = Eyes(context.new_page())

    def hear(kind: str, text: str) -> None:
        # A refused address says so in its status, which is looked at by itself.
        if kind in ("error", "warning") and "the server responded with a status of" not in text:
            eyes.note(f"console: {text}")

    eyes.page.on("console", lambda line: hear(line.type, line.text))
    eyes.page.on("pageerror", lambda error: hear("error", str(error)))
    return eyes
