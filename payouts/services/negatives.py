"""What becomes of pay below zero: the company's rule for a pay group, and decisions of two people where it asks.
docs/algorithms/waterfall.md tells what follows."""

from __future__ import annotations

from decimal import Decimal

from comp.audit.services import record
from comp.core.days import day_date
from comp.core.errors import refused
from comp.core.money import format_money
from comp.people.models import Participant, PayGroup
from comp.tenancy.models import User
from comp.tenancy.scope import Pay, current_tenant_id, tenant_scope
from payouts.models import NegativeDecision, NegativePolicy
from payouts.models.manual import State
from payouts.reads.negatives import carried_of, owes_as_a_whole
from payouts.selectors import open_period
from payouts.services.adjustments import one_counter
from payouts.services.decisions import decide, not_own, prepared, reasoned
from payouts.services.holds import one_writer, people_follow

Way = NegativePolicy.Way


def negative_policy_set(
    *,
    pay_group: PayGroup,
    currency: str,
    way: str,
    share: Decimal = Decimal(100),
    keep_minor: int = 0,
    carried_stays: bool = False,
) -> NegativePolicy:
    """What becomes of pay below zero of a pay group in a currency: carried, asked, or collected outside of pay; of
    later pay at most `share` percent is set against what is carried, and `keep_minor` is left. The open period follows
    at once.

    ProblemsError where it is collected from now on while something is carried, unless it is said that this stays under
    Debts (`carried_stays`), set against no pay until it is let go."""
    if way not in Way.values:
        raise refused("way", way, ", ".join(Way.values), f"{way!r} is no way to treat pay below zero.")
    if not 0 < share <= 100:
        raise refused("share", share, "above 0 to 100", f"At most all of pay is set off; found {share} percent.")
    if keep_minor < 0:
        raise refused("keep", keep_minor, "0 or more", "What is left of pay cannot be less than nothing.")
    if carried_stays and way != Way.COLLECT:
        text = "What is carried is set against later pay by this rule; it stays only where pay below zero is collected."
        raise refused("carried_stays", "yes", "no", text)
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_writer()
        if way == Way.COLLECT and not carried_stays:
            _nothing_carried(pay_group, currency)
        row = NegativePolicy.objects.filter(pay_group=pay_group, currency=currency).first()
        before = _facts(row) if row else None
        row = row or NegativePolicy(pay_group=pay_group, currency=currency)
        row.way, row.share, row.keep_minor, row.carried_stays = way, share, keep_minor, carried_stays
        row.save()
        record(code="negative.policy", subject=row, before=before, after=_facts(row))
        people = list(Participant.objects.filter(pay_group=pay_group).values_list("id", flat=True))
        people_follow(people, f"Pay below zero of {row}: {row.get_way_display()}", [])
    return row


def _nothing_carried(pay_group: PayGroup, currency: str) -> None:
    carried = [one for one in carried_of(pay_group) if one.currency == currency]
    if carried:
        names = ", ".join(map(str, carried[:5])) + (f" and {len(carried) - 5} more" if len(carried) > 5 else "")
        text = (
            f"Pay below zero is carried of {names}. To collect from now on, say that it stays under Debts until it is "
            "let go, or let it go before."
        )
        raise refused("carried_stays", "no", "yes", text)


def negative_prepare(
    *, participant: Participant, currency: str, way: str, reason: str, prepared_by: User
) -> NegativeDecision:
    """Proposes what becomes of what somebody owes by the open period, or of what is carried of them: set against later
    pay, or carried alone. ProblemsError where the company's rule does not ask, or nothing is owed."""
    reason = reasoned(reason, "A decision about pay below zero")
    not_own(participant, prepared_by, "a debt")
    if way not in NegativeDecision.Way.values:
        raise refused("way", way, ", ".join(NegativeDecision.Way.values), f"{way!r} is no way to treat it.")
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        one_counter()
        group = participant.pay_group
        policy = NegativePolicy.objects.filter(pay_group=group, currency=currency).first()
        if policy is None or policy.way != Way.ASK:
            found = policy.get_way_display() if policy else "no rule"
            text = f"{group} in {currency}: {found}. Only where the rule asks for it is each decided."
            raise refused("policy", found, Way.ASK.label, text)
        minor = owes_as_a_whole(participant, currency)
        if minor <= 0:
            raise refused("amount", minor, "more than 0", f"{participant} owes nothing in {currency}.")
        row = NegativeDecision.objects.create(
            participant=participant, pay_group=group, period_starts_on=day_date(open_period(group).start),
            currency=currency, way=way, amount_minor=minor, reason=reason, prepared_by=prepared_by,
        )  # fmt: skip
        prepared(row, "negative.prepare")
    return row


def negative_decide(
    *, decision: NegativeDecision, state: State, decided_by: User, reason: str = ""
) -> NegativeDecision:
    """A second person agrees, or does not. The open period follows at once; refused where more is owed by now."""
    with tenant_scope(current_tenant_id(), pay=Pay.everyone()):
        if state == State.APPROVED:
            one_writer()
            now = owes_as_a_whole(decision.participant, decision.currency)
            if now > decision.amount_minor:
                found, then = (format_money(each, decision.currency) for each in (now, decision.amount_minor))
                raise refused("amount", found, then, f"{found} are owed by now, and {then} were when it was prepared.")
        row = decide(decision, state, decided_by, reason, "negative")
        if state == State.APPROVED:
            people_follow([row.participant_id], f"{row.get_way_display()}: {row.reason}", [])
    return row


def _facts(row: NegativePolicy) -> dict[str, str]:
    stays = {"carried": "stays"} if row.carried_stays else {}
    return {"way": str(row.way), "share": f"{row.share.normalize():f}", "keep": str(row.keep_minor), **stays}
