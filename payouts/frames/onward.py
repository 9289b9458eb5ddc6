"""Which plans pay a line by its own deal and by what lies before it alone: there a deal changes no line of an earlier
day, and only what stands from its day on is read and compared.

What a component may hold is named here; whatever else one holds is not onward. Of the rest of a plan a test names all
fields, so that a new one is looked at, and another alters deals of generated plans over all constructs and compares
what is credited before them (tests/unit/test_a_deal_changes_no_earlier_line.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from plans.rules.compiled import CompiledPlan, Component, Measure, Tiers
from plans.rules.specialise import stated

#: Of a component: what is asked below, and what a line has of its deal, its person and the calendar.
_ALLOWED = frozenset(
    {
        *("key", "name", "clause", "kind", "classes", "roles", "when", "eligible", "credit_unit", "order"),
        *("every", "measure", "quota", "quota_fixed", "missing_quota", "zero_quota", "below_zero", "ramp"),
        *("incentive", "missing_incentive", "tiers", "table", "curve", "accelerator", "bonus", "kickers"),
        *("limit_attainment", "limit_rate", "minimum", "cap", "caps", "release", "release_rate"),
    }
)
_NOTHING = (None, ())
#: By digest, which stands for the whole document.
_known: dict[str, bool] = {}
#: So many are remembered.
KNOWN = 1024


def onward(plans: Iterable[CompiledPlan]) -> bool:
    """Whether a deal changes no line of an earlier credit date than its own, by any of the plans."""
    return all(map(_is_known, plans))


def _is_known(plan: CompiledPlan) -> bool:
    found = _known.get(plan.digest)
    if found is None:
        found = _of_plan(plan)
        if len(_known) >= KNOWN:
            _known.clear()
        _known[plan.digest] = found
    return found


def _of_plan(plan: CompiledPlan) -> bool:
    return (
        plan.round_at != "total"
        # The version of a period's last credit says whether it restarts, and so parts the quota of those before.
        and plan.on_new_version == "carry"
        and not plan.caps
        and all(rule.fact == "deal" and rule.on_transfer is None for rule in plan.credit_rules)
        and all(map(_of_component, stated(plan)))
    )


def _of_component(component: Component) -> bool:
    others = (field.name for field in fields(Component) if field.name not in _ALLOWED)
    caps = [cap for cap in (component.cap, *component.caps) if cap is not None]
    return (
        component.kind in ("commission", "bonus", "incentive")
        and component.order == "credit_date"
        and component.release_rate == "fixed"
        and _of_measure(component.measure)
        and (component.tiers is None or _of_tiers(component.tiers))
        and all(cap.excess != "carried" and cap.of_component is None for cap in caps)
        and all(getattr(component, name) in _NOTHING for name in others)
    )


def _of_measure(measure: Measure) -> bool:
    return (measure.value, measure.of, measure.by) == ("sum", "own", "credit") and measure.window != "rolling"


def _of_tiers(tiers: Tiers) -> bool:
    return (
        tiers.mode in ("marginal", "each")
        and tiers.attribution != "proportional"
        and tiers.columns is None
        and all(tier.back in (None, "none") for tier in tiers.rates)
    )
