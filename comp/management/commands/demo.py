"""Builds the demo company by sending real CRM data through the real hooks. docs/demo.md."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from comp.core.days import DayError, parse_day
from comp.core.errors import CompError
from comp.local.demo import story
from comp.local.demo.companies import COMPANIES, MAIN, PASSWORD
from comp.local.demo.erase import erase
from comp.local.demo.transport import DemoError, Inline, OverHttp

#: Wide enough for every line of `--who`: a log-in cut short is none.
WHO_WIDTH = 140


class Command(BaseCommand):
    help = "Builds the demo company through the real hooks; told again it posts everything again and changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the web server; a worker has to run too")
        parser.add_argument("--inline", action="store_true", help="without a server: hooks and drains in this process")
        parser.add_argument("--if-missing", action="store_true", help="do nothing where it stands already")
        parser.add_argument("--who", action="store_true", help="print who can log in, and nothing else")
        parser.add_argument("--today", type=_day, help="the day that the data ends on, when it is built (YYYY-MM-DD)")
        parser.add_argument("--limit", type=_count, help="so many opportunities only, spread evenly")
        parser.add_argument("--tenant", choices=["both", *COMPANIES, "main"], default="both")
        parser.add_argument("--rebuild", action="store_true", help="empty the database first, as its owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["who"]:
            Console(width=WHO_WIDTH).print(who())
            return
        chosen = MAIN.slug if options["tenant"] == "main" else options["tenant"]
        companies = [company for slug, company in COMPANIES.items() if chosen in ("both", slug)]
        if options["if_missing"] and all(story.is_built(company.slug) for company in companies):
            self.stdout.write("      it stands already")
            return
        try:
            if options["rebuild"]:
                erase()
            today = options["today"] or story.build_day()
            if options["inline"]:
                told = story.tell(companies, Inline(), today=today, limit=options["limit"])
            else:
                with OverHttp(options["url"]) as transport:
                    told = story.tell(companies, transport, today=today, limit=options["limit"])
        except (DemoError, CompError) as error:
            raise CommandError(str(error)) from error
        answers = ", ".join(f"{count:,} {status}" for status, count in sorted(told.statuses.items()))
        steps = f"{told.batches} steps on batches" if told.batches else "no batch touched"
        self.stdout.write(f"      {told.statuses.total():,} deliveries: {answers}; {steps}")


def who() -> Table:
    """The people of both companies."""
    table = Table("Log-in", "Role", "Company", "What to look at", box=None, header_style="bold", pad_edge=False)
    for company in COMPANIES.values():
        for login in company.logins:
            table.add_row(login.email, login.role.label, company.name, login.look)
    table.caption = f"Everybody's password: {PASSWORD}"
    table.caption_justify = "left"
    return table


def _day(text: str) -> date:
    try:
        return parse_day(text)
    except DayError as error:
        raise ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"found {text!r}, allowed is a whole number from 1 on")
    return int(text)
