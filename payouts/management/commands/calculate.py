"""`manage.py calculate CASE.yaml`: what a plan pays for the people and facts of one file, without a database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from comp.core.errors import CompError
from payouts.case import read_case
from payouts.case_json import as_json
from payouts.case_plans import with_named_plans
from payouts.case_report import Report
from payouts.case_statement import statement
from payouts.kernel import calculate
from plans.rules.load import read_yaml


class Command(BaseCommand):
    help = "Calculates a case file (docs/algorithms/case-files.md) and tells why; fails where `expect` does not hold."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("case", type=Path, metavar="CASE.yaml")
        parser.add_argument("--json", action="store_true", help="print every intermediate as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["case"]
        try:
            case = read_case(with_named_plans(read_yaml(path.read_text(encoding="utf-8"), "case"), path.parent))
            report = Report(case, calculate(case.batch, traced=True))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read: {error}") from None
        except CompError as error:
            raise CommandError(f"{path}:\n{error}") from None
        if options["json"]:
            self.stdout.write(json.dumps(as_json(report), indent=2, ensure_ascii=False))
        else:
            self.stdout.write(statement(report), ending="")
        failures = report.failures()
        if failures:
            raise CommandError("\n".join(["Not as expected:", *(f"  {failure}" for failure in failures)]))
        if case.expectations and not options["json"]:
            self.stdout.write(f"\nAll {len(case.expectations)} expectations hold.")
