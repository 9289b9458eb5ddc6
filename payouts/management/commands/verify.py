"""`manage.py verify [--tenant SLUG] [--sample N [--seed TEXT]]`: walls, chains, ledger, batches and figures, or a
sample of the figures, as beat takes every minute. Exit 1 where anything is wrong."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comp.tenancy.models import Tenant
from comp.tenancy.scope import Actor, Pay, one_moment, tenant_scope
from payouts import verify
from payouts.services.sampling import sample_verify

#: How long a sample of one company may take.
SECONDS = 600.0


class Command(BaseCommand):
    help = "Checks the walls, the audit and ledger chains, the ledger's balance, every batch and every figure."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this company; all of them where it is not given")

        parser.add_argument(
            "--sample", type=int, metavar="N", help="only N people's measure periods of each company; raises alerts"
        )
        parser.add_argument("--seed", help="what the sample is drawn by; made up and printed where it is not given")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["tenant"]
        tenants = list(Tenant.objects.filter(**({"slug": slug} if slug else {})).order_by("slug"))
        if slug and not tenants:
            known = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"no company {slug!r}; there are: {known}")
        if options["sample"] is not None:
            return self._sample(tenants, options["sample"], options["seed"] or secrets.token_hex(4))
        found = [("the database", verify.walls())]
        for tenant in tenants:
            with one_moment(), tenant_scope(tenant.pk, actor=Actor.command("verify"), pay=Pay.everyone()):
                found += [(tenant.slug, check()) for check in verify.CHECKS]
        self._end(found)

    def _sample(self, tenants: Sequence[Tenant], size: int, seed: str) -> None:
        if size < 1:
            raise CommandError(f"--sample is {size}; at least 1 is drawn")
        found = []
        for tenant in tenants:
            sample = sample_verify(tenant.pk, size=size, seed=seed, seconds=SECONDS)
            looked = f"{sample.looked_at} of {sample.asked} people's measure periods, seed {seed}"
            found.append((tenant.slug, verify.Check("Sampled: incremental = full", looked, sample.wrong)))
        self._end(found)

    def _end(self, found: Sequence[tuple[str, verify.Check]]) -> None:
        self._show(found)
        failed = sum(not check.holds for _, check in found)
        if failed:
            raise CommandError(f"{failed} of {len(found)} checks failed", returncode=1)

    def _show(self, found: Sequence[tuple[str, verify.Check]]) -> None:
        table = Table("", "What", "Where", "Looked at", header_style="bold")
        for where, check in found:
            table.add_row("[green]✓[/]" if check.holds else "[red]✗[/]", check.name, where, check.looked_at)
        console = Console(file=cast(IO[str], self.stdout), highlight=False)
        console.print(table)
        for where, check in found:
            for problem in check.wrong:
                console.print(f"[red]✗[/] {where}: {check.name}: {escape(problem)}", soft_wrap=True)
        if all(check.holds for _, check in found):
            console.print(f"All {len(found)} checks hold.")
