"""Rates of exchange: kept by revision, never changed. News of one tells the rooms above from which day until when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from django.db import connection, transaction
from django.db.models import QuerySet

from comp.audit.services import record
from comp.core.errors import refused
from comp.core.money import CURRENCIES
from comp.outbox.services import publish
from comp.people.acts import state
from comp.people.models import ExchangeRate
from comp.people.timeline import check_dates
from comp.tenancy.scope import current_tenant_id

#: First key of the advisory lock under which a tenant's rates change, so that revisions are counted once.
RATES_LOCK = 7012
#: The smallest and the largest rate: both can be held exactly with ten decimals.
LEAST, MOST = Decimal("0.0000000001"), Decimal("99999999.9999999999")
#: A rate as text: what Python reads as a number beside it (`1e3`, `1_000`, other digits than ours) is none.
_PLAIN = re.compile(r"[0-9]{1,8}(\.[0-9]{1,10})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `source` in units of `target` from a day on; no rate takes back what was said for that day."""

    source: str
    target: str
    kind: str
    starts_on: date
    rate: Decimal | None
    ends_on: date | None = None


def rate_checked(
    *, source: str, target: str, kind: str, starts_on: date, rate: str | Decimal | None, ends_on: date | None = None
) -> Rate:
    """ProblemsError for what can be no rate."""
    for name, code in (("source", source), ("target", target)):
        if code not in CURRENCIES:
            raise refused(name, code, "a code of ISO 4217", f"Unknown currency {code!r} of a rate.")
    if source == target:
        raise refused("target", target, "another currency", f"{source} to {target} needs no rate.")
    if kind not in ExchangeRate.Kind.values:
        raise refused("kind", kind, ", ".join(ExchangeRate.Kind.values), f"{kind!r} is no kind of rate.")
    check_dates(starts_on, ends_on)
    return Rate(source, target, kind, starts_on, None if rate is None else rate_exact(rate), ends_on)


def rate_set(
    *, source: str, target: str, kind: str, starts_on: date, rate: str | Decimal | None, ends_on: date | None = None
) -> ExchangeRate:
    """Says a rate, or takes back what was said for a day. The same again changes nothing."""
    said = rate_checked(source=source, target=target, kind=kind, starts_on=starts_on, rate=rate, ends_on=ends_on)
    rates_set(rates=[said])
    return _pair(said).filter(starts_on=starts_on).order_by("-revision")[0]


def rates_set(*, rates: Iterable[Rate]) -> int:
    """Says many rates, all or none; of each pair the rooms above hear once. Returns how many are new or others."""
    changed: dict[tuple[str, str, str], list[tuple[Rate, date | None]]] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [RATES_LOCK, current_tenant_id()])
        # The latest first, so that each finds the one that ends it.
        for said in sorted(rates, key=lambda rate: rate.starts_on, reverse=True):
            was = _pair(said).filter(starts_on=said.starts_on).order_by("-revision").first()
            if was is not None and (was.rate, was.ends_on) == (said.rate, said.ends_on):
                continue
            row = ExchangeRate.objects.create(**asdict(said), revision=was.revision + 1 if was else 1)
            record(code="rate.set", subject=row, before=_state(was) if was else None, after=_state(row))
            until = _until(_pair(said), row, was)
            changed.setdefault((said.source, said.target, said.kind), []).append((said, until))
        for said_of_pair in changed.values():
            _tell(said_of_pair)
    return sum(map(len, changed.values()))


def _tell(changed: list[tuple[Rate, date | None]]) -> None:
    """News of one pair's rates, the latest of which stands first."""
    said, starts_on = changed[0][0], changed[-1][0].starts_on
    ends = [until for _, until in changed]
    until = None if None in ends else max(day for day in ends if day is not None)
    what = f"{said.rate.normalize():f}" if said.rate else "taken back"
    if len(changed) > 1:
        what = f"{len(changed)} rates"
    publish(
        topic="rates.changed",
        payload={
            "source": said.source,
            "target": said.target,
            "from": starts_on.isoformat(),
            "to": until.isoformat() if until else None,
            "label": f"{said.source} to {said.target} ({said.kind}) {what} from {starts_on:%-d %B %Y}",
        },
    )


def _pair(said: Rate) -> QuerySet[ExchangeRate]:
    return ExchangeRate.objects.filter(source=said.source, target=said.target, kind=said.kind)


def rate_exact(rate: str | Decimal) -> Decimal:
    """A rate as it is kept; ProblemsError for what is none."""
    allowed = f"{LEAST:f} to {MOST:f}, with at most 10 decimals"
    try:
        if isinstance(rate, str) and not _PLAIN.fullmatch(rate):
            raise InvalidOperation
        value = Decimal(rate)
        if not LEAST <= value <= MOST or value != round(value, 10):
            raise InvalidOperation
    except (InvalidOperation, ValueError):
        raise refused("rate", rate, allowed, f"A rate of {rate} cannot be; allowed are {allowed}.") from None
    return round(value, 10)


def _until(pair: QuerySet[ExchangeRate], row: ExchangeRate, was: ExchangeRate | None) -> date | None:
    """Behind this day nothing changes: the next rate holds, or neither the old nor the new one reached."""
    if was is None or row.rate is None or was.rate is None:
        own = None  # the rate before it holds, or held, as long as it likes
    else:
        own = max(row.ends_on, was.ends_on) if row.ends_on and was.ends_on else None
    later = pair.filter(starts_on__gt=row.starts_on).order_by("starts_on", "-revision")
    latest: dict[date, ExchangeRate] = {}
    for each in later:
        latest.setdefault(each.starts_on, each)
    following = next((day for day, each in latest.items() if each.rate is not None), None)
    ends = [day for day in (own, following) if day is not None]
    return min(ends) if ends else None


def _state(row: ExchangeRate) -> dict[str, object]:
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in state(row).items()
            if name != "recorded_at"}  # fmt: skip
