from importlib import import_module

from django.db import migrations

BEFORE = import_module("payouts.migrations.0036_the_parallel_run").STANDS.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1
)
#: What an erasure replaces comes through comp_redact, as in comp_refuse_change: also in a run that is over.
STANDS = BEFORE.replace(
    "BEGIN\n",
    "BEGIN\n"
    "    IF TG_OP = 'UPDATE' AND current_setting('app.erasing', true) = 'on'\n"
    "        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN\n"
    "        RETURN NEW;\n"
    "    END IF;\n",
    1,
)


class Migration(migrations.Migration):
    dependencies = [("payouts", "0038_write_offs_are_undone_with_their_cause")]

    operations = [migrations.RunSQL(STANDS, BEFORE)]
