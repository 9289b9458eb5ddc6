"""`manage.py verify [--tenant SLUG]`: walls, chains, ledger, batches and figures. Exit 1 where anything is wrong."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comp.tenancy.models import Tenant
from comp.tenancy.scope import Actor, Pay, tenant_scope
from payouts import verify


class Command(BaseCommand):
    help = "Checks the walls, the audit and ledger chains, the ledger's balance, every batch and every figure."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this company; all of them where it is not given")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["tenant"]
        tenants = list(Tenant.objects.filter(**({"slug": slug} if slug else {})).order_by("slug"))
        if slug and not tenants:
            known = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"no company {slug!r}; there are: {known}")
        found = [("the database", verify.walls())]
        for tenant in tenants:
            with _one_moment(), tenant_scope(tenant.pk, actor=Actor.command("verify"), pay=Pay.everyone()):
                found += [(tenant.slug, check()) for check in verify.CHECKS]
        self._show(found)
        failed = sum(not check.holds for _, check in found)
        if failed:
            raise CommandError(f"{failed} of {len(found)} checks failed", returncode=1)

    def _show(self, found: list[tuple[str, verify.Check]]) -> None:
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


@contextmanager
def _one_moment() -> Iterator[None]:
    """All checks of a company read one snapshot, so that work going on meanwhile is no difference."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield
