"""The month's accrual: what was earned by its end and not posted, what of that is probable, its reversal, and by how
much the month before was missed. docs/algorithms/accruals.md"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from comp.audit.services import record
from comp.core.errors import CompError
from comp.people.selectors import today
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.frames.tables import LINE
from payouts.models import Accrual, AccrualLine, AccrualPolicy, LedgerTransaction, Posting
from payouts.reads.accounting import month_after
from payouts.reads.kept import kept_params
from payouts.reads.undone import UNDONE
from payouts.services import ledger
from payouts.services.payables import KEY_OF_ADJUSTMENT

Kind = LedgerTransaction.Kind

_KEY = ", ".join((*LINE, '"index"', "part"))
_GRAIN = "participant_id, pay_group_id, plan_id, component, deal_id, currency"

#: What a tranche waits for, as policies name it; nothing where its day of release is known.
_WAITS_FOR = (
    "CASE WHEN t.release_day IS NOT NULL THEN '' WHEN t.state = 2 THEN 'held' WHEN t.state = 3 THEN 'withheld' "
    "WHEN t.state = 4 THEN 'lost' WHEN t.state = 5 THEN 'no-rate' ELSE split_part(t.trigger, ' ', 1) END"
)
#: Whose write-offs may be undone, with the day before which what undoes them is released.
_BY_THEN = "(SELECT DISTINCT participant_id, %(behind)s::date AS due_before FROM payouts_writtenoff)"
#: What stands with credit dates to the month's end, by tranche and adjustment by hand, and what batches posted by then
#: hold of it. Of what was let go, what its cause undid since counts against what the cause pays. Where a plan says that
#: what was posted stays, no difference to it is owed.
_STANDS = f"""
WITH shares AS (
    SELECT * FROM unnest(%(triggers)s::text[], %(shares)s::int[]) AS p(trigger, share)
), undone AS (
{UNDONE.format(due=_BY_THEN)}
), stands AS (
    SELECT {", ".join(f"t.{c}" for c in _KEY.split(", "))}, t.pay_group_id, t.deal_id, t.currency, t.plan_version_id,
        t.amount_minor, {_WAITS_FOR} AS waits_for
    FROM payouts_tranche t WHERE t.credit_date < %(behind)s
    UNION ALL
    SELECT {KEY_OF_ADJUSTMENT}, p.pay_group_id, NULL, a.currency, a.plan_version_id,
        CASE WHEN a.balance = '' THEN a.amount_minor ELSE 0 END - coalesce(u.minor, 0), ''
    FROM payouts_adjustment a JOIN people_participant p ON p.id = a.participant_id
        LEFT JOIN undone u ON u.adjustment_id = a.id
    WHERE a.state = 'approved' AND (a.balance = '' OR u.minor > 0) AND a.day < %(behind)s
), weighed AS (
    SELECT s.*, CASE WHEN waits_for = '' THEN 0 ELSE amount_minor END AS waiting, CASE WHEN waits_for = '' THEN 0
        ELSE amount_minor - round(amount_minor * coalesce(p.share, 0) / 100.0) END AS improbable
    FROM stands s LEFT JOIN shares p ON p.trigger = s.waits_for
), taken AS (
    SELECT {", ".join(f"l.{c}" for c in _KEY.split(", "))}, max(l.pay_group_id) AS pay_group_id,
        max(l.deal_id) AS deal_id, l.currency, max(l.plan_version_id) AS plan_version_id,
        sum(l.amount_minor) AS minor
    FROM payouts_batchline l
    WHERE l.credit_date < %(behind)s AND l.batch_id IN (
        SELECT x.batch_id FROM payouts_ledgertransaction x
        WHERE x.kind IN ('approval', 'opening') AND x.day < %(behind)s)
    GROUP BY {", ".join(f"l.{c}" for c in _KEY.split(", "))}, l.currency
), both_sides AS (
    SELECT {_KEY.split(", ", maxsplit=1)[0]}, plan_id, component, coalesce(w.pay_group_id, x.pay_group_id) AS
        pay_group_id, coalesce(w.deal_id, x.deal_id) AS deal_id, currency,
        CASE WHEN kept.it THEN x.minor ELSE coalesce(w.amount_minor, 0) END AS earned,
        CASE WHEN kept.it THEN 0 ELSE coalesce(w.waiting, 0) END AS waiting,
        CASE WHEN kept.it THEN 0 ELSE coalesce(w.improbable, 0) END AS improbable, coalesce(x.minor, 0) AS taken
    FROM weighed w FULL JOIN taken x USING ({_KEY}, currency) CROSS JOIN LATERAL (
        SELECT x.minor IS NOT NULL AND (x.plan_version_id, component) IN (
            SELECT * FROM unnest(%(kept_of)s::bigint[], %(kept)s::text[])) AS it
    ) kept
), lines AS (
    SELECT {_GRAIN}, sum(earned)::bigint AS earned, sum(waiting)::bigint AS waiting,
        sum(improbable)::bigint AS improbable, sum(taken)::bigint AS taken,
        (sum(earned) - sum(improbable) - sum(taken))::bigint AS accrued
    FROM both_sides GROUP BY {_GRAIN}
)
"""
_WRITE = (
    _STANDS
    + f"""
INSERT INTO payouts_accrualline (tenant_id, accrual_id, {_GRAIN}, earned_minor, waiting_minor, improbable_minor,
    taken_minor, accrued_minor)
SELECT %(tenant)s, %(accrual)s, {_GRAIN}, earned, waiting, improbable, taken, accrued
FROM lines WHERE accrued <> 0 OR improbable <> 0
"""
)
_UNCHOSEN = f"""
SELECT DISTINCT {_WAITS_FOR} FROM payouts_tranche t
WHERE t.credit_date < %(behind)s AND t.release_day IS NULL AND t.state <> 4 ORDER BY 1
"""
_POST = """
SELECT participant_id, pay_group_id, side.account, plan_id, component, currency,
    (sum(accrued_minor) * side.sign)::bigint AS amount_minor
FROM payouts_accrualline CROSS JOIN (VALUES ('expense', %(sign)s), ('accrued', -%(sign)s)) AS side(account, sign)
WHERE accrual_id = %(accrual)s
GROUP BY participant_id, pay_group_id, side.account, side.sign, plan_id, component, currency
"""
#: What is known now of what an accrual estimated, less what it said, by cause: what changed the figures in between is
#: named by its cause; the rest is that what waited came otherwise.
_VARIANCE = (
    _STANDS
    + """
, grain AS (
    SELECT participant_id, max(pay_group_id) AS pay_group_id, plan_id, component, currency, sum(minor) AS minor FROM (
        SELECT participant_id, pay_group_id, plan_id, component, currency, accrued AS minor FROM lines
        UNION ALL
        SELECT participant_id, pay_group_id, plan_id, component, currency, -accrued_minor FROM payouts_accrualline
            WHERE accrual_id = %(accrual)s
    ) sides GROUP BY participant_id, plan_id, component, currency
), changed AS (
    SELECT f.participant_id, max(f.pay_group_id) AS pay_group_id, f.plan_id, f.component, f.currency,
        CASE WHEN c.kind IN ('deal', 'milestone', 'usage') THEN CASE WHEN f.before_minor = 0 THEN 'late'
            ELSE 'correction' END
            WHEN c.kind IN ('plan', 'assignment', 'quota', 'mapping') THEN 'plan'
            WHEN c.kind IN ('rate', 'people') THEN c.kind ELSE 'other' END AS cause,
        sum(f.after_minor - f.before_minor) AS minor
    FROM payouts_figurechange f JOIN payouts_cause c ON c.id = f.cause_id
        -- Of what is paid in another currency than it is earned in the causes are not known in that one.
        JOIN people_participant m ON m.id = f.participant_id AND m.currency = f.currency
    WHERE f.credit_date < %(behind)s AND f.at > %(since)s
    GROUP BY f.participant_id, f.plan_id, f.component, f.currency, cause
    UNION ALL
    SELECT a.participant_id, max(p.pay_group_id), a.plan_id, a.component, a.currency, 'manual', sum(a.amount_minor)
    FROM payouts_adjustment a JOIN people_participant p ON p.id = a.participant_id
    WHERE a.state = 'approved' AND a.balance = '' AND a.day < %(behind)s AND a.decided_at > %(since)s
    GROUP BY a.participant_id, a.plan_id, a.component, a.currency
), rest AS (
    -- Of no component are adjustments alone: beyond those decided since, what of a write-off its cause undid.
    SELECT participant_id, max(pay_group_id) AS pay_group_id, plan_id, component, currency,
        CASE component WHEN '' THEN 'manual' ELSE 'probability' END AS cause, sum(minor) AS minor
    FROM (SELECT participant_id, pay_group_id, plan_id, component, currency, minor FROM grain
        UNION ALL SELECT participant_id, pay_group_id, plan_id, component, currency, -minor FROM changed) sides
    GROUP BY participant_id, plan_id, component, currency
)
INSERT INTO payouts_accrualvariance (tenant_id, accrual_id, participant_id, pay_group_id, plan_id, component, currency,
    cause, amount_minor)
SELECT %(tenant)s, %(accrual)s, participant_id, max(pay_group_id), plan_id, component, currency, cause,
    sum(minor)::bigint
FROM (TABLE changed UNION ALL TABLE rest) causes
GROUP BY participant_id, plan_id, component, currency, cause HAVING sum(minor) <> 0
"""
)


class AccrualError(CompError):
    """A month cannot be accrued; the message says why and what to do."""


def policy_set(*, trigger: str, share: int, reason: str) -> AccrualPolicy:
    """How much of what waits for a trigger is probable, in percent. Said again, it replaces what was said."""
    trigger, reason = trigger.strip(), reason.strip()
    if not 0 <= share <= 100:
        raise AccrualError(f"{trigger}: {share}% is no share; allowed are 0 to 100.")
    if not trigger or not reason:
        raise AccrualError("A share needs the trigger that it is for, and a reason that an auditor can follow.")
    before = AccrualPolicy.objects.filter(trigger=trigger).first()
    row, _ = AccrualPolicy.objects.update_or_create(trigger=trigger, defaults={"share": share, "reason": reason})
    record(
        code="accrual.policy",
        subject=row,
        before={"share": before.share, "reason": before.reason} if before else None,
        after={"share": share, "reason": reason},
    )
    return row


def triggers_unchosen(month: date) -> list[str]:
    """What tranches with credit dates to the month's end wait for, and no policy weighs."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCHOSEN, {"behind": month_after(month)})
        found = [trigger for (trigger,) in cursor.fetchall()]
    chosen = set(AccrualPolicy.objects.values_list("trigger", flat=True))
    return [trigger for trigger in found if trigger not in chosen]


def accrue(*, month: date, made_by: User) -> Accrual:
    """Posts what was earned by the month's end and is not posted, and its reversal on the first day after; then trues
    up the accrual before it. Once a month, in order, after the month is over."""
    month = month.replace(day=1)
    behind = month_after(month)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ledger.LOCK, current_tenant_id()])
        last = Accrual.objects.first()
        _may(month, behind, last)
        shares = dict(AccrualPolicy.objects.values_list("trigger", "share"))
        accrual = Accrual(month=month, made_by=made_by, made_at=timezone.now(), shares=shares)
        params: dict[str, Any] = kept_params() | {
            "tenant": current_tenant_id(),
            "triggers": list(shares),
            "shares": list(shares.values()),
            "behind": behind,
        }
        # The identity comes first, so that the lines can name it; totals are those of the lines.
        cursor.execute("SELECT nextval(pg_get_serial_sequence('payouts_accrual', 'id'))")
        accrual.pk = cursor.fetchone()[0]
        cursor.execute(_WRITE, {**params, "accrual": accrual.pk})
        accrual.lines = cursor.rowcount
        sums = AccrualLine.objects.filter(accrual=accrual.pk).values("currency").annotate(minor=Sum("accrued_minor"))
        accrual.totals = {row["currency"]: int(row["minor"]) for row in sums.order_by("currency")}
        accrual.save(force_insert=True)
        if last is not None:
            of_last: dict[str, Any] = {"accrual": last.pk, "behind": month_after(last.month), "since": last.made_at}
            cursor.execute(_VARIANCE, {**params, **of_last})
        ledger.post_query(
            _POST, {"accrual": accrual.pk, "sign": 1}, kind=Kind.ACCRUAL, month=month, day=behind - timedelta(days=1)
        )
        posting = ledger.post_query(
            _POST, {"accrual": accrual.pk, "sign": -1}, kind=Kind.REVERSAL, month=month, day=behind
        )
        record(code="accrual.post", subject=accrual, after={"lines": accrual.lines, "ledger": posting.digest})
    return accrual


def _may(month: date, behind: date, last: Accrual | None) -> None:
    if today() < behind:
        raise AccrualError(f"{month:%B %Y} is not over: it can be accrued from {behind:%-d %B %Y} on.")
    if last is not None and month <= last.month:
        raise AccrualError(
            f"{month:%B %Y}: {last} stands and is not made again. What came to light since is part of the next month's."
        )
    if Posting.objects.filter(ended_at=None).exists():
        raise AccrualError(f"{month:%B %Y}: a batch is being posted. Try again when it is through.")
    if unchosen := triggers_unchosen(month):
        raise AccrualError(
            f"{month:%B %Y}: no share was chosen for what waits for {', '.join(unchosen)}. "
            "Say under Accruals how much of it is probable."
        )
