"""An amount of a line that people decide to pay, in the currency that its participant is paid in: at the rate that the
line's plan states, of today where it states the day of release."""

from __future__ import annotations

from datetime import date

import numpy as np

from comp.core.days import day_number
from comp.core.errors import refused
from comp.core.money import format_money, minor_digits
from crediting.kernel.columns import Text
from crediting.kernel.exchange import NO_RATE, Rates
from payouts.frames.read_people import exchange
from payouts.models import Earning
from payouts.reads.plans import versions
from payouts.reads.unconverted import rate_day, rate_kind


def in_pay_currency(earning: Earning, amount_minor: int, today: date) -> tuple[int, str, str]:
    """Minor units, their currency, and how they came about in words that end a sentence (none where nothing is
    converted). ProblemsError where no rate holds the day."""
    source, target = earning.currency, earning.participant.currency
    if source == target:
        return amount_minor, source, ""
    version = versions([earning.plan_version_id])[earning.plan_version_id]
    day, kind = rate_day(version, earning.credit_date, today), rate_kind(version)
    known, _ = exchange(None)
    rates, words = Rates(known), Text(np.zeros(1, dtype=np.int32), (source,))
    row = rates.find(kind, words, target, np.array([day_number(day)]))
    if known is None or row[0] == NO_RATE:
        when = f"{day:%-d %B %Y}"
        text = f"No rate of exchange ({kind}) from {source} to {target} holds on {when}. Enter it, and decide then."
        raise refused("rate", "none", f"a rate of {when}", text)
    amounts = np.array([amount_minor], dtype=np.int64)
    paid = int(rates.convert(amounts, words, row, minor_digits(target), version.says.round_mode)[0])
    aside = f"{format_money(amount_minor, source)} at the rate of {day:%-d %B %Y}"
    return paid, target, f", {aside}" if amount_minor < 0 else f" ({aside})"
