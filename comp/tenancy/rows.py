"""Many rows of a model in one statement, without an object for each; those to be stored travel as one text of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection, models

from comp.tenancy.prepared import execute

Row = Mapping[str, Any]
M = TypeVar("M", bound=models.Model)


def rows_store(
    model: type[models.Model], rows: Sequence[Row], *, once: Sequence[str] = (), changing: Sequence[str] = ()
) -> list[int]:
    """Inserts rows of the transaction's tenant, each by the names of the columns, the same for all; returns their ids
    in the order of the rows. A row that stands with the same `once` gets the columns `changing` instead.

    Dates may be dates. Columns that are not named take the database's default.
    """
    if not rows:
        return []
    with connection.cursor() as cursor:
        execute(cursor, _statement(model, tuple(rows[0]), tuple(once), tuple(changing)), [_text(rows)])
        return [pk for (pk,) in cursor.fetchall()]


def rows_read(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a SELECT, where building it and its objects by the models would cost more than reading it."""
    with connection.cursor() as cursor:
        execute(cursor, sql, params)
        return list(cursor.fetchall())


def rows_change(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> None:
    """Runs a statement that changes rows and says nothing."""
    with connection.cursor() as cursor:
        execute(cursor, sql, params)


def models_read(model: type[M], where: str, params: Sequence[Any] | Mapping[str, Any]) -> list[M]:
    """The objects of a model by SQL from its WHERE on: the same that its manager gives, without building the query and
    planning it anew each time."""
    select, names, made_by = _selected(model)
    rows = rows_read(f"{select} WHERE {where}", params)
    if made_by:
        rows = [tuple(made_by[i](value) if i in made_by else value for i, value in enumerate(row)) for row in rows]
    return [model.from_db(connection.alias, names, row) for row in rows]


@lru_cache(maxsize=64)
def _selected(model: type[models.Model]) -> tuple[str, list[str], dict[int, Callable[[Any], Any]]]:
    """SELECT of a model's table, the attributes of its columns, and what makes values of those that need it."""
    fields = model._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    made_by = {place: _maker(field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")}
    table = connection.ops.quote_name(model._meta.db_table)
    return f"SELECT {columns} FROM {table}", [field.attname for field in fields], made_by


def _maker(field: Any) -> Callable[[Any], Any]:
    return lambda value: field.from_db_value(value, None, connection)


def _text(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], ensure_ascii=False, default=_day)


def _day(value: Any) -> str:
    if isinstance(value, date):  # a moment is one too
        return value.isoformat()
    raise TypeError(f"{value!r} is no value of a column")


@lru_cache(maxsize=256)
def _statement(
    model: type[models.Model], columns: tuple[str, ...], once: tuple[str, ...], changing: tuple[str, ...]
) -> str:
    types = {field.column: field.db_type(connection) for field in model._meta.concrete_fields}
    names = ", ".join(map(connection.ops.quote_name, columns))
    told = ", ".join(f"{connection.ops.quote_name(name)} {types[name]}" for name in columns)
    conflict = ""
    if once:
        key = ", ".join(map(connection.ops.quote_name, ("tenant_id", *once)))
        sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in map(connection.ops.quote_name, changing))
        conflict = f"ON CONFLICT ({key}) DO UPDATE SET {sets}"
    return (
        f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} (tenant_id, {names}) "
        f"SELECT current_setting('app.tenant')::bigint, {names} FROM json_to_recordset(%s::json) AS r({told}) "
        f"{conflict} RETURNING id"
    )
