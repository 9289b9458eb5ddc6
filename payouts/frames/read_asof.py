"""Tables as they stand, or as they were known at a recorded moment, as SQL."""

from __future__ import annotations

from datetime import datetime

from payouts.kernel.batch import FAR_DAY


def table(name: str, as_of: datetime | None) -> str:
    """The table, or as a subquery what it held at the moment (for tables with kept history)."""
    if as_of is None:
        return name
    app, _, model = name.partition("_")
    return (
        f"(SELECT * FROM (SELECT DISTINCT ON (id) * FROM {app}_historical{model} WHERE history_date <= %(as_of)s "
        f"ORDER BY id, history_date DESC, history_id DESC) kept WHERE kept.history_type <> '-')"
    )


def latest(name: str, keys: str, as_of: datetime | None, only: str) -> str:
    """The standing revision of each key in an append-only fact table: the greatest by (version, event_time,
    sender_id), and of one that was worked out anew the last."""
    known = "AND recorded_at <= %(as_of)s" if as_of else ""
    return (
        f"(SELECT DISTINCT ON ({keys}) * FROM {name} WHERE {only} {known} "
        f'ORDER BY {keys}, version DESC, event_time DESC, sender_id COLLATE "C" DESC, id DESC)'
    )


def deals(as_of: datetime | None) -> str:
    """The deals: their columns, `r` the revision; and, as of a moment, `team`."""
    if as_of is None:
        return "(SELECT *, revision_id AS r FROM crediting_deal)"
    was = latest("crediting_dealrevision", "endpoint_id, external_id", as_of, "true")
    return (
        f"(SELECT now.id, was.id AS r, {_of('was', 'event_time', *_DEAL, 'team')}, now.endpoint_id, now.external_id "
        f"FROM {was} was "
        "JOIN crediting_deal now ON now.endpoint_id = was.endpoint_id AND now.external_id = was.external_id)"
    )


def facts(as_of: datetime | None) -> str:
    """The other facts that stand: their columns, `r` the revision; and, as of a moment, `team`."""
    if as_of is None:
        return "(SELECT *, revision_id AS r FROM crediting_fact WHERE stands)"
    was = latest("crediting_factrevision", "endpoint_id, kind, external_id", as_of, "true")
    return (
        f"(SELECT now.id, was.id AS r, {_of('was', 'event_time', *_FACT, 'team')}, now.endpoint_id, now.external_id, "
        f"now.kind FROM {was} was JOIN crediting_fact now ON now.endpoint_id = was.endpoint_id "
        "AND now.kind = was.kind AND now.external_id = was.external_id WHERE was.stands)"
    )


_DEAL = (
    *("stage", "amount_minor", "currency", "close_date", "engage_date", "product_id", "account_id", "territory"),
    *("values", "custom"),
)
_FACT = ("deal_id", "account_id", "product_id", "type", "day", "currency", "amount_minor", "values", "custom")


def _of(table: str, *columns: str) -> str:
    return ", ".join(f'{table}."{column}"' for column in columns)


def as_date(param: str) -> str:
    """SQL: a day number among the parameters as a date."""
    return f"('1970-01-01'::date + %({param})s::int)"


def open_end(column: str) -> str:
    """SQL: the end of an interval as a day number, FAR_DAY where it is open."""
    return f"coalesce(({column} - '1970-01-01'::date)::bigint, {FAR_DAY})"
