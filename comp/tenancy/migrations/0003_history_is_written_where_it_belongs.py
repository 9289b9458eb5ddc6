from django.db import migrations


class Migration(migrations.Migration):
    """Without a path of its own the trigger would write into a temporary table that stands in for the history's."""

    dependencies = [("tenancy", "0002_memberships_are_written_by_their_company")]

    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION comp_keep_history() SET search_path = pg_catalog, public, pg_temp",
            "ALTER FUNCTION comp_keep_history() RESET search_path",
        ),
        migrations.RunSQL(
            "ALTER FUNCTION comp_refuse_change() SET search_path = pg_catalog, public, pg_temp",
            "ALTER FUNCTION comp_refuse_change() RESET search_path",
        ),
    ]
