"""All of our tables, keys, grants, triggers, functions and roles, as PostgreSQL's catalogue has them."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection

from comp.tenancy.models import LooseForeignKey
from tests.isolation.catalogue import Catalogue, faults
from tests.isolation.filler import owned, pay_tables

#: Tables with references that no foreign key holds: their one writer proves them set-wise in the same transaction,
#: for a foreign key costs more than the load itself.
LOOSE = {
    "crediting_credit", "crediting_deal", "crediting_dealrevision", "crediting_dealteam", "crediting_fact",
    "crediting_factrevision", "crediting_factteam", "payouts_attainment",
    "payouts_batchline", "payouts_batchperson", "payouts_earning", "payouts_figurechange", "payouts_ledgerentry",
    "payouts_payable", "payouts_schedule", "payouts_tranche", "crediting_waitingcredit",
    "payouts_batchheld", "payouts_farapproval", "payouts_windfallreview", "payouts_writtenoff",
    "payouts_accrualline", "payouts_accrualvariance", "payouts_costline", "payouts_givenup",
}  # fmt: skip


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


def test_only_bulk_rows_have_loose_references() -> None:
    loose = {m._meta.db_table for m in owned() if any(isinstance(f, LooseForeignKey) for f in m._meta.concrete_fields)}
    assert {table for table in loose if "historical" not in table} == LOOSE
