"""The events of what happens to a deal or beside one: milestones, usage, invoices, receipts, refunds, activities …

Each carries the whole state of its thing under the source's own id. What took it back needs to say the id alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from comp.core.money import CURRENCIES
from crediting.intake.facts import Member, OtherFact, held_by, milestone_id, usage_id
from crediting.intake.reading import Reader, shown
from crediting.intake.standard_parts import CODE, MORE, WORD, amount, custom, members, values

ID_LIMIT, DEAL_LIMIT, NAME_LIMIT, TYPE_LIMIT = 120, 120, 200, 40
_MONEY = ("amount", "list_price", "cost", "tax")
#: What an event of any kind may state beside its id.
_OPTIONAL = ("deal", "account", "product", "type", "on", "amount", "currency", "team", "custom", "version", *MORE)


@dataclass(frozen=True, slots=True)
class Kind:
    """An event's kind of fact, and the keys that it has to state beside its id. Without `stands` the fact is taken
    back."""

    kind: str
    required: tuple[str, ...]
    stands: bool = True


def _pair(kind: str, said: tuple[str, ...], back: str, *required: str) -> dict[str, Kind]:
    return {**{name: Kind(kind, ("id", *required)) for name in said}, back: Kind(kind, ("id",), stands=False)}


KINDS: dict[str, Kind] = {
    "milestone.reached": Kind("milestone", ("deal", "milestone", "on")),
    "milestone.withdrawn": Kind("milestone", ("deal", "milestone", "on"), stands=False),
    "usage.reading": Kind("usage", ("on", "used")),
    "usage.withdrawn": Kind("usage", ("on",), stands=False),
    "contract.usage": Kind("contract", ("account", "product", "from", "contracted")),
    "contract.withdrawn": Kind("contract", ("account", "product", "from"), stands=False),
    **_pair("invoice", ("invoice.issued", "invoice.updated"), "invoice.voided", "amount", "invoice_date"),
    **_pair("receipt", ("receipt.applied",), "receipt.withdrawn", "amount", "on"),
    **_pair("refund", ("refund.made",), "refund.withdrawn", "deal", "amount", "on"),
    **_pair("cancellation", ("deal.cancelled",), "cancellation.withdrawn", "deal", "on"),
    **_pair("nonpayment", ("invoice.unpaid",), "nonpayment.withdrawn", "deal", "on"),
    **_pair("activity", ("activity.done",), "activity.withdrawn", "type", "on"),
    **_pair("score", ("score.given",), "score.withdrawn", "type", "value", "on"),
    **_pair("hours", ("hours.worked",), "hours.withdrawn", "quantity", "on"),
    **_pair("transfer", ("deal.transferred",), "transfer.withdrawn", "deal", "role", "from", "to", "on"),
}


def other_fact(data: Reader, event: str) -> OtherFact:
    """The fact that an event of KINDS tells of."""
    kind = KINDS[event]
    for key in kind.required:
        value = data.values.get(key)
        if value is None or (isinstance(value, str) and not value.strip()):
            data.wrong(key, shown(value) if key in data.values else "nothing", "a value: it is required")
    match kind.kind:
        case "milestone":
            return _milestone(data, kind)
        case "usage":
            return _usage(data, kind)
        case "contract":
            return _contract(data, kind)
        case "transfer":
            return _transfer(data, kind)
    data.only("id", *_OPTIONAL)
    id, day = _text(data, "id", ID_LIMIT), _day(data, "on") or _day(data, "invoice_date")
    return _fact(data, kind, id, day)


def line(data: Reader, deal: str, currency: str) -> OtherFact:
    """An order line of a deal: its own product, amount and quantity, in the deal's currency."""
    data.only("line", "product", "type", "on", "amount", "team", "custom", *MORE)
    return OtherFact(
        kind="line",
        id=f"{deal}/{data.text('line', 60)}",
        deal=deal,
        product=data.text("product", NAME_LIMIT, blank=True, default=""),
        type=data.text("type", TYPE_LIMIT, blank=True, default=""),
        day=_day(data, "on"),
        amount_minor=amount(data, "amount", currency),
        currency=currency,
        values=values(data, MORE, currency),
        custom=custom(data),
        team=members(data),
    )


def _milestone(data: Reader, kind: Kind) -> OtherFact:
    data.only("milestone", *(key for key in _OPTIONAL if key != "type"))
    milestone = ""
    if data.values.get("milestone") is not None:
        milestone = data.pattern("milestone", WORD, "a word such as go-live")
    fact_id = milestone_id(_text(data, "deal", DEAL_LIMIT), milestone)
    return _fact(data, kind, fact_id, _day(data, "on"), type=milestone)


def _usage(data: Reader, kind: Kind) -> OtherFact:
    """Of a deal, with what it contracted; or of an account and a product, whose contract may say that."""
    data.only("used", "contracted", *_OPTIONAL)
    deal, day = _text(data, "deal", DEAL_LIMIT), _day(data, "on")
    account, product = _text(data, "account", NAME_LIMIT), _text(data, "product", NAME_LIMIT)
    if not deal and not (account and product):
        data.wrong("deal", "nothing", "a deal, or an account and a product")
    needed = ("contracted",) if deal and kind.stands and data.values.get("contracted") is None else ()
    for key in needed:
        data.wrong(key, "null" if key in data.values else "nothing", "a value: it is required with a deal")
    fact_id = usage_id(deal or held_by(account, product), day or date.min)
    return _fact(data, kind, fact_id, day, counts=("used", "contracted"))


def _contract(data: Reader, kind: Kind) -> OtherFact:
    data.only("from", "contracted", "account", "product", "version")
    account, product = _text(data, "account", NAME_LIMIT), _text(data, "product", NAME_LIMIT)
    day = _day(data, "from")
    return _fact(data, kind, usage_id(held_by(account, product), day or date.min), day, counts=("contracted",))


def _transfer(data: Reader, kind: Kind) -> OtherFact:
    """One hands on what they have of a deal in a role. The team of it is who gives, then who receives."""
    data.only("id", "deal", "role", "from", "to", "on", "reason", "version")
    role, giver, receiver = _text(data, "role", 50), _text(data, "from", 200), _text(data, "to", 200)
    reason = _text(data, "reason", 200)
    return OtherFact(
        kind=kind.kind,
        id=_text(data, "id", ID_LIMIT),
        stands=kind.stands,
        deal=_text(data, "deal", DEAL_LIMIT),
        day=_day(data, "on"),
        custom=(("reason", reason),) if reason else (),
        team=(Member(role, giver, 1), Member(role, receiver, 1)) if kind.stands else (),
    )


def _fact(
    data: Reader, kind: Kind, id: str, day: date | None, *, type: str | None = None, counts: tuple[str, ...] = ()
) -> OtherFact:
    currency = _currency(data)
    counted = tuple((key, str(data.integer(key, 0))) for key in counts if data.values.get(key) is not None)
    return OtherFact(
        kind=kind.kind,
        id=id,
        stands=kind.stands,
        deal=_text(data, "deal", DEAL_LIMIT),
        account=_text(data, "account", NAME_LIMIT),
        product=_text(data, "product", NAME_LIMIT),
        type=_text(data, "type", TYPE_LIMIT) if type is None else type,
        day=day,
        amount_minor=amount(data, "amount", currency),
        currency=currency,
        values=tuple(sorted((*values(data, MORE, currency), *counted))),
        custom=custom(data),
        team=members(data),
    )


def _currency(data: Reader) -> str:
    """Empty where the event states none, and no money either."""
    if data.values.get("currency") is None:
        stated = [key for key in _MONEY if data.values.get(key) is not None]
        if stated:
            found = "null" if "currency" in data.values else "nothing"
            data.wrong("currency", found, f"a currency code of ISO 4217, that {stated[0]} is in")
        return ""
    currency = data.pattern("currency", CODE, "a currency code of ISO 4217")
    if currency and currency not in CURRENCIES:
        data.wrong("currency", currency, "a currency code of ISO 4217")
    return currency


def _text(data: Reader, key: str, limit: int) -> str:
    return data.text(key, limit, blank=True, default="")


def _day(data: Reader, key: str) -> date | None:
    return data.day(key) if data.values.get(key) is not None else None
