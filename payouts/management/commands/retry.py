"""`manage.py retry [--tenant SLUG]`: takes up at once what failed, after what stopped it was put right."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from comp.outbox.services import messages_retry
from comp.tenancy.models import Tenant
from comp.tenancy.scope import Actor, Pay, tenant_scope
from payouts.services.claims import scopes_retry


class Command(BaseCommand):
    help = "Takes up news and recomputations that failed, without waiting until they are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this company; all of them where it is not given")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["tenant"]
        for tenant in Tenant.objects.filter(**({"slug": slug} if slug else {})).order_by("slug"):
            with tenant_scope(tenant.pk, actor=Actor.command("retry"), pay=Pay.everyone()):
                self.stdout.write(f"{tenant.slug}: {messages_retry()} news, {scopes_retry()} recomputations")
