"""The JSON Schema (2020-12) of plan documents, for editors: docs/plan.schema.json, made from plans.rules.language by

    python -m plans.rules.schema > docs/plan.schema.json

It knows the form of a plan: keys, words, how values are written. What parts say together (sums, units, circles) only
`check` judges.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from plans.rules.conditions import JOINS, MAX_PARTS
from plans.rules.fields import MISSING_OPS, OPS
from plans.rules.forms import Schema
from plans.rules.language import PLAN
from plans.rules.look import MAX_SLUG

_NUMBER = r"^\s*-?[0-9]{1,15}(\.[0-9]{1,6})?\s*$"

#: What editors show at a key, wherever it stands.
_DESCRIPTIONS = {
    "accelerator": "Multiplies the earning of a line by the size of its deal; null for none.",
    "after": "Moves the trigger date: days, months (to a day of the month) or pay periods.",
    "after_posting": "What a later change does to figures that were posted: they stay, or are divided anew.",
    "amortise": "Spreads what was earned over months, as a schedule; moves no pay.",
    "attribution": "Whether retroactive lines show the step of the running total, or their share at the final rate.",
    "below_zero": "What a running total below zero earns.",
    "boundary": "Whether a value exactly on a bound belongs to the row above or below it.",
    "budget": "Shared by everybody on the plan, first come by the order of credits.",
    "cap": "The most that is earned; null for none.",
    "caps": "Further caps, each on what the one before left.",
    "catch_up": "Whether a gate that is met later releases what it held back.",
    "clause": "The sentence that a person signs.",
    "amounts_rate": "At which rate the amounts of a settlement are converted into the currency of pay.",
    "clawback": "How pay is taken back when a customer cancels, is refunded or does not pay.",
    "clawback_limit": "The most that clawbacks take of the pay of one pay period.",
    "computed": "Fields that are worked out from others, by an expression.",
    "counterpart": "At least, or at most, what the terms of another component would give.",
    "credit_date": "The date field that decides the measure period, the plan version and the order.",
    "currencies": "At which date pay is converted into the currency of a person.",
    "curve": "What is earned at each point, of attainment or of the measure itself.",
    "draw": "Pay in advance of earnings, or a guarantee.",
    "draws": "Several draws, each with a balance of its own.",
    "eligible": "Who takes part: a condition over the person as well.",
    "eligible_on": "The day as of which people are asked, whenever the credit comes.",
    "employment": "What leaving and leave do to credit and to releases.",
    "examples": "Worked examples: cases without a plan. A version is not published while one fails.",
    "excess": "What becomes of what is above a cap.",
    "fields": "Custom fields, with their types.",
    "floor": "The share of what was earned that no clawback takes.",
    "gates": "Another component has to reach something first.",
    "hold": "Credit that matches is held.",
    "holdback": "A share of each payout that is paid some pay periods later.",
    "incentive": "The key of a target incentive, kept like quotas.",
    "kickers": "Extra pay, a rate or an amount, for credit that meets a condition.",
    "kind": "What a component is.",
    "limits": "Caps on attainment or on the rate.",
    "measure": "What credits add up to, and over which time.",
    "minimum": "The least that is paid.",
    "missing_quota": "What happens while a person has no quota.",
    "modifiers": "Factors on the earning of a line, multiplied or added.",
    "on_new_version": "What a new version in mid-period does: carry on, restart, or rate all again.",
    "order": "The order of what follows: of credits, of the steps of a pay period, or of ranks.",
    "overrides": "What is different for a region, a title, a position or a person.",
    "pool": "An amount that is divided among everybody who takes part.",
    "proration": "How quotas and other quantities shrink for a part of a period.",
    "quota": "The key of a quota, a fixed one, or null.",
    "ramp": "Lower quotas or incentives in the first months.",
    "rank": "Prizes by place.",
    "reads": "What is read of another component.",
    "release": "When what is earned is payable; the shares sum to 100%.",
    "release_rate": "Whether the rate is fixed when earned, or floats until the release.",
    "roll_up": "Whose credit goes up to managers.",
    "rounding": "Where, how and to what amounts are rounded.",
    "scorecard": "Results of several components, weighted.",
    "settle_in": "In which currency people are settled who are paid in another than the plan's.",
    "settlement": "From what is released to what is paid, in each pay period.",
    "table": "A rate, amount or factor by several fields.",
    "tiers": "Rates by how much has been reached; lower bounds only.",
    "when": "A condition: all, any or none of others, or field, op and value.",
    "zero_quota": "What happens with a quota of zero.",
}

_LEAF: Schema = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "maxLength": 80},
        "op": {"enum": sorted({op for ops in OPS.values() for op in ops})},
        "value": {
            "anyOf": [{"$ref": "#/$defs/scalar"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/scalar"}}]
        },
    },
    "required": ["field", "op"],
    "additionalProperties": False,
    "if": {"properties": {"op": {"enum": list(MISSING_OPS)}}},
    "then": {"properties": {"value": False}},
    "else": {"required": ["value"]},
}


def _join(name: str) -> Schema:
    parts = {"type": "array", "maxItems": MAX_PARTS, "items": {"$ref": "#/$defs/condition"}}
    return {"type": "object", "properties": {name: parts}, "required": [name], "additionalProperties": False}


_DEFS: dict[str, Schema] = {
    "amount": {
        "description": "An amount in the plan's currency, like 25000.00.",
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": _NUMBER}],
    },
    "condition": {"anyOf": [*(_join(name) for name in JOINS), _LEAF]},
    "date": {"description": "A date like 2026-11-30.", "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "key": {
        "description": "Small letters and digits, joined by hyphens or underscores.",
        "type": "string",
        "maxLength": MAX_SLUG,
        "pattern": "^[a-z0-9]+([-_][a-z0-9]+)*$",
    },
    "number": {
        "description": "A plain decimal with at most 6 decimals, like 1.5.",
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": _NUMBER}],
    },
    "percentage": {
        "description": "A percentage with at most 6 decimals, like 12.5%.",
        "type": "string",
        "pattern": r"^\s*[0-9]{1,9}(\.[0-9]{1,6})? ?%\s*$",
    },
    "scalar": {"type": ["string", "number", "boolean"]},
    "whole": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^\s*[0-9]{1,9}\s*$"}]},
}


def plan_schema() -> Schema:
    """The whole schema."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "plan.schema.json",
        "title": "Comp plan",
        "description": "One version of an incentive plan: who is credited, what credit earns, when it is payable.",
        **PLAN.schema(),
        "$defs": _DEFS,
    }
    _describe(schema)
    return schema


def schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(plan_schema(), indent=1, ensure_ascii=False) + "\n"


def _describe(schema: Any) -> None:
    """Set the descriptions of all properties."""
    if isinstance(schema, list):
        for each in schema:
            _describe(each)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        for key, form in properties.items():
            if key in _DESCRIPTIONS and isinstance(form, dict):
                properties[key] = {"description": _DESCRIPTIONS[key], **form}
        for key, value in schema.items():
            if key != "$defs":
                _describe(list(value.values()) if key == "properties" else value)


if __name__ == "__main__":
    sys.stdout.write(schema_text())
