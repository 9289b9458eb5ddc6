"""The environment that `make run` gives to web, worker, beat and the demo: servers, secrets, folders."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

from comp.local import roles
from comp.local.dev import CHECKOUT, DATABASE
from comp.local.postgres import SUPERUSER, Postgres
from comp.local.process import ServerError

GENERATED = ("SECRET_KEY", "COMP_OWNER_PASSWORD", "COMP_APP_PASSWORD")


def secrets_keep(data: Path) -> dict[str, str]:
    """The secrets of this data folder: made once, kept in a file that only this user reads."""
    file = data / "secrets.json"
    try:
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    except json.JSONDecodeError as error:
        raise ServerError(
            f"{file} cannot be read ({error}). Put it right, or remove it: new secrets are made."
        ) from None
    missing = {name: secrets.token_urlsafe(48) for name in GENERATED if name not in kept}
    if missing:
        kept |= missing
        unfinished = file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(kept, indent=1))
        unfinished.replace(file)
    return kept


def base(data: Path, given: Mapping[str, str]) -> dict[str, str]:
    """What does not depend on the servers. Variables that are set already win."""
    return {
        "SECRET_KEY": secrets_keep(data)["SECRET_KEY"],
        "STATIC_ROOT": str(data / "static"),
        **given,
        "DJANGO_SETTINGS_MODULE": "comp.settings",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
    }


def database_embedded(postgres: Postgres) -> dict[str, str]:
    """Roles and database on the embedded server, and where to find them."""
    roles.prepare(postgres.url("postgres", SUPERUSER), DATABASE)
    return {
        "DATABASE_URL": postgres.url(DATABASE, roles.OWNER),
        "DATABASE_APP_URL": postgres.url(DATABASE, roles.APP),
    }


def database_given(data: Path, given: Mapping[str, str]) -> dict[str, str]:
    """A server of the user's own, by DATABASE_URL.

    The owner's URL is used as it is, with DATABASE_APP_URL or COMP_APP_PASSWORD beside it. Any other user's must be
    an administrator's: with it the roles are made, with passwords kept in the data folder.
    """
    url = given["DATABASE_URL"]
    user = unquote(urlparse(url).username or "")
    if user == roles.OWNER:
        if not given.get("DATABASE_APP_URL") and not given.get("COMP_APP_PASSWORD"):
            raise ServerError(
                f"DATABASE_URL connects as {roles.OWNER}: set DATABASE_APP_URL or COMP_APP_PASSWORD too. "
                "Or give an administrator's URL, and the roles are made for you."
            )
        return {"DATABASE_URL": url}
    found = urlparse(url)
    database = unquote(found.path.lstrip("/"))
    if not database:
        raise ServerError("DATABASE_URL names no database: postgresql://user:password@host:port/DATABASE is needed.")
    kept = secrets_keep(data)
    passwords = {roles.OWNER: kept["COMP_OWNER_PASSWORD"], roles.APP: kept["COMP_APP_PASSWORD"]}
    # By way of the database that every server has: the named one may not stand yet.
    roles.prepare(found._replace(path="/postgres").geturl(), database, passwords)
    return {
        "DATABASE_URL": _as_user(url, roles.OWNER, passwords[roles.OWNER]),
        "DATABASE_APP_URL": _as_user(url, roles.APP, passwords[roles.APP]),
    }


def _as_user(url: str, user: str, password: str) -> str:
    found = urlparse(url)
    host = found.netloc.rpartition("@")[2]
    return found._replace(netloc=f"{quote(user)}:{quote(password)}@{host}").geturl()
