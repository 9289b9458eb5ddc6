from django.db import migrations

#: Refuses a change of rows that are only ever added. What an erasure replaces comes through comp_redact
#: (comp.people), which alone runs as the owner with this setting; no runtime role can be the owner.
REFUSE = """
CREATE OR REPLACE FUNCTION comp_refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('app.erasing', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% on % is refused: its rows are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
BEFORE = """
CREATE OR REPLACE FUNCTION comp_refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

#: Memberships of before their history was kept: as they stand, from the moment at which they were made.
BEGIN_HISTORY = """
INSERT INTO tenancy_historicalmembership
    (id, tenant_id, user_id, role, pay_groups, created_at, history_date, history_type, history_change_reason)
SELECT id, tenant_id, user_id, role, pay_groups, created_at, created_at, '+', 'as it stood'
FROM tenancy_membership
"""


class Migration(migrations.Migration):
    """One function may redact; and the history of memberships begins with those that stand."""

    dependencies = [("tenancy", "0004_who_was_in_and_what_roles_could_do")]

    operations = [
        migrations.RunSQL(REFUSE, BEFORE),
        migrations.RunSQL(BEGIN_HISTORY, migrations.RunSQL.noop),
    ]
