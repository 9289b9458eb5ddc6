"""The library's templates: plan documents to start from, in groups, each with worked examples. Pure (docs/plans.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from plans.rules.load import read_yaml

FOLDER = Path(__file__).parent / "library" / "templates"

#: Groups in the order they are shown, with their templates and what each is for.
GROUPS: dict[str, dict[str, str]] = {
    "Winning customers": {
        "new-business": "A share of each deal, more beyond the quota, and more for large deals.",
        "early-stage": "One-time bonuses for demos, proofs of concept and multi-year contracts, with a ramp.",
        "qualified-leads": "Pay for each lead that sales accepts, by how many of them convert.",
        "deal-finalisation": "Paid in steps: contract signed, agreement formal, revenue recognised.",
        "spiff": "A bonus and a contest for a launch: a window, an audience and a budget.",
    },
    "Growing and keeping customers": {
        "expansion": "Upsell and cross-sell at their own rates, and an incentive on recurring revenue gained.",
        "retention": "An incentive on the recurring revenue retained, and renewals that pay while few leave.",
        "usage-tiers": "Paid as customers use 25%, 50% and 75% of what they contracted, and by what they consume.",
        "collections": "By how fast and how steadily customers pay, with days sales outstanding.",
    },
    "Delivering value": {
        "implementation": "An amount for kick-off, deployment and go-live, by size of the deal and by punctuality.",
        "time-to-value": "By the days from closing to first value.",
        "satisfaction": "By the average satisfaction score, once enough customers have answered.",
    },
    "Goals, teams and managers": {
        "goals": "Personal goals by their weights, beside the company's goal.",
        "scorecard": "Weighted measures on one card, with gates.",
        "team-pool": "Sales and customer success share a pool and a goal.",
        "manager-override": "A share of what the people below earn.",
    },
    "Partners and agents": {
        "partner-referral": "A fee for customers that a partner registers, as they pay.",
        "reseller-margin": "A margin that grows over the year and shrinks with discounts.",
        "co-sell": "Partner, account executive and partner manager credited for one deal, within a limit.",
        "residual": "A recurring share of what customers pay, with a draw that is recovered.",
    },
    "Pay by outcome": {
        "hunter": "75% of variable pay for closing, 25% for adoption.",
        "hunter-farmer": "Half of variable pay for closing, half for adoption.",
        "farmer": "33% of variable pay for renewals, 67% for usage.",
        "outcome-transition-1": "The first of three versions of one plan: a quarter of variable pay hangs on outcomes.",
        "outcome-transition-2": "The second version: half of variable pay hangs on outcomes.",
        "outcome-transition-3": "The third version: 70% of variable pay hangs on outcomes.",
        "closing-and-consumption": "A bonus at signature, the major part once 75% is consumed.",
    },
}


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example's name and its arithmetic in words."""

    name: str
    arithmetic: str


@dataclass(frozen=True, slots=True)
class Template:
    """`key` names the template, `plan_key` the plan that its document is a version of. `text` is YAML with comments."""

    key: str
    plan_key: str
    title: str
    sentence: str
    group: str
    text: str

    @property
    def examples(self) -> tuple[Example, ...]:
        """In document order, as `examples` of the document has them."""
        return tuple(
            Example(name, " ".join(line.strip(" #") for line in comment.splitlines()))
            for comment, name in _EXAMPLE.findall(self.text)
        )


#: The comment that stands before an example, and the example's name.
_EXAMPLE = re.compile(r"^((?:  # .*\n)+)  - name: (.*)$", re.MULTILINE)


@cache
def templates() -> tuple[Template, ...]:
    """All templates, in the order of their groups."""
    found = []
    for group, members in GROUPS.items():
        for key, sentence in members.items():
            text = (FOLDER / f"{key}.yaml").read_text()
            document = read_yaml(text)
            found.append(Template(key, document["key"], document["name"], sentence, group, text))
    return tuple(found)


def template(key: str) -> Template | None:
    """The template of that key, None where there is none."""
    return next((each for each in templates() if each.key == key), None)
