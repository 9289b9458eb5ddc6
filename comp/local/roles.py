"""The two database roles and the database, as plain SQL that may be run again at any time.

`python -m comp.local.roles` prepares a server: DATABASE_ADMIN_URL is a superuser's (or a CREATEROLE CREATEDB role's)
connection, DATABASE_URL the owner's and DATABASE_APP_URL the runtime's; role passwords and the database's name are
read from the latter two.

- `comp_owner` owns the database and runs the migrations.
- `comp_app` is what web and workers connect as: owns nothing, is held by every wall.
- `comp_pay` cannot log in; comp_app takes it on inside a transaction for those who may see the pay of groups.
"""

from __future__ import annotations

import os
import sys

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn, parse_dsn

OWNER = "comp_owner"
APP = "comp_app"
PAY = "comp_pay"
OLDEST_SERVER = 150000

ATTRIBUTES = {
    OWNER: "LOGIN NOCREATEDB NOCREATEROLE",
    # NOINHERIT: what comp_pay may see must be asked for by SET ROLE, never held by accident.
    APP: "LOGIN NOINHERIT NOCREATEDB NOCREATEROLE",
    PAY: "NOLOGIN NOCREATEDB NOCREATEROLE",
}


class RolesError(RuntimeError):
    """The server or the connection cannot carry the roles."""


def roles_prepare(admin: Connection, passwords: dict[str, str] | None = None) -> None:
    """Create the three roles, or correct those that stand; `passwords` by role name where the server asks for them.

    Raises RolesError when the server is older than 15 or a standing role can pass the walls.
    """
    if admin.server_version < OLDEST_SERVER:
        raise RolesError(f"PostgreSQL {admin.server_version // 10000} is too old: 15 or newer is needed.")
    with admin.cursor() as cursor:
        superuser = _is_superuser(cursor)
        for name, attributes in ATTRIBUTES.items():
            _role_prepare(cursor, name, attributes, superuser, (passwords or {}).get(name))
        _membership_prepare(cursor, admin.server_version)
        if not superuser:
            # A managed server's administrator needs to be a member to give the database to the owner.
            _run(cursor, "GRANT {} TO CURRENT_USER", OWNER)


def database_prepare(admin: Connection, dbname: str, template: str = "template0") -> bool:
    """Create the database with its owner and who may connect; False when it stood already.

    `admin` must be in autocommit. A database's own grants are not copied from its template, so they are made here.
    """
    with admin.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname])
        created = cursor.fetchone() is None
        if created:
            _run(cursor, "CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8'", dbname, OWNER, template)
        else:
            _run(cursor, "ALTER DATABASE {} OWNER TO {}", dbname, OWNER)
        _run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", dbname)
        # TEMPORARY: bulk loads COPY into a temporary table, because COPY into a walled table is refused.
        _run(cursor, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}", dbname, APP, PAY)
        return created


def grants_prepare(admin: Connection) -> None:
    """Inside the database that `admin` is connected to: schema, extensions, default privileges."""
    with admin.cursor() as cursor:
        _run(cursor, "ALTER SCHEMA public OWNER TO {}", OWNER)
        _run(cursor, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        _run(cursor, "GRANT USAGE ON SCHEMA public TO {}, {}", APP, PAY)
        cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        # Migrations narrow the ledger and audit tables to what may be done to them.
        for what, which in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE", "SEQUENCES")):
            _run(
                cursor,
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} IN SCHEMA public GRANT {what} ON {which} TO {{}}, {{}}",
                OWNER,
                APP,
                PAY,
            )
        if _is_superuser(cursor):
            # The walls read settings that SET LOCAL makes; a SELECT that an attacker slips in must not change them.
            cursor.execute("REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC")


def prepare(admin_url: str, dbname: str, passwords: dict[str, str] | None = None) -> None:
    """Roles, database and grants, on the server that `admin_url` points to."""
    admin = _connect(admin_url)
    try:
        roles_prepare(admin, passwords)
        database_prepare(admin, dbname)
    finally:
        admin.close()
    inside = _connect(make_dsn(admin_url, dbname=dbname))
    try:
        grants_prepare(inside)
    finally:
        inside.close()


def _connect(url: str) -> Connection:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return connection


def _run(cursor: Cursor, statement: str, *names: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _is_superuser(cursor: Cursor) -> bool:
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    row = cursor.fetchone()
    return row is not None and bool(row[0])


def _role_prepare(cursor: Cursor, name: str, attributes: str, superuser: bool, password: str | None) -> None:
    cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [name])
    found = cursor.fetchone()
    if found is None:
        _run(cursor, f"CREATE ROLE {{}} {attributes}", name)
    else:
        if found[0] and not superuser:
            raise RolesError(f"Role {name} is a superuser or has BYPASSRLS: no wall holds it. Take both away first.")
        _run(cursor, f"ALTER ROLE {{}} {attributes}", name)
    if superuser:
        _run(cursor, "ALTER ROLE {} NOSUPERUSER NOBYPASSRLS NOREPLICATION", name)
    # Django would otherwise set the time zone through set_config, which the runtime role may not call.
    _run(cursor, "ALTER ROLE {} SET timezone = 'UTC'", name)
    if password is not None:
        cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(name)), [password])


def _membership_prepare(cursor: Cursor, server_version: int) -> None:
    # From 16 on inheritance belongs to the membership; on 15 comp_app's NOINHERIT says the same.
    options = " WITH INHERIT FALSE, SET TRUE" if server_version >= 160000 else ""
    _run(cursor, "GRANT {} TO {}" + options, PAY, APP)


def main() -> int:
    """Prepare the server named by the environment. Exit status 2 when a variable is missing."""
    urls = {name: os.environ.get(name, "") for name in ("DATABASE_ADMIN_URL", "DATABASE_URL", "DATABASE_APP_URL")}
    missing = [name for name, value in urls.items() if not value]
    if missing:
        print(f"Set {', '.join(missing)}; see docs/deploy.md.", file=sys.stderr)
        return 2
    owner, app = parse_dsn(urls["DATABASE_URL"]), parse_dsn(urls["DATABASE_APP_URL"])
    for name, found, wanted in (("DATABASE_URL", owner["user"], OWNER), ("DATABASE_APP_URL", app["user"], APP)):
        if found != wanted:
            print(f"{name} connects as {found}; it must be {wanted}.", file=sys.stderr)
            return 2
    passwords = {part["user"]: part["password"] for part in (owner, app) if "password" in part}
    prepare(urls["DATABASE_ADMIN_URL"], owner["dbname"], passwords)
    print(f"Roles {OWNER}, {APP}, {PAY} and database {owner['dbname']} are ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
