import comp.tenancy.walls
from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("crediting", "0003_bulk_rows_know_their_tenant_by_the_wall"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="historicalaccount",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="crediting_historicalaccount_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalhookendpoint",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="crediting_historicalhookendpoint_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalproduct",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="crediting_historicalproduct_append"),
        ),
        migrations.AddConstraint(
            model_name="historicalsourcemapping",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="crediting_historicalsourcemapping_append"),
        ),
    ]
