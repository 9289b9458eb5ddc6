"""What is asked of every page: its policy kept, nothing that axe calls serious, nothing raw, nothing cut off."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
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

    def axe(self) -> None:
        """What axe finds serious or critical."""
        for one in Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]:
            if one["impact"] in LOUD:
                self.note(f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}")


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
