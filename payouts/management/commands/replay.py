"""`manage.py replay --tenant T --period P [--as-of TIME]`: recomputes and compares; exit 1 on any difference."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from comp.core.days import day_date
from comp.core.money import format_money
from comp.people.calendars import pay_periods
from comp.people.models import PayGroup
from comp.people.selectors import today
from comp.tenancy.models import Tenant
from comp.tenancy.scope import Actor, Pay, tenant_scope
from payouts.services.replay import replay_period


class Command(BaseCommand):
    help = (
        "Recomputes a pay period and compares it with what stands, or with what was posted; exit 1 on any difference."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the company's short name, as in its addresses")
        parser.add_argument("--period", required=True, help="a pay period's key, such as 2026-11, or `all`")
        parser.add_argument(
            "--as-of", help="a recorded moment, such as 2026-11-30T18:00:00Z; a posted period: its submission"
        )

    def handle(self, *args: Any, tenant: str, period: str, as_of: str | None, **options: Any) -> None:
        company = Tenant.objects.filter(slug=tenant).first()
        if company is None:
            raise CommandError(
                f"no company {tenant!r}; there are {', '.join(Tenant.objects.values_list('slug', flat=True)) or 'none'}"
            )
        moment = _moment(as_of) if as_of else None
        wrong = replayed = 0
        with tenant_scope(company.pk, actor=Actor.command("replay"), pay=Pay.everyone()):
            for pay_group in PayGroup.objects.select_related("calendar"):
                for found in pay_periods(pay_group.calendar, pay_group.opens_on, today(company)):
                    if period not in ("all", found.key):
                        continue
                    replayed += 1
                    result = replay_period(pay_group, day_date(found.start), moment)
                    wrong += len(result.found)
                    sign = "differs from" if result.found else "equals"
                    total = format_money(result.total_minor, company.currency)
                    self.stdout.write(
                        f"{pay_group.name}, {found.name}: {result.lines} lines, {total}; {sign} {result.against}"
                    )
                    for line in result.found[:50]:
                        self.stdout.write(f"  {line}")
        if not replayed:
            raise CommandError(f"no pay period {period!r}; keys look like 2026-11 or 2026-Q4")
        if wrong:
            raise CommandError(f"{wrong} differences")


def _moment(text: str) -> datetime:
    found = parse_datetime(text)
    if found is None:
        raise CommandError(f"--as-of: found {text!r}, allowed is a moment such as 2026-11-30T18:00:00Z")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
