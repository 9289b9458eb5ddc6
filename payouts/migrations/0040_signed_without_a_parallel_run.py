from importlib import import_module

from django.db import migrations, models

BEFORE = import_module("payouts.migrations.0036_the_parallel_run").TIED.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1
)
#: Without statements nothing was compared: whoever signs has said why.
TIED = BEFORE.replace(
    "    SELECT person, period_starts_on INTO wrong",
    "    IF told = 0 AND btrim(NEW.no_run) = '' THEN\n"
    "        RAISE EXCEPTION 'cut-over %: signed without a parallel run, and nobody says why', NEW.id\n"
    "            USING ERRCODE = 'check_violation';\n"
    "    END IF;\n"
    "    SELECT person, period_starts_on INTO wrong",
    1,
)


class Migration(migrations.Migration):
    dependencies = [("payouts", "0039_an_erasure_reaches_what_was_explained")]

    operations = [
        migrations.AddField(
            "cutover", "no_run", models.CharField(blank=True, db_default="", default="", max_length=500)
        ),
        migrations.AddField(
            "historicalcutover", "no_run", models.CharField(blank=True, db_default="", default="", max_length=500)
        ),
        migrations.RunSQL(TIED, BEFORE),
    ]
