"""What a body may hold, field by field, each with words for what it allows; and how answers are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from comp.core.days import DayError, parse_day
from comp.core.errors import Problem, ProblemsError
from comp.core.money import plain_money


class Body(serializers.Serializer[Any]):
    """The fields of a body or of an address's query. Any other is refused: a misspelt one would be a missing one."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({str(name)[:60]: "is not known here" for name in unknown})
        return super().to_internal_value(data)


def read(kind: type[Body], data: Any, *, partial: bool = False) -> dict[str, Any]:
    """What was sent, understood. Raises ProblemsError with all that is wrong, each with its field."""
    if not isinstance(data, Mapping):
        raise ProblemsError([Problem("", shown(data), "a JSON object", "The body has to be a JSON object.")])
    form = kind(data=data, partial=partial)
    if not form.is_valid():
        raise ProblemsError(_problems(form, data, form.errors))
    return dict(form.validated_data)


def _problems(form: Any, data: Mapping[str, Any], errors: Mapping[Any, Any], at: str = "") -> Iterator[Problem]:
    """The errors of a form, those of rows in it at their own places."""
    for name, words in errors.items():
        row = getattr(form.fields.get(name), "child", None)
        if not isinstance(row, Body) or not isinstance(words, dict):
            yield _problem(form, data, str(name), words, at)
        elif "non_field_errors" in words:
            yield _problem(form, data, str(name), words["non_field_errors"], at)
        else:
            for place, wrong in words.items():
                here, value = f"{at}{name}[{place}]", data[name][place]
                if isinstance(value, Mapping):
                    yield from _problems(row, value, wrong, f"{here}.")
                else:
                    yield Problem(
                        here, shown(value), "an object", f"{here}: found {shown(value)}, allowed is an object."
                    )


def _problem(form: Any, data: Mapping[str, Any], name: str, words: Any, at: str) -> Problem:
    field = form.fields.get(name)
    allowed = allows(field) if field else f"one of {', '.join(form.fields)}"
    found = shown(data[name]) if name in data else "nothing"
    said = " ".join(map(str, words)) if isinstance(words, list) else str(words)
    return Problem(at + name, found, allowed, f"{at}{name}: found {found}, allowed is {allowed}. {said}")


def shown(value: Any) -> str:
    """A value as errors quote it: short, whatever it is."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def allows(field: Any) -> str:
    """What a field takes, in words."""
    match field:
        case Text():
            return f"text of {'0' if field.allow_blank else '1'} to {field.max_length} characters"
        case Day():
            return "a day such as 2026-01-31"
        case serializers.IntegerField():
            return f"a whole number from {field.min_value} to {field.max_value}"
        case serializers.ChoiceField():
            return f"one of {', '.join(map(str, field.choices))}"
    if isinstance(field, serializers.ListSerializer):
        return f"a list of {0 if field.allow_empty else 1} to {field.max_length} objects"
    return "an object" if isinstance(field, serializers.DictField) else "a value as the schema says"


class Text(serializers.CharField):
    """Text and nothing else: a number is no text."""

    default_error_messages = {"invalid": "Text goes in quotes."}

    def __init__(self, max_length: int = 200, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATE)
class Day(serializers.Field[date, Any, str, Any]):
    """`YYYY-MM-DD`."""

    def to_internal_value(self, data: Any) -> date:
        try:
            return parse_day(data if isinstance(data, str) else "")
        except DayError:
            raise serializers.ValidationError("A day is written YYYY-MM-DD.") from None

    def to_representation(self, value: date) -> str:
        return value.isoformat()


class Whole(serializers.IntegerField):
    """A whole number, no text that looks like one unless it stands in an address."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        super().__init__(min_value=low, max_value=high, **kwargs)


@extend_schema_field(OpenApiTypes.STR)
class Money(serializers.Field[Any, Any, str | None, Any]):
    """Minor units as decimal text with all decimals of the row's currency; never a float."""

    def __init__(self, minor: str = "amount_minor", **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)
        self.minor = minor

    def to_representation(self, row: Any) -> str | None:
        minor = getattr(row, self.minor)
        return None if minor is None else plain_money(minor, row.currency)


class Key(serializers.SlugRelatedField[Any]):
    """Another row, by its key."""

    def __init__(self, source: str | None = None, **kwargs: Any) -> None:
        if source is not None:
            kwargs["source"] = source
        super().__init__(slug_field="key", read_only=True, **kwargs)
