"""Each wall taken down, one at a time, in a transaction that is rolled back: the catalogue's test names what is
missing, and so does `manage.py verify` for what a server may have lost. And models without their walls: the system
check that fails the build names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps
from psycopg2.extensions import connection as Connection

from comp.people.models import Participant, PayGroup, Team
from comp.tenancy import checks
from comp.tenancy.models import KeptModel, TenantForeignKey, TenantModel
from comp.tenancy.walls import HistoryTrigger, PayWall, TenantReference, TenantWall
from payouts import verify
from tests.isolation.catalogue import faults

#: What is done, what the catalogue's test says of it, and whether `verify` sees it too.
PLANTED = [
    ("DROP POLICY people_team_wall ON people_team", "people_team: lacks the policy", True),
    ("ALTER TABLE people_team NO FORCE ROW LEVEL SECURITY", "people_team: row security is not forced", True),
    ("ALTER TABLE audit_auditentry DISABLE ROW LEVEL SECURITY", "audit_auditentry: row security is off", True),
    ("ALTER TABLE people_historicalteam DISABLE ROW LEVEL SECURITY", "people_historicalteam: row security is off",
     True),
    ("ALTER POLICY outbox_message_wall ON outbox_message USING (true)", "outbox_message: lacks the policy", True),
    ("ALTER POLICY people_team_wall ON people_team WITH CHECK (tenant_id > 0)", "people_team: has another", True),
    ("ALTER POLICY people_team_wall ON people_team USING (tenant_id = current_setting('app.tenant')::bigint OR true)",
     "people_team: has another policy", False),
    ("CREATE POLICY loose ON tenancy_membership FOR DELETE USING (true)", "tenancy_membership: has another", False),
    ("DROP POLICY payouts_statement_pay ON payouts_statement", "payouts_statement: lacks the policy", True),
    ("DROP POLICY crediting_credit_pay_group ON crediting_credit", "crediting_credit: lacks the policy", True),
    ("ALTER POLICY payouts_earning_pay ON payouts_earning TO comp_pay", "payouts_earning: has another policy", True),
    ("GRANT UPDATE ON payouts_ledgerentry TO comp_app", "payouts_ledgerentry: comp_app has UPDATE", True),
    ("GRANT DELETE ON audit_auditentry TO comp_pay", "audit_auditentry: comp_pay has DELETE", True),
    ("GRANT UPDATE (digest) ON payouts_ledgertransaction TO comp_app", "comp_app has UPDATE of digest", True),
    ("GRANT TRUNCATE ON people_team TO comp_app", "people_team: comp_app has TRUNCATE", False),
    ("GRANT SELECT ON people_team TO PUBLIC", "people_team: PUBLIC has SELECT", False),
    ("DROP TRIGGER ledgerentry_balance ON payouts_ledgerentry", "trigger ledgerentry_balance is missing", True),
    ("ALTER TABLE payouts_ledgerentry DISABLE TRIGGER ledgerentry_append_u", "ledgerentry_append_u is ('D'", True),
    ("ALTER TABLE people_team ENABLE TRIGGER people_team_kept", "trigger people_team_kept is ('O'", True),
    ("ALTER TABLE people_position ADD CONSTRAINT plain FOREIGN KEY (team_id) REFERENCES people_team (id)",
     "foreign key plain is ['team_id'] to ['id']", True),
    ("ALTER TABLE people_position DROP CONSTRAINT people_position_team_id_in",
     "foreign key people_position_team_id_in is missing", False),
    ("CREATE UNIQUE INDEX told ON people_participant (email, tenant_id)", "unique told starts with email", True),
    ("ALTER TABLE plans_planversion DROP CONSTRAINT planversion_once", "exclusion planversion_once is missing", False),
    ("CREATE VIEW everything AS TABLE people_participant", "everything: is a view", False),
    ("CREATE MATERIALIZED VIEW kept AS TABLE payouts_earning", "kept: is a materialized view", False),
    ("CREATE FUNCTION peek() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM payouts_earning'",
     "peek: is SECURITY DEFINER", False),
    ("ALTER FUNCTION comp_ledger_balances() RESET search_path", "comp_ledger_balances: has no search_path", False),
    ("CREATE TABLE note (id bigint, participant_id bigint)", "note: belongs to no tenant", False),
    ("CREATE TABLE bonus (tenant_id bigint, participant_id bigint, paid_minor bigint)", "bonus: row security is off",
     True),
    ("ALTER TABLE people_position ADD COLUMN salary_minor bigint", "people_position: the model and the columns",
     False),
    ("ALTER ROLE comp_pay BYPASSRLS", "comp_pay: is missing, or can step over", True),
    ("ALTER TABLE people_team OWNER TO comp_app", "comp_app: owns", True),
    ("GRANT CREATE ON SCHEMA public TO comp_app", "comp_app: has CREATE in public", False),
    ("GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO comp_app", "comp_app: has set_config", False),
    ("GRANT comp_owner TO comp_app", "comp_app: has the owner's rights", False),
    ("GRANT comp_pay TO comp_app WITH INHERIT TRUE", "comp_app: has pay it did not ask for", False),
]  # fmt: skip


@pytest.fixture
def planting(superuser_connection: Connection) -> Iterator[Connection]:
    superuser_connection.autocommit = False
    yield superuser_connection
    superuser_connection.rollback()


@pytest.mark.parametrize(("statement", "says", "verified"), PLANTED, ids=[planted[0][:60] for planted in PLANTED])
def test_a_wall_taken_down_is_named(
    planting: Connection, monkeypatch: pytest.MonkeyPatch, statement: str, says: str, verified: bool
) -> None:
    with planting.cursor() as cursor:
        cursor.execute(statement)
        found = faults(cursor)
        assert any(says in fault for fault in found), found

        def rows(query: str, params: Any = None) -> list[Any]:
            cursor.execute(query, params)
            return cursor.fetchall()

        monkeypatch.setattr(verify, "_rows", rows)
        assert bool(verify.walls().wrong) == verified


# ------------------------------------------------------------------ models


def bare() -> None:
    class Bare(models.Model):
        class Meta:
            app_label = "people"


def unwalled() -> None:
    class Unwalled(TenantModel):
        class Meta:
            app_label = "people"

    strip(Unwalled, TenantWall)


def forgetful() -> None:
    class Forgetful(KeptModel):
        __module__ = "comp.people.models"  # the history's model follows

        class Meta:
            app_label = "people"

    strip(Forgetful, HistoryTrigger)


class Paid(TenantModel):
    """What shows pay, for the models below."""

    participant = TenantForeignKey(Participant)
    pay_group = TenantForeignKey(PayGroup)
    earned_minor = models.BigIntegerField()

    class Meta:
        abstract = True


def uncovered() -> None:
    class Uncovered(Paid):
        shows_pay = True

        class Meta:
            app_label = "people"

    strip(Uncovered, PayWall)


def undeclared() -> None:
    class Undeclared(Paid):
        class Meta:
            app_label = "people"


def remembered() -> None:
    class Remembered(Paid, KeptModel):
        __module__ = "comp.people.models"
        shows_pay = True

        class Meta:
            app_label = "people"


def plain() -> None:
    class Plain(TenantModel):
        team = models.ForeignKey(Team, models.CASCADE)

        class Meta:
            app_label = "people"


def unheld() -> None:
    class Unheld(TenantModel):
        team = TenantForeignKey(Team)

        class Meta:
            app_label = "people"

    strip(Unheld, TenantReference)


def telling() -> None:
    class Telling(TenantModel):
        key = models.SlugField()

        class Meta:
            app_label = "people"
            constraints = [models.UniqueConstraint(fields=["key", "tenant"], name="telling_once")]


def unique() -> None:
    class Unique(TenantModel):
        key = models.SlugField(unique=True)

        class Meta:
            app_label = "people"


def joined() -> None:
    class Joined(TenantModel):
        teams = models.ManyToManyField(Team)

        class Meta:
            app_label = "people"


def strip(model: type[models.Model], kind: type) -> None:
    model._meta.constraints = [c for c in model._meta.constraints if not isinstance(c, kind)]


@pytest.mark.parametrize(
    ("define", "code", "says"),
    [
        (bare, "E001", "people.Bare is neither tenant-owned"),
        (unwalled, "E002", "people.Unwalled is tenant-owned and has no TenantWall"),
        (forgetful, "E003", "people.Forgetful keeps history"),
        (uncovered, "E004", "people.Uncovered shows pay"),
        (undeclared, "E005", "people.Undeclared holds a participant and amounts"),
        (remembered, "E005", "people.HistoricalRemembered holds a participant and amounts"),
        (plain, "E006", "people.Plain team points at a tenant table by a plain ForeignKey"),
        (unheld, "E007", "people.Unheld team has no tenant-keyed reference"),
        (telling, "E008", "people.Telling unique telling_once does not start with tenant"),
        (unique, "E008", "people.Unique has a unique field"),
        (joined, "E009", "people.Joined teams has a join table without a tenant"),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_model_without_its_walls_fails_the_build(
    monkeypatch: pytest.MonkeyPatch, define: Callable[[], None], code: str, says: str
) -> None:
    with isolate_apps("comp.people") as isolated:
        define()
        monkeypatch.setattr(checks, "apps", isolated)
        (error,) = checks.walls(None)
    assert error.id == f"comp.{code}" and error.msg.startswith(says)


def test_our_own_models_pass() -> None:
    assert checks.walls(None) == []
