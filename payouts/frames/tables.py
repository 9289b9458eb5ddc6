"""The standing tables as frames write them. Their keys are those of payouts.models.figures and
crediting.models.credits."""

from __future__ import annotations

from dataclasses import replace

from payouts.frames.sql import Table

_WORDS = frozenset(
    {"rule", "role", "credit_class", "component", "trigger", "currency", "unit", "value", "result", "reason"}
)
_CREDIT = ("participant_id", "fact", "plan_id", "split", "rule", "role")
_NAMED = ("participant_id", "fact", "plan_id", "origin", "period", "line_kind", "component")
LINE = (*_NAMED, "split", "rule", "role")

CREDITS = Table(
    name="crediting_credit",
    key=_CREDIT,
    values=(
        "deal_id",
        "pay_group_id",
        "revision",
        "plan_version_id",
        "credit_class",
        "kind",
        "held",
        "credit_date",
        "pot_minor",
        "amount_minor",
        "currency",
    ),
    days=frozenset({"credit_date"}),
    words=_WORDS,
    nullable=frozenset({"deal_id"}),
)
WAITS = Table(
    name="crediting_waitingcredit",
    key=_CREDIT,
    values=("deal_id", "pay_group_id", "plan_version_id", "credit_date", "reason", "currency"),
    days=frozenset({"credit_date"}),
    words=_WORDS,
    nullable=frozenset({"deal_id"}),
)
EARNINGS = Table(
    name="payouts_earning",
    key=LINE,
    values=(
        "deal_id",
        "pay_group_id",
        "plan_version_id",
        "credit_date",
        "period_starts_on",
        "credit_minor",
        "position",
        "before_minor",
        "after_minor",
        "quota_minor",
        "tier_before",
        "tier_after",
        "band",
        "rounded_minor",
        "earned_minor",
        "review_minor",
        "waiting",
        "currency",
    ),
    days=frozenset({"credit_date", "period_starts_on", "period"}),
    words=_WORDS,
    nullable=frozenset({"quota_minor", "deal_id"}),
    moving=frozenset({"position", "before_minor", "after_minor"}),
)
TRANCHES = Table(
    name="payouts_tranche",
    key=(*LINE, "index", "part"),
    values=(
        "deal_id",
        "pay_group_id",
        "plan_version_id",
        "credit_date",
        "amount_minor",
        "trigger",
        "trigger_day",
        "release_day",
        "period_starts_on",
        "state",
        "currency",
        "plan_minor",
        "rate_id",
    ),
    days=frozenset({"credit_date", "trigger_day", "release_day", "period_starts_on", "period"}),
    words=_WORDS,
    nullable=frozenset({"trigger_day", "release_day", "period_starts_on", "deal_id", "plan_minor", "rate_id"}),
)
#: The same where nobody is paid in another currency than a plan's: the columns that nobody has are not read.
UNCONVERTED = replace(TRANCHES, values=TRANCHES.values[:-2])
ATTAINMENTS = Table(
    name="payouts_attainment",
    # A version that restarts, or that measures by longer periods, begins beside another one.
    key=("participant_id", "plan_id", "component", "starts_on", "plan_version_id"),
    values=(
        "pay_group_id",
        "ends_on",
        "quota_minor",
        "total_minor",
        "lines",
        "earned_minor",
        "currency",
        "unit",
        "value",
        "result",
    ),
    days=frozenset({"starts_on", "ends_on"}),
    words=_WORDS,
    nullable=frozenset({"quota_minor"}),
)
SCHEDULES = Table(
    name="payouts_schedule",
    key=(*LINE, "month"),
    values=("deal_id", "pay_group_id", "credit_date", "amount_minor", "currency"),
    days=frozenset({"credit_date", "period", "month"}),
    words=_WORDS,
    nullable=frozenset({"deal_id"}),
)
TABLES = (CREDITS, EARNINGS, TRANCHES, ATTAINMENTS, SCHEDULES, WAITS)
