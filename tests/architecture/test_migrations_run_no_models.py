"""`migrate` draws each model alone (comp.tenancy.management.commands.migrate): that holds while no migration of ours
runs code over models."""

from __future__ import annotations

from django.apps import apps
from django.db import migrations
from django.db.migrations.loader import MigrationLoader

ROOMS = ("comp.", "plans", "crediting", "payouts", "signals")
OURS = {config.label for config in apps.get_app_configs() if config.name.startswith(ROOMS)}


def test_no_migration_of_ours_runs_code_over_models() -> None:
    found = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    mine = {key: migration for key, migration in found.items() if key[0] in OURS}
    assert len(mine) > 50
    running = [key for key, each in mine.items() for op in each.operations if isinstance(op, migrations.RunPython)]
    assert running == []
