import comp.tenancy.walls
from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0005_scopes_that_failed_wait_and_say_why"),
        ("people", "0002_history_is_only_added_to"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="historicalbatch",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="payouts_historicalbatch_append"),
        ),
    ]
