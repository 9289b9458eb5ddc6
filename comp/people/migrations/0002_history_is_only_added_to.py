import comp.tenancy.walls
from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0001_initial"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="historicalcreditrole",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalcreditrole_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalparticipant",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalparticipant_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalpaycalendar",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalpaycalendar_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalpaygroup",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalpaygroup_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalposition",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalposition_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalreportingline",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalreportingline_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalteam",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalteam_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalterritory",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="people_historicalterritory_append"),
        ),
    ]
