"""`manage.py migrate`, many times quicker: what a migration changes is drawn anew for its own model alone.

Django draws every model that is related to it as well, and by way of the tenant every model is related to every other:
time grows with their square. Only migrations that run code over related models would see the difference; the project
has none of them, and a test holds it to that.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db.migrations.state import ProjectState


def _itself(state: ProjectState, app_label: str, model_name: str, delay: bool = False) -> set[tuple[str, str]]:
    return {(app_label, model_name)}


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        before = ProjectState._find_reload_model  # type: ignore[attr-defined]
        ProjectState._find_reload_model = _itself  # type: ignore[attr-defined]
        try:
            super().handle(*args, **options)
        finally:
            ProjectState._find_reload_model = before  # type: ignore[attr-defined]
