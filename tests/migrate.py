"""`manage.py migrate` for the tests' database, many times quicker: what a migration changes is drawn anew for its own
model alone. Django draws all models that are related to it as well, and by way of the tenant every model is related to
every other; only migrations that run code over models would see the difference, and the project has none of them."""

from __future__ import annotations

import os


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comp.settings")
    import django
    from django.core.management import call_command
    from django.db.migrations.state import ProjectState

    django.setup()

    def itself(state: ProjectState, app_label: str, model_name: str, delay: bool = False) -> set[tuple[str, str]]:
        return {(app_label, model_name)}

    ProjectState._find_reload_model = itself  # type: ignore[attr-defined]
    call_command("migrate", interactive=False, verbosity=0)


if __name__ == "__main__":
    main()
