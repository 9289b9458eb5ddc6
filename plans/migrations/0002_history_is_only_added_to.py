import comp.tenancy.walls
from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0002_history_is_only_added_to"),
        ("plans", "0001_initial"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="historicalplan",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="plans_historicalplan_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalplanassignment",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="plans_historicalplanassignment_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalplanversion",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="plans_historicalplanversion_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalquota",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="plans_historicalquota_append"),
        ),
    ]
