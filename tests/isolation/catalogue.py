"""What stands in PostgreSQL's own catalogue, held against what the walls need. `faults` names everything that differs;
it shares no line with `manage.py verify`, which looks for the same from inside the product.

The expressions are written out as PostgreSQL prints them: a policy that merely mentions the tenant is not a wall."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from psycopg2.extensions import cursor as Cursor

from comp.tenancy.walls import APP, PAY, AppendOnly, HistoryTrigger, NoOverlap, TenantReference, Trigger

#: Tables with a tenant_id behind another wall, or none.
OUTSIDE = {
    "tenancy_membership": "read before the tenant is known; policies of its own",
    "tenancy_endpointroute": "read before the tenant is known: an address and a tenant, nothing else",
}
#: Tables of ours without a tenant, and of the libraries: of people and sessions, none of a company's data.
NOBODYS = {
    "tenancy_tenant": "the companies themselves",
    "tenancy_user": "a person may belong to several companies",
    "tenancy_user_groups": "Django's; unused",
    "tenancy_user_user_permissions": "Django's; unused",
    "tenancy_roletable": "what each role may do, the same for every company",
    "api_callcount": "how often a key or an address called in a minute",
    "auth_group": "Django's; unused",
    "auth_group_permissions": "Django's; unused",
    "auth_permission": "Django's; unused",
    "django_admin_log": "Django's; no company's model is in the admin",
    "django_content_type": "Django's: names of models",
    "django_migrations": "Django's: names of migrations",
    "django_session": "a person's log-in: keys and the company last visited",
    "account_emailaddress": "a person's address",
    "account_emailconfirmation": "a person's address",
    "mfa_authenticator": "a person's second factor",
    "axes_accessattempt": "log-ins that failed, before anybody is known",
    "axes_accessattemptexpiration": "log-ins that failed",
    "axes_accessfailurelog": "log-ins that failed",
    "axes_accesslog": "log-ins",
}
#: A participant and an amount, and yet no pay.
NOT_PAY = {
    "plans_quota": "a target that the team plans with, not what anybody earns",
    "plans_historicalquota": "the same as it was",
}
#: No amount, and yet pay.
ALSO_PAY = {
    "crediting_waitingcredit": "who will have a credit of what",
    "payouts_attachment": "what proves an adjustment of somebody's pay",
    "payouts_evidenceexport": "a pay group's whole batch, in a file",
    "payouts_evidencefile": "a part of the same",
    "payouts_unsettled": "whose pay waits for a rate of exchange",
    "payouts_download": "a pay group's large batch or period, in a file",
    "payouts_downloadpart": "a part of the same",
    "payouts_disputeentry": "what is said about somebody's pay",
}
#: SECURITY DEFINER functions of ours. Whoever adds one says here why it cannot leak.
DEFINERS: dict[str, str] = {
    "comp_redact": "answers nothing; changes one text of the transaction's own tenant, by an erasure of two people"
}

TENANT = "(tenant_id = (current_setting('app.tenant'::text))::bigint)"
TENANT_WRITTEN = "(tenant_id = ( SELECT (current_setting('app.tenant'::text))::bigint AS current_setting))"
BY_PARTICIPANT = (
    "(participant_id = ANY (( SELECT (current_setting('app.pay'::text))::bigint[] AS current_setting)::bigint[]))"
)
BY_GROUP = (
    "(( SELECT (current_setting('app.pay_groups'::text) = '*'::text)) OR (pay_group_id = ANY (( SELECT ( CASE WHEN "
    "(current_setting('app.pay_groups'::text) = '*'::text) THEN '{}'::text ELSE "
    "current_setting('app.pay_groups'::text) END)::bigint[] AS current_setting)::bigint[])))"
)
OWN_TENANT = "(tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::bigint)"
OWN_ROWS = "(user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::bigint)"

KINDS = {"v": "view", "m": "materialized view", "f": "foreign table"}

#: Policies as (restrictive, command, roles, USING, WITH CHECK).
WALL = {(False, "*", (), "true", "true"), (True, "*", (), TENANT, TENANT_WRITTEN)}
PAY_WALL = {(True, "*", (APP,), BY_PARTICIPANT, None), (True, "*", (PAY,), BY_GROUP, None)}
MEMBERSHIP = {(False, "r", (), OWN_ROWS, None), (False, "*", (), OWN_TENANT, TENANT_WRITTEN)}


def faults(cursor: Cursor) -> list[str]:
    """Every difference, each with the table's or the role's name; none: the walls stand."""
    look = Catalogue(cursor)
    return sorted({*look.tables_wrong(), *look.policies_wrong(), *look.keys_wrong(), *look.grants_wrong(),
                   *look.triggers_wrong(), *look.others_wrong(), *look.roles_wrong()})  # fmt: skip


class Catalogue:
    """The catalogue as one transaction sees it."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.columns: dict[str, set[str]] = defaultdict(set)
        for table, column in self.rows(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
            "AND NOT a.attisdropped WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        ):
            self.columns[table].add(column)
        self.walled = {table for table, columns in self.columns.items() if "tenant_id" in columns} - set(OUTSIDE)
        self.pay = {
            table
            for table in self.walled - set(NOT_PAY)
            if "participant_id" in self.columns[table] and any(c.endswith("_minor") for c in self.columns[table])
        } | set(ALSO_PAY)
        self.models = [m for m in apps.get_models() if m._meta.managed and not m._meta.proxy]

    def rows(self, query: str, *values: Any) -> list[Any]:
        self.cursor.execute(query, values or None)
        return self.cursor.fetchall()

    def tables_wrong(self) -> Iterator[str]:
        for table in self.columns.keys() - self.walled - set(OUTSIDE) - set(NOBODYS):
            yield f"{table}: belongs to no tenant and is not on the list of those that need not"
        for table in (OUTSIDE | NOBODYS | NOT_PAY | ALSO_PAY).keys() - self.columns.keys():
            yield f"{table}: is on a list and does not exist"
        shown = {m._meta.db_table for m in self.models if getattr(m, "shows_pay", False)}
        for table in shown ^ self.pay:
            yield f"{table}: the model and the columns disagree whether it shows pay"
        secured = self.rows("SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relrowsecurity")
        forced = {table: on for table, _, on in secured}
        for table in {*self.walled, "tenancy_membership"}:
            if table not in forced:
                yield f"{table}: row security is off"
            elif not forced[table]:
                yield f"{table}: row security is not forced"

    def policies_wrong(self) -> Iterator[str]:
        found: dict[str, set[Any]] = defaultdict(set)
        for table, permissive, command, roles, using, check in self.rows(
            "SELECT c.relname, p.polpermissive, p.polcmd::text, "
            "ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY(p.polroles)), "
            "regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\\s+', ' ', 'g'), "
            "regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\\s+', ' ', 'g') "
            "FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
        ):
            found[table].add((not permissive, command, tuple(roles), using, check))
        wanted = {table: WALL | (PAY_WALL if table in self.pay else set()) for table in self.walled}
        for table, policies in {**wanted, "tenancy_membership": MEMBERSHIP}.items():
            for policy in policies - found[table]:
                yield f"{table}: lacks the policy {policy}"
            for policy in found[table] - policies:
                yield f"{table}: has another policy {policy}"

    def keys_wrong(self) -> Iterator[str]:
        """Foreign keys between tenant tables are (tenant_id, x) → (tenant_id, id), as the models say; uniques and
        exclusions start with the tenant."""
        keys = set()
        for name, table, target, columns, targets, valid in self.rows(
            "SELECT k.conname, c.relname, t.relname, "
            "ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY n (num, at) "
            "JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.num ORDER BY n.at), "
            "ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY n (num, at) "
            "JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n.num ORDER BY n.at), "
            "k.convalidated FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
            "JOIN pg_class t ON t.oid = k.confrelid WHERE k.contype = 'f'"
        ):
            keys.add((table, name))
            if not valid:
                yield f"{table}: foreign key {name} was never validated"
            keyed = columns[0] == "tenant_id" and targets == ["tenant_id", "id"]
            if {table, target} <= self.walled and not keyed:
                yield f"{table}: foreign key {name} is {columns} to {targets}: it accepts another tenant's row"
        for model in self.models:
            for constraint in model._meta.constraints:
                if isinstance(constraint, TenantReference) and (model._meta.db_table, constraint.name) not in keys:
                    yield f"{model._meta.db_table}: foreign key {constraint.name} is missing"
        exclusions = set()
        for index, table, first, exclusion in self.rows(
            "SELECT i.relname, c.relname, coalesce(a.attname::text, 'an expression'), x.indisexclusion FROM pg_index x "
            "JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid LEFT JOIN pg_attribute a "
            "ON a.attrelid = c.oid AND a.attnum = x.indkey[0] "
            "WHERE (x.indisunique OR x.indisexclusion) AND NOT x.indisprimary"
        ):
            exclusions |= {(table, index)} if exclusion else set()
            if table in self.walled and first != "tenant_id":
                yield f"{table}: unique {index} starts with {first}: it tells of another tenant's rows"
        for table, constraint in self._declared(NoOverlap):
            if (table, constraint.name) not in exclusions:
                yield f"{table}: exclusion {constraint.name} is missing"

    def grants_wrong(self) -> Iterator[str]:
        """SELECT and INSERT on every table of ours, UPDATE and DELETE where rows may change, by column where only these
        may; nothing else to anybody."""
        expected = {table: {"SELECT", "INSERT", "UPDATE", "DELETE"} for table in self.columns}
        changing: dict[str, set[str]] = {}
        for table, constraint in self._declared(AppendOnly):
            expected[table] = {"SELECT", "INSERT"}
            changing[table] = set(constraint.changing)
        rights: dict[tuple[str, str], set[str]] = defaultdict(set)
        for table, role, right in self.rows(
            "SELECT c.relname, coalesce(g.rolname::text, 'PUBLIC'), x.privilege_type FROM pg_class c, "
            "aclexplode(c.relacl) x LEFT JOIN pg_roles g ON g.oid = x.grantee "
            "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
            "AND c.relnamespace = 'public'::regnamespace AND x.grantee <> c.relowner"
        ):
            rights[table, role].add(right)
        for (table, role), held in rights.items():
            for right in held - (expected.get(table, set()) if role in (APP, PAY) else set()):
                yield f"{table}: {role} has {right}"
        columns: dict[tuple[str, str], set[str]] = defaultdict(set)
        for table, column, role, right in self.rows(
            "SELECT c.relname, a.attname, coalesce(g.rolname::text, 'PUBLIC'), x.privilege_type FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) x LEFT JOIN pg_roles g "
            "ON g.oid = x.grantee WHERE c.relnamespace = 'public'::regnamespace"
        ):
            columns[table, role].add(column)
            if right != "UPDATE" or role not in (APP, PAY) or column not in changing.get(table, set()):
                yield f"{table}: {role} has {right} of {column}"

    def triggers_wrong(self) -> Iterator[str]:
        found = {
            (table, name): (enabled, function)
            for table, name, enabled, function in self.rows(
                "SELECT c.relname, t.tgname, t.tgenabled::text, p.proname FROM pg_trigger t JOIN pg_class c "
                "ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
            )
        }
        wanted = {(table, c.name): "comp_keep_history" for table, c in self._declared(HistoryTrigger)}
        wanted |= {(table, c.name): c.function for table, c in self._declared(Trigger)}
        wanted |= {
            (table, f"{c.name}_{part}"): "comp_refuse_change"
            for table, c in self._declared(AppendOnly)
            for part in "du"
        }
        for (table, name), function in wanted.items():
            if found.get((table, name)) != ("A", function):
                yield f"{table}: trigger {name} is {found.get((table, name), 'missing')}, not always on by {function}"
        for table, name in found.keys() - wanted.keys():
            yield f"{table}: trigger {name} is in no model"

    def others_wrong(self) -> Iterator[str]:
        """No views (they read as their owner), no functions that run as another or look where a caller sends them."""
        ours = "NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = {}.oid AND d.deptype = 'e')"
        outside = "NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        for name, kind in self.rows(
            f"SELECT c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE c.relkind IN ('v', 'm', 'f') AND n.nspname {outside} AND {ours.format('c')}"
        ):
            yield f"{name}: is a {KINDS[kind]}"
        for name, definer, path in self.rows(
            f"SELECT p.proname, p.prosecdef, array_to_string(p.proconfig, ' ') FROM pg_proc p JOIN pg_namespace n "
            f"ON n.oid = p.pronamespace WHERE n.nspname {outside} AND {ours.format('p')}"
        ):
            if definer and name not in DEFINERS:
                yield f"{name}: is SECURITY DEFINER"
            if path != "search_path=pg_catalog, public, pg_temp":
                yield f"{name}: has no search_path of its own: a temporary table can stand in for ours"
        for (name,) in self.rows("SELECT rulename FROM pg_rules WHERE schemaname = 'public'"):
            yield f"{name}: is a rule"

    def roles_wrong(self) -> Iterator[str]:
        able = "rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"
        held = dict(self.rows(f"SELECT rolname, {able} FROM pg_roles WHERE rolname = ANY(%s)", [APP, PAY]))
        for role in (APP, PAY):
            if held.get(role, True):
                yield f"{role}: is missing, or can step over the walls"
                continue
            for (thing,) in self.rows(
                "SELECT o.classid::regclass || ' ' || o.objid FROM pg_shdepend o "
                "WHERE o.refobjid = %s::regrole AND o.deptype = 'o' AND o.dbid IN "
                "(0, (SELECT oid FROM pg_database WHERE datname = current_database()))",
                role,
            ):
                yield f"{role}: owns {thing}"
            for what, query in {
                "CREATE in public": "has_schema_privilege(%s, 'public', 'CREATE')",
                "CREATE in the database": "has_database_privilege(%s, current_database(), 'CREATE')",
                "set_config": "has_function_privilege(%s, 'set_config(text, text, boolean)', 'EXECUTE')",
                "the owner's rights": "pg_has_role(%s, 'comp_owner', 'MEMBER')",
                "pay it did not ask for": f"pg_has_role(%s, '{PAY}', 'USAGE') AND '{PAY}' <> '{role}'",
            }.items():
                if self.rows(f"SELECT {query}", role) == [(True,)]:
                    yield f"{role}: has {what}"
        for member, role in self.rows(
            "SELECT m.rolname, r.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member "
            "JOIN pg_roles r ON r.oid = a.roleid WHERE m.rolname = ANY(%s)",
            [APP, PAY],
        ):
            if (member, role) != (APP, PAY):
                yield f"{member}: is a member of {role}"

    def _declared(self, kind: type) -> list[tuple[str, Any]]:
        return [(m._meta.db_table, c) for m in self.models for c in m._meta.constraints if isinstance(c, kind)]
