"""A company that switches from another system in March, what that one says of it, and the steps of the switch."""

from __future__ import annotations

from datetime import date
from typing import Any

from payouts import verify
from payouts.models import (
    CutOver,
    LedgerEntry,
    LedgerTransaction,
    OpeningFile,
    Statement,
)
from payouts.services import cutover_file, cutovers, replay
from payouts.services.cutovers import Named
from tests.payouts.house import House, house, plan_text

MARCH = date(2026, 3, 1)
#: A draw of 500 that half of pay gives back, a tenth held back for two periods.
TERMS = """settlement:
  order: [releases, adjustments, clawbacks, carried, recovery, holdback, top_up]
  draw: {kind: recoverable, style: top_up, amount: 500.00, from: 2026-01-01, to: 2026-07-01, test: [releases],
    recovery: {share: 50%, keep: 0.00, after_periods: 0}, on_leaving: owed}
  holdback: {share: 10%, periods: 2}
  negative: carried
"""
RELEASE = "[{share: 50%, on: credit_date}, {share: 50%, on: go-live}]"
#: Ann stands at 110,000 of a quota of 100,000: 10,000 at 10% and 1,500 at 15% were earned, 9,500 of it paid.
OPENINGS = """employee,plan,component,attainment,earned,paid,reference
ann,worked,commission,110000.00,11500.00,9500.00,XA-77
"""
TRANCHES = """employee,plan,component,amount,release_date,deal,milestone
ann,worked,commission,1000.00,2026-03-15,,
ann,worked,commission,1000.00,,OLD-1,go-live
"""
BALANCES = """employee,plan,balance,amount,draw,day
ann,worked,draw,800.00,,2026-01-01
ann,worked,held_back,120.00,,2026-03-31
ann,worked,held_back,80.00,,2026-04-30
ann,worked,carried,-50.00,,
ann,worked,paid_year,10200.00,,
"""


#: Whole months, measured to date.
WHOLE = """  - {key: whole, name: Whole, clause: You earn by tiers., kind: commission, quota: null,
     credits: {classes: [bookings], roles: [ae]}, below_zero: lowest_tier, accelerator: null, cap: null,
     release: [{share: 100%, on: credit_date}],
     measure: {every: month, value: sum, window: year_to_date, of: own, by: period, quota_basis: year},
     tiers: {mode: marginal, axis: amount, boundary: above, rates: [{from: 0.00, rate: 1%}]}}
"""


def arriving(more: str = "") -> House:
    acme = house(plan_text(release=RELEASE) + more + TERMS)
    acme.won("OLD-1", "30000.00", "2026-02-10")  # a part of what the system before counted
    acme.work()
    return acme


def prepared(acme: House) -> CutOver:
    with acme.acme.scope(acme.preparer):
        found = cutovers.cutover_prepare(pay_group=acme.acme.pay_group, source="Xactly", day=MARCH, by=acme.preparer)
        acme.acme.pay_group.refresh_from_db()
        return found


def take(acme: House, cut_over: CutOver) -> None:
    with acme.acme.scope(acme.preparer):
        found = cutover_file.openings_read(OPENINGS, TRANCHES, cut_over=cut_over)
        assert (found.wrong, found.wrong_tranches) == ([], [])
        openings_take(acme, cut_over)
        balances = cutover_file.balances_read(BALANCES, cut_over=cut_over)
        assert balances.wrong == []
        cutovers.balances_take(cut_over=cut_over, file=Named("balances.csv", BALANCES), by=acme.preparer)
    acme.work()
    with acme.acme.scope(acme.preparer):
        cutovers.cutover_refresh(cut_over=cut_over, by=acme.preparer)


def openings_take(acme: House, cut_over: CutOver, text: str = OPENINGS, beside: str = TRANCHES) -> OpeningFile:
    return cutovers.openings_take(
        cut_over=cut_over, file=Named("ann.csv", text), beside=Named("tranches.csv", beside), by=acme.preparer
    )


def sign(
    acme: House, cut_over: CutOver, by: Any = None, *, digest: str = "", no_run: str = "They closed their system"
) -> CutOver:
    by = by or acme.approver
    with acme.acme.scope(by):
        cut_over.refresh_from_db()
        digest = digest or cutovers.sign_digest(cut_over)
        return cutovers.cutover_sign(cut_over=cut_over, signed_by=by, digest=digest, no_run=no_run)


def sound(acme: House) -> None:
    with acme.acme.scope():
        assert replay.differences_found() == []
        assert [problem for check in verify.CHECKS for problem in check().wrong] == []


def parts(statement: Statement) -> dict[str, str]:
    names = ("released", "adjustments", "recovered", "topped_up", "withheld", "carried", "payout")
    found = {name: getattr(statement, f"{name}_minor") for name in names}
    return {name: f"{minor / 100:,.2f}" for name, minor in found.items() if minor}


def booked(kind: str = "") -> dict[str, int]:
    """The ledger by account, all of it or of a kind of posting."""
    rows = LedgerEntry.objects.filter(transaction__in=LedgerTransaction.objects.filter(kind__contains=kind))
    found: dict[str, int] = {}
    for account, minor in rows.values_list("account", "amount_minor"):
        found[account] = found.get(account, 0) + minor
    return found
