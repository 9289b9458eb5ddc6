"""A case file in the database: its people, plans, quotas and deals, made by the services and sent as the CRM would; and
the lines that stand then, named as those of the kernel on the case itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from comp.core.days import day_date, parse_day
from comp.core.money import parse_money
from comp.core.numbers import parse_number
from comp.outbox.services import publish, work_once
from comp.people import dated
from comp.people import services as people
from comp.people.models import Attribute, CreditRole, Participant, PayCalendar
from comp.people.rates import rate_set
from comp.tenancy.capabilities import Role
from crediting.models import Deal
from crediting.services.catalogue import account_create, product_create
from payouts.case import Case, read_case
from payouts.kernel import calculate
from payouts.kernel.batch import OF_CARRY, OF_CREDIT, OF_OPENING, OF_PERIOD, OF_REVERSAL
from payouts.models import CutOver, Earning, Opening, OpeningFile, OpeningTranche, Tranche
from plans import services as plans
from plans.models import Plan
from plans.rules.load import read_yaml, to_yaml
from tests.factories import Company, company, member, person
from tests.intake.sending import Sender, deal, event, sender

#: Day, line kind, fact, what it takes back, component, person, amount, and the tranches: release day, state, amount in
#: the plan's currency, amount and currency of pay where it is another one.
Line = tuple[Any, ...]
#: What this module puts into the database.
KEYS = frozenset(
    ("format", "name", "calendar", "people", "plan", "plans", "assignments", "attributes", "quotas", "reporting")
    + ("deals", "transfers", "milestones", "usage", "leave", "employment", "holidays", "exchange", "pay_currency")
    + ("openings", "expect")
)
FIELDS = frozenset(("stage", "amount", "close_date", "engage_date", "currency"))


@dataclass
class World:
    """A company that a case was made into."""

    acme: Company
    crm: Sender
    case: Case
    people: dict[str, Participant]

    def work(self) -> None:
        for _ in range(50):
            if not work_once(self.acme.tenant.pk):
                return
        raise AssertionError("work does not come to an end")

    def lines(self) -> Counter[Line]:
        """The lines that stand."""
        with self.acme.scope():
            parts: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
            for part in Tranche.objects.order_by("index", "part"):
                paid = (part.amount_minor, part.currency) if part.plan_minor is not None else ()
                row = (part.release_day, part.state, part.earned_minor, *paid)
                parts.setdefault(_key(part), []).append(row)
            names = {one.pk: name for name, one in self.people.items()}
            deals = dict(Earning.objects.exclude(deal=None).values_list("deal_id", "deal__external_id"))
            return Counter(
                (
                    names[line.participant_id],
                    line.component,
                    line.line_kind,
                    deals.get(line.fact, ""),
                    deals.get(line.origin, ""),
                    line.rule if line.line_kind in (OF_CREDIT, OF_REVERSAL) else line.period,
                    line.role,
                    line.credit_date,
                    line.rounded_minor,
                    line.earned_minor,
                    tuple(parts.get(_key(line), ())),
                )
                for line in Earning.objects.all()
            )


def _key(row: Any) -> tuple[Any, ...]:
    named = (row.participant_id, row.component, row.line_kind, row.fact, row.origin, row.period)
    return (*named, row.plan_id, row.rule, row.role, row.split)


def kernel_lines(case: Case) -> Counter[Line]:
    """The lines of the case by the kernel."""
    result = calculate(case.batch)
    lines, groups, credits, parts = result.lines, result.groups, result.credits, result.tranches
    found: list[Line] = []
    tranches: dict[int, list[tuple[Any, ...]]] = {}
    for row in range(parts.line.size):
        released = int(parts.release_day[row])
        state = (0 if parts.pay_period[row] >= 0 else 1) if parts.state is None else int(parts.state[row])
        day = day_date(released) if state == 0 else None
        line, paid = int(parts.line[row]), tuple[Any, ...]()
        if parts.paid_amount is not None and parts.exchange is not None and parts.exchange[row] != -1:
            person = int(groups.participant[lines.group[line]])
            paid = (int(parts.paid_amount[row]), (case.batch.pay_currency or {})[person])
        tranches.setdefault(line, []).append((day, state, int(parts.amount[row]), *paid))
    for row in range(lines.group.size):
        kind = OF_CREDIT if lines.kind is None else int(lines.kind[row])
        credit, group = int(lines.credit[row]), int(lines.group[row])
        fact = int(credits.fact[credit]) if lines.fact is None else int(lines.fact[row])
        plan = case.batch.plans[int(credits.plan[credit]) if lines.plan is None else int(lines.plan[row])]
        component = plan.components[int(lines.component[row])]
        rule: Any = ""
        if kind in (OF_PERIOD, OF_CARRY):
            rule = day_date(int(case.batch.periods[component.every][groups.period[group]]))
        elif kind == OF_OPENING:
            rule = day_date(int(lines.day[row]))
        else:
            rule = case.batch.plans[int(credits.plan[credit])].credit_rules[int(credits.rule[credit])].key
        found.append(
            (
                case.people[int(groups.participant[group])],
                component.key,
                kind,
                case.facts[fact] if fact >= 0 else "",
                case.facts[int(credits.fact[credit])] if kind == OF_REVERSAL else "",
                rule,
                credits.role.vocabulary[int(credits.role.codes[credit])] if credit >= 0 else "",
                day_date(int(credits.day[credit] if lines.day is None else lines.day[row])),
                int(lines.rounded[row]),
                int(lines.earned[row]),
                tuple(tranches.get(row, ())),
            )
        )
    return Counter(found)


def world(path: Path) -> World:
    """The company of a case file, with everything sent and worked."""
    document = read_yaml(path.read_text(encoding="utf-8"), "case")
    case = read_case(document)
    acme = company("acme", opens_on=date(2026, 1, 1), currency=case.currency)
    ops, other = member(acme, Role.SALES_OPS, "Olga Ops"), member(acme, Role.SALES_OPS, "Otto Ops")
    with acme.scope(ops):
        paid_in = document.get("pay_currency", {})
        known = {
            name: person(acme, name, starts_on=date(2020, 1, 1), currency=paid_in.get(name, "")) for name in case.people
        }
        product_create(key="mg", name="MG Special")
        account_create(key="acme", name="Acme Corporation")
        _roles(document)
        _positions(document, known)
        _days(document, known)
        for row in document.get("exchange", []):
            rate_set(
                source=row["from"], target=row["to"], kind=row["kind"], rate=str(row["rate"]),
                starts_on=parse_day(row.get("start", "2000-01-01")),
                ends_on=parse_day(row["end"]) if "end" in row else None,
            )  # fmt: skip
        for row in document.get("reporting", []):
            line = people.reporting_line_set(
                participant=known[row["person"]], manager=known[row["manager"]], starts_on=parse_day(row["from"])
            )
            if "to" in row:
                people.row_end(row=line, ends_on=parse_day(row["to"]))
        _plans(document, ops, other)
        for row in document["assignments"]:
            plan = Plan.objects.get(key=row["plan"]) if "plan" in row else Plan.objects.order_by("id")[0]
            ends = {"ends_on": parse_day(row["to"])} if "to" in row else {}
            plans.assignment_set(participant=known[row["person"]], plan=plan, starts_on=parse_day(row["from"]), **ends)
        for row in document.get("quotas", []):
            start, end = _period(case, row["period"])
            counted = "units" in row
            amount = parse_number(str(row["units"])) if counted else parse_money(str(row["amount"]), case.currency)
            plans.quota_set(
                participant=known[row["person"]], key=row["key"], starts_on=start, ends_on=end, amount_minor=amount,
                currency=case.currency, unit="number" if counted else "money",
            )  # fmt: skip
    built = World(acme, sender(acme), case, known)
    for row in document.get("deals", []):
        built.crm.send(_deal(row, known, case.currency))
    if "openings" in document:
        built.work()
        with acme.scope(ops):
            _openings(built, document["openings"], ops)
    for place, row in enumerate(document.get("milestones", [])):
        at = f"2026-01-02T00:{place:02}:00Z"
        built.crm.send(event("milestone.reached", at, deal=row["deal"], milestone=row["kind"], on=row["day"]))
    for place, row in enumerate(document.get("usage", [])):
        at = f"2026-01-03T00:{place:02}:00Z"
        reading = {name: int(row[name]) for name in ("used", "contracted")}
        built.crm.send(event("usage.reading", at, deal=row["deal"], on=row["day"], **reading))
    for place, row in enumerate(document.get("transfers", [])):
        handed = {"role": row["role"], "from": known[row["from"]].key, "to": known[row["to"]].key, "on": row["day"]}
        at = f"2026-01-04T00:{place:02}:00Z"
        built.crm.send(event("deal.transferred", at, id=f"T{place}", deal=row["deal"], **handed))
    built.work()
    return built


def _openings(built: World, rows: Any, by: Any) -> None:
    """What the system before earned, as a cut-over of the day after the last opening brings it forward."""
    group, currency = built.acme.pay_group, built.case.currency
    last = max(parse_day(row["day"]) for row in rows)
    cut_over = CutOver.objects.create(
        pay_group=group,
        source="The old one",
        day=(last.replace(day=28) + timedelta(days=4)).replace(day=1),
        prepared_by=by,
    )
    file = OpeningFile.objects.create(
        cut_over=cut_over, kind="openings", name="o.csv", digest="0" * 64, rows=len(rows), totals={}, uploaded_by=by
    )
    for place, row in enumerate(rows):
        whose = {"participant": built.people[row["person"]], "pay_group": group, "currency": currency}
        day, earned = parse_day(row["day"]), parse_money(str(row["earned"]), currency)
        opening = Opening.objects.create(
            cut_over=cut_over, file=file, row=place + 1, plan=Plan.objects.get(), component=row["component"], day=day,
            measured_minor=parse_money(str(row["measured"]), currency), earned_minor=earned, **whose,
        )  # fmt: skip
        for index, part in enumerate(row.get("tranches", [{"amount": row["earned"], "on": row["day"]}])):
            paid: dict[str, Any] = {}
            if "paid" in part:
                own = built.people[row["person"]].currency
                rate = Decimal(str(part["paid"])) / Decimal(str(part["amount"]))
                paid = {"paid_minor": parse_money(str(part["paid"]), own), "paid_in": own, "paid_rate": round(rate, 10)}
            OpeningTranche.objects.create(
                opening=opening, index=index, amount_minor=parse_money(str(part["amount"]), currency),
                release_day=parse_day(part["on"]) if "on" in part else None, milestone=part.get("milestone", ""),
                deal=Deal.objects.get(external_id=part["deal"]) if "deal" in part else None, **whose, **paid,
            )  # fmt: skip
    changes = [{"participant": built.people[row["person"]].pk, "day": row["day"]} for row in rows]
    publish(topic="openings.changed", payload={"changes": changes, "label": "Brought forward"})


def _roles(document: Any) -> None:
    roles = {member["role"] for deal in document.get("deals", []) for member in deal.get("team", [])}
    for role in sorted(roles - set(CreditRole.objects.values_list("key", flat=True))):
        people.credit_role_create(key=role, name=role.capitalize())


def _positions(document: Any, known: dict[str, Participant]) -> None:
    role = CreditRole.objects.get(key="ae")
    teams = {
        key: people.team_create(key=key.lower(), name=key)
        for key in sorted({row["team"] for row in document.get("attributes", []) if "team" in row})
    }
    for row in document.get("attributes", []):
        starts, ends = parse_day(row.get("from", "2020-01-01")), parse_day(row["to"]) if "to" in row else None
        for name in Attribute.Name.values:
            if name in row:
                dated.attribute_set(participant=known[row["person"]], name=name, value=row[name], starts_on=starts)
                if ends:
                    dated.attribute_set(participant=known[row["person"]], name=name, value="", starts_on=ends)
        if "title" not in row and "team" not in row:
            continue
        position = people.position_set(
            participant=known[row["person"]], title=row.get("title", "AE"), credit_role=role,
            team=teams.get(row.get("team")), territory=None, starts_on=starts,
        )  # fmt: skip
        if ends:
            people.row_end(row=position, ends_on=ends)


def _days(document: Any, known: dict[str, Participant]) -> None:
    """When people are employed, on leave, and nobody works."""
    spans: dict[str, list[tuple[date, date | None]]] = {}
    for row in document.get("employment", []):
        ends = parse_day(row["to"]) if "to" in row else None
        spans.setdefault(row["person"], []).append((parse_day(row.get("from", "2020-01-01")), ends))
    for name, rows in spans.items():
        rows.sort()
        people.participant_change(participant=known[name], starts_on=rows[0][0], ends_on=rows[-1][1])
        for (_, before), (after, _) in pairwise(rows):
            dated.gap_set(participant=known[name], starts_on=before, ends_on=after)
    for row in document.get("leave", []):
        ends = parse_day(row["to"]) if "to" in row else None
        people.leave_set(participant=known[row["person"]], starts_on=parse_day(row["from"]), ends_on=ends)
    for day in document.get("holidays", []):
        dated.holiday_set(calendar=PayCalendar.objects.get(), day=parse_day(day), name="Holiday")


def _plans(document: Any, ops: Any, other: Any) -> None:
    rows = document.get("plans") or [{"document": document["plan"], "from": "2020-01-01"}]
    for row in rows:
        body = row["document"]
        plan = Plan.objects.filter(key=body["key"]).first()
        plan = plan or plans.plan_create(key=body["key"], name=body["key"].capitalize())
        draft = plans.version_draft(
            plan=plan, text=to_yaml(body), starts_on=parse_day(row["from"]), note="A case", prepared_by=ops,
            ends_on=parse_day(row["to"]) if "to" in row else None,
        )  # fmt: skip
        plans.version_publish(version=draft, published_by=other)


def _period(case: Case, name: str) -> tuple[date, date]:
    for found in case.periods.values():
        for period in found:
            if period.key == name:
                return day_date(period.start), day_date(period.end)
    raise AssertionError(f"no period {name}")


def _deal(row: Any, known: dict[str, Participant], currency: str) -> dict[str, Any]:
    fields = row["fields"]
    team = [
        {"role": each["role"], "person": known[each["person"]].key, "weight": int(each.get("weight", 1))}
        for each in row.get("team", [])
    ]
    at = row.get("event_time", "2026-01-01T00:00:00Z")
    stage = str(fields.get("stage", "won"))
    custom = {
        key.removeprefix("custom."): str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in fields.items()
        if key.startswith("custom.")
    }
    amount = fields.get("amount")
    return deal(
        "updated", at, deal=row["id"], stage=stage, owner=None, team=team, account="acme", product="mg",
        amount=None if amount is None else str(amount), currency=fields.get("currency", currency),
        close_date=fields.get("close_date"), engage_date=fields.get("engage_date"), custom=custom,
    )  # fmt: skip


def fits(document: Any) -> str:
    """Why a case cannot be put into the database by this module; empty where it can."""
    more = set(document) - KEYS
    if more:
        return f"has {', '.join(sorted(more))}"
    calendar = document["calendar"]
    if (calendar["pay"], int(calendar["fiscal_start_month"])) != ("monthly", 1):
        return "another calendar"
    if "{person: " in str(document.get("plan", "")).replace("'", ""):
        return "an override by a person's name"
    for row in document.get("deals", []):
        odd = [key for key in row["fields"] if key not in FIELDS and not key.startswith("custom.")]
        if odd or set(row) - {"id", "fields", "team", "event_time"}:
            return f"a deal with {odd or sorted(row)}"
        if not any(each["role"] == "ae" for each in row.get("team", [])):
            return "a deal without an owner"
    return ""
