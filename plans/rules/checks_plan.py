"""What concerns the plan as a whole: proration, overrides, the settlement. See plans.rules.checks."""

from __future__ import annotations

from plans.rules.about import About
from plans.rules.look import Look
from plans.rules.values import Document


def check_whole(look: Look, plan: Document, known: About) -> None:
    """Report what is wrong with the plan as a whole."""
