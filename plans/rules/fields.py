"""The typed fields of facts and people that conditions, credit dates and amounts may name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

FieldType = Literal["text", "number", "money", "date", "boolean"]
FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)

#: What facts have. A tenant's own fields are `custom.*`, declared with their type in the plan document.
FACT_FIELDS: Mapping[str, FieldType] = {
    "stage": "text",
    "source": "text",
    "product": "text",
    "product.series": "text",
    "account": "text",
    "account.sector": "text",
    "account.country": "text",
    "territory": "text",
    "region": "text",
    "currency": "text",
    "type": "text",
    "amount": "money",
    "list_price": "money",
    "cost": "money",
    "tax": "money",
    "quantity": "number",
    "value": "number",
    "used": "number",
    "contracted": "number",
    "term_months": "number",
    "close_date": "date",
    "engage_date": "date",
    "day": "date",
    "invoice_date": "date",
    "due_date": "date",
    "paid_date": "date",
    "start_date": "date",
    "end_date": "date",
}
#: What a person is on the credit date.
PERSON_FIELDS: Mapping[str, FieldType] = {
    "person.title": "text",
    "person.region": "text",
    "person.position": "text",
    "person.team": "text",
    "person.pool": "text",
    "person.tenure_months": "number",
    "person.hired_on": "date",
}
#: The years of facts' dates: no other day is credited.
YEARS = range(1990, 2100)
CUSTOM_FIELD = re.compile(r"custom\.[a-z][a-z0-9_]{0,62}")

MISSING_OPS = ("is_missing", "is_present")
_ORDERED = ("is", "is_not", "at_least", "at_most", "more_than", "less_than", "between")
OPS: Mapping[FieldType, tuple[str, ...]] = {
    "text": ("is", "is_not", "in", "not_in", "contains", "starts_with", *MISSING_OPS),
    "number": (*_ORDERED, *MISSING_OPS),
    "money": (*_ORDERED, *MISSING_OPS),
    "date": ("is", "on_or_after", "before", "between", *MISSING_OPS),
    "boolean": ("is", *MISSING_OPS),
}


def field_types(document: Mapping[str, Any]) -> dict[str, FieldType]:
    """All fields that facts bring, with their types. Declarations that are not well-formed are left out."""
    types = dict(FACT_FIELDS)
    declared = document.get("fields")
    if isinstance(declared, dict):
        for name, kind in declared.items():
            if isinstance(name, str) and CUSTOM_FIELD.fullmatch(name) and kind in FIELD_TYPES:
                types[name] = kind
    return types


def with_deal(types: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """These fields, and each of the deal that a fact belongs to: `deal.amount`."""
    return {**types, **{f"deal.{name}": kind for name, kind in types.items()}}


def fields_of(types: Mapping[str, FieldType], kind: FieldType) -> list[str]:
    """The names of all fields of one type."""
    return [name for name, field_type in types.items() if field_type == kind]
