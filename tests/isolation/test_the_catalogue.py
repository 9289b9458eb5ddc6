"""All of our tables, keys, grants, triggers, functions and roles, as PostgreSQL's catalogue has them."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection

from tests.isolation.catalogue import Catalogue, faults
from tests.isolation.filler import owned, pay_tables


def test_every_wall_stands(superuser_connection: Connection) -> None:
    with superuser_connection.cursor() as cursor:
        assert faults(cursor) == []


def test_the_lists_leave_nothing_out(superuser_connection: Connection) -> None:
    """The models and the catalogue know the same tables: all those of tenants, and those of them that show pay."""
    with superuser_connection.cursor() as cursor:
        catalogue = Catalogue(cursor)
    assert catalogue.walled == {model._meta.db_table for model in owned()}
    assert catalogue.pay == set(pay_tables())
    assert len(catalogue.walled) > 50 and len(catalogue.pay) > 8
