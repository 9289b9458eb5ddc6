"""Rates of exchange: kept by revision, never changed. News of one tells the rooms above from which day until when."""

from __future__ import annotations

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


def rate_set(
    *, source: str, target: str, kind: str, starts_on: date, rate: str | Decimal | None, ends_on: date | None = None
) -> ExchangeRate:
    """One unit of `source` in units of `target` from a day on; None takes back what was said for that day. The same
    again changes nothing."""
    for name, code in (("source", source), ("target", target)):
        if code not in CURRENCIES:
            raise refused(name, code, "a code of ISO 4217", f"Unknown currency {code!r} of a rate.")
    if source == target:
        raise refused("target", target, "another currency", f"{source} to {target} needs no rate.")
    if kind not in ExchangeRate.Kind.values:
        raise refused("kind", kind, ", ".join(ExchangeRate.Kind.values), f"{kind!r} is no kind of rate.")
    check_dates(starts_on, ends_on)
    exact = _exact(rate)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [RATES_LOCK, current_tenant_id()])
        pair = ExchangeRate.objects.filter(source=source, target=target, kind=kind)
        was = pair.filter(starts_on=starts_on).order_by("-revision").first()
        if was is not None and (was.rate, was.ends_on) == (exact, ends_on):
            return was
        row = ExchangeRate.objects.create(
            source=source, target=target, kind=kind, starts_on=starts_on, ends_on=ends_on, rate=exact,
            revision=was.revision + 1 if was else 1,
        )  # fmt: skip
        record(code="rate.set", subject=row, before=_state(was) if was else None, after=_state(row))
        until = _until(pair, row, was)
        label = f"{row} {f'{exact.normalize():f}' if exact else 'taken back'} from {starts_on}"
        publish(
            topic="rates.changed",
            payload={
                "source": source,
                "from": starts_on.isoformat(),
                "to": until.isoformat() if until else None,
                "label": label,
            },
        )
    return row


def _exact(rate: str | Decimal | None) -> Decimal | None:
    if rate is None:
        return None
    allowed = f"{LEAST:f} to {MOST:f}, with at most 10 decimals"
    try:
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
