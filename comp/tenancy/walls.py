"""The walls, as constraints of models: makemigrations, migrate, reverse and --check treat them like any other
constraint.

Each writes SQL of its own. When a table is created the SQL is deferred to the end of the migration, so that it may name
tables of the same migration. FORCE is set for all walled tables after every migrate (comp/tenancy/apps.py): a foreign
key validated under FORCE would see only the visible rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models.constraints import BaseConstraint

#: The runtime roles. comp_app logs in; comp_pay is what it becomes, for one transaction, to see pay by pay group.
APP, PAY = "comp_app", "comp_pay"


class SqlConstraint(BaseConstraint):
    """A constraint that is SQL statements beside the table. Subclasses give `create` and `remove`."""

    options: tuple[str, ...] = ()

    def create(self, model: type[models.Model]) -> list[str]:
        raise NotImplementedError

    def remove(self, model: type[models.Model]) -> list[str]:
        raise NotImplementedError

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        schema_editor.deferred_sql.extend(self.create(model))

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        # Also at the end: the operations of one migration may add the columns that it names after it.
        self.constraint_sql(model, schema_editor)

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        return ";\n".join(self.remove(model))

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """The database decides; forms have checks of their own."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.deconstruct() == other.deconstruct()

    __hash__ = BaseConstraint.__hash__

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs.update({key: getattr(self, key) for key in self.options})
        return path, args, kwargs


class TenantWall(SqlConstraint):
    """Rows of the transaction's tenant only. Where no tenant is set the policy raises: a forgotten tenant is an error,
    not an empty page."""

    def create(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'CREATE POLICY "{self.name}_base" ON "{table}" USING (true) WITH CHECK (true)',
            f'CREATE POLICY "{self.name}" ON "{table}" AS RESTRICTIVE '
            "USING (tenant_id = current_setting('app.tenant')::bigint) "
            "WITH CHECK (tenant_id = (SELECT current_setting('app.tenant')::bigint))",
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'DROP POLICY IF EXISTS "{self.name}" ON "{table}"',
            f'DROP POLICY IF EXISTS "{self.name}_base" ON "{table}"',
            f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
            f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        ]


class PayWall(SqlConstraint):
    """On tables that show pay: the participants in app.pay for the runtime role, the pay groups in app.pay_groups (or
    *) for comp_pay.

    Array settings stand inside a sub-select: evaluated once, not once a row. FOR ALL, so that an unfiltered update
    cannot change rows that the session may not see.
    """

    def create(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'CREATE POLICY "{self.name}" ON "{table}" AS RESTRICTIVE TO {APP} '
            "USING (participant_id = ANY((SELECT current_setting('app.pay')::bigint[])::bigint[]))",
            f'CREATE POLICY "{self.name}_group" ON "{table}" AS RESTRICTIVE TO {PAY} '
            "USING ((SELECT current_setting('app.pay_groups') = '*') OR pay_group_id = ANY((SELECT CASE WHEN "
            "current_setting('app.pay_groups') = '*' THEN '{}' ELSE current_setting('app.pay_groups') END"
            "::bigint[])::bigint[]))",
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'DROP POLICY IF EXISTS "{self.name}_group" ON "{table}"',
            f'DROP POLICY IF EXISTS "{self.name}" ON "{table}"',
        ]


class OwnRows(SqlConstraint):
    """For tables that stand before the tenant is known (memberships): the signed-in user reads its own rows in every
    tenant; rows of the transaction's tenant are read and written; none otherwise."""

    def create(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        own = "user_id = nullif(current_setting('app.user_id', true), '')::bigint"
        tenant = "tenant_id = nullif(current_setting('app.tenant', true), '')::bigint"
        return [
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'CREATE POLICY "{self.name}" ON "{table}" FOR SELECT USING ({own})',
            f'CREATE POLICY "{self.name}_tenant" ON "{table}" USING ({tenant}) '
            "WITH CHECK (tenant_id = (SELECT current_setting('app.tenant')::bigint))",
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'DROP POLICY IF EXISTS "{self.name}_tenant" ON "{table}"',
            f'DROP POLICY IF EXISTS "{self.name}" ON "{table}"',
            f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
            f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        ]


class TenantReference(SqlConstraint):
    """A foreign key on (tenant_id, column): it cannot point into another tenant. With its index, led by the tenant."""

    options = ("column", "to")

    def __init__(self, *, column: str, to: str, name: str) -> None:
        super().__init__(name=name)
        self.column, self.to = column, to

    def create(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'CREATE INDEX "{self.name}_i" ON "{table}" (tenant_id, "{self.column}")',
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{self.name}" FOREIGN KEY (tenant_id, "{self.column}") '
            f'REFERENCES "{self.to}" (tenant_id, id)',
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        return [
            f'ALTER TABLE "{model._meta.db_table}" DROP CONSTRAINT IF EXISTS "{self.name}"',
            f'DROP INDEX IF EXISTS "{self.name}_i"',
        ]


class AppendOnly(SqlConstraint):
    """Rows are inserted, never deleted, and changed only in the named columns (none: never). By grant and by trigger,
    TRUNCATE too."""

    options = ("changing",)

    def __init__(self, *, name: str, changing: Sequence[str] = ()) -> None:
        super().__init__(name=name)
        self.changing = tuple(changing)

    def create(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        fixed = [f.column for f in model._meta.concrete_fields if f.column not in self.changing]
        statements = [f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP}, {PAY}']
        refuse = "EXECUTE FUNCTION comp_refuse_change()"
        statements.append(
            f'CREATE TRIGGER "{self.name}_d" BEFORE DELETE OR TRUNCATE ON "{table}" FOR EACH STATEMENT {refuse}',
        )
        statements.append(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{self.name}_d"')
        if self.changing:
            columns = ", ".join(f'"{c}"' for c in self.changing)
            statements.append(f'GRANT UPDATE ({columns}) ON "{table}" TO {APP}, {PAY}')
            same = " OR ".join(f'OLD."{c}" IS DISTINCT FROM NEW."{c}"' for c in fixed)
            statements.append(
                f'CREATE TRIGGER "{self.name}_u" BEFORE UPDATE ON "{table}" FOR EACH ROW WHEN ({same}) {refuse}',
            )
        else:
            statements.append(f'CREATE TRIGGER "{self.name}_u" BEFORE UPDATE ON "{table}" FOR EACH STATEMENT {refuse}')
        statements.append(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{self.name}_u"')
        return statements

    def remove(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        return [
            f'DROP TRIGGER IF EXISTS "{self.name}_d" ON "{table}"',
            f'DROP TRIGGER IF EXISTS "{self.name}_u" ON "{table}"',
            f'GRANT UPDATE, DELETE ON "{table}" TO {APP}, {PAY}',
        ]


class HistoryTrigger(SqlConstraint):
    """Every insert, update and delete leaves a row in the history table, whoever wrote it and however (bulk and
    queryset updates too)."""

    options = ("into",)

    def __init__(self, *, name: str, into: str) -> None:
        super().__init__(name=name)
        self.into = into

    def create(self, model: type[models.Model]) -> list[str]:
        return [
            f'CREATE TRIGGER "{self.name}" AFTER INSERT OR UPDATE OR DELETE ON "{model._meta.db_table}" '
            f"FOR EACH ROW EXECUTE FUNCTION comp_keep_history('{self.into}')",
            f'ALTER TABLE "{model._meta.db_table}" ENABLE ALWAYS TRIGGER "{self.name}"',
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        return [f'DROP TRIGGER IF EXISTS "{self.name}" ON "{model._meta.db_table}"']


class NoOverlap(SqlConstraint):
    """No two rows of the same `key` columns whose half-open [starts_on, ends_on) overlap (an empty end is open);
    `where` narrows."""

    options = ("key", "where")

    def __init__(self, *, name: str, key: Sequence[str], where: str = "") -> None:
        super().__init__(name=name)
        self.key, self.where = tuple(key), where

    def create(self, model: type[models.Model]) -> list[str]:
        same = ", ".join(f'"{c}" WITH =' for c in ("tenant_id", *self.key))
        where = f" WHERE ({self.where})" if self.where else ""
        return [
            f'ALTER TABLE "{model._meta.db_table}" ADD CONSTRAINT "{self.name}" EXCLUDE USING gist '
            f"({same}, daterange(starts_on, ends_on, '[)') WITH &&){where}",
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        return [f'ALTER TABLE "{model._meta.db_table}" DROP CONSTRAINT IF EXISTS "{self.name}"']


class Trigger(SqlConstraint):
    """A trigger with a function that stands in a migration (for rules across rows, such as a balanced ledger)."""

    options = ("when", "function", "deferred")

    def __init__(self, *, name: str, when: str, function: str, deferred: bool = False) -> None:
        super().__init__(name=name)
        self.when, self.function, self.deferred = when, function, deferred

    def create(self, model: type[models.Model]) -> list[str]:
        table = model._meta.db_table
        kind = "CONSTRAINT TRIGGER" if self.deferred else "TRIGGER"
        late = " DEFERRABLE INITIALLY DEFERRED" if self.deferred else ""
        return [
            f'CREATE {kind} "{self.name}" {self.when} ON "{table}"{late} '
            f"FOR EACH ROW EXECUTE FUNCTION {self.function}()",
            f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{self.name}"',
        ]

    def remove(self, model: type[models.Model]) -> list[str]:
        return [f'DROP TRIGGER IF EXISTS "{self.name}" ON "{model._meta.db_table}"']
