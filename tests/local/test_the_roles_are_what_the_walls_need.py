"""The runtime role must not be able to step over a wall, and preparing a server twice must change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import errors

from comp.local import roles
from comp.local.postgres import SUPERUSER, UNSAFE_BUT_FAST, Postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A cluster whose roles were prepared twice."""
    server = Postgres(tmp_path_factory.mktemp("roles"), UNSAFE_BUT_FAST)
    server.start()
    for _ in range(2):
        roles.prepare(server.url("postgres", SUPERUSER), "comp")
    with closing(server.connect("comp", roles.OWNER)) as owner, owner.cursor() as cursor:
        cursor.execute("CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY, n bigint)")
    yield server
    server.stop()


def run(server: Postgres, user: str, *statements: str) -> list[tuple[object, ...]]:
    """The last statement's rows; all in one transaction."""
    with closing(psycopg2.connect(server.url("comp", user))) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        found = cursor.fetchall() if cursor.description else []
        connection.commit()
        return found


def test_attributes(server: Postgres) -> None:
    found = run(
        server,
        SUPERUSER,
        "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, rolinherit"
        " FROM pg_roles WHERE rolname LIKE 'comp%' ORDER BY rolname",
    )
    assert found == [
        (roles.APP, True, False, False, False, False, False, False),
        (roles.OWNER, True, False, False, False, False, False, True),
        (roles.PAY, False, False, False, False, False, False, True),
    ]


def test_the_owner_owns_database_and_schema(server: Postgres) -> None:
    assert run(
        server,
        SUPERUSER,
        "SELECT pg_get_userbyid(datdba), pg_get_userbyid(nspowner) FROM pg_database, pg_namespace"
        " WHERE datname = 'comp' AND nspname = 'public'",
    ) == [(roles.OWNER, roles.OWNER)]


@pytest.mark.parametrize("user", [roles.OWNER, roles.APP])
def test_sessions_are_in_utc(server: Postgres, user: str) -> None:
    assert run(server, user, "SHOW timezone") == [("UTC",)]


def test_the_runtime_role_writes_rows_of_the_owners_tables(server: Postgres) -> None:
    assert run(server, roles.APP, "INSERT INTO thing (n) VALUES (7) RETURNING n") == [(7,)]
    run(server, roles.APP, "UPDATE thing SET n = 8", "DELETE FROM thing")


def test_the_runtime_role_copies_through_a_temporary_table(server: Postgres) -> None:
    assert run(
        server,
        roles.APP,
        "CREATE TEMPORARY TABLE load (n bigint) ON COMMIT DROP",
        "INSERT INTO load VALUES (1), (2)",
        "INSERT INTO thing (n) SELECT n FROM load",
        "SELECT count(*) FROM thing",
    ) == [(2,)]


def test_the_pay_role_is_taken_on_and_never_just_held(server: Postgres) -> None:
    assert run(server, roles.APP, "SET LOCAL ROLE comp_pay", "SELECT current_user") == [(roles.PAY,)]
    assert run(server, roles.APP, "SELECT pg_has_role('comp_pay', 'USAGE')") == [(False,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (n bigint)",
        "TRUNCATE thing",
        "ALTER TABLE thing ADD COLUMN m bigint",
        "DROP TABLE thing",
        "CREATE ROLE other",
        "SET ROLE comp_owner",
        "SELECT set_config('app.tenant', '2', true)",
        "UPDATE pg_settings SET setting = '2' WHERE name = 'app.tenant'",
        "CREATE EXTENSION dblink",
        "COPY thing TO PROGRAM 'cat'",
    ],
)
@pytest.mark.parametrize("pay", [False, True])
def test_the_runtime_roles_are_refused(server: Postgres, statement: str, pay: bool) -> None:
    first = ["SET LOCAL ROLE comp_pay"] if pay else []
    with pytest.raises(errors.InsufficientPrivilege):
        run(server, roles.APP, *first, statement)


def test_a_role_that_was_given_too_much_is_corrected(server: Postgres) -> None:
    run(server, SUPERUSER, "ALTER ROLE comp_app BYPASSRLS CREATEDB INHERIT")
    roles.prepare(server.url("postgres", SUPERUSER), "comp")
    test_attributes(server)


def test_an_administrator_without_superuser_can_prepare_a_server(server: Postgres) -> None:
    run(
        server,
        SUPERUSER,
        "CREATE ROLE keeper LOGIN CREATEROLE CREATEDB",
        "GRANT comp_owner, comp_app, comp_pay TO keeper WITH ADMIN OPTION",
    )
    roles.prepare(server.url("postgres", "keeper"), "second")
    with closing(server.connect("second", roles.APP)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = 'btree_gist'")
        assert cursor.fetchone() == ("btree_gist",)


def test_the_command_says_what_is_missing_and_what_is_wrong(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_ADMIN_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", server.url("third", "comp_app"))
    monkeypatch.setenv("DATABASE_APP_URL", server.url("third", "comp_app"))
    assert roles.main() == 2
    assert "Set DATABASE_ADMIN_URL" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_ADMIN_URL", server.url("postgres", SUPERUSER))
    assert roles.main() == 2
    assert "DATABASE_URL connects as comp_app; it must be comp_owner" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", server.url("third", "comp_owner"))
    assert roles.main() == 0
    assert "database third" in capsys.readouterr().out
