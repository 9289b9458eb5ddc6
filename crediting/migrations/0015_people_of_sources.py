"""What sources said of people, and which endpoints may say so."""

import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crediting", "0014_readings_again_that_failed"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
    ]

    operations = [
        migrations.AddField(
            model_name="historicalhookendpoint",
            name="carries_people",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="hookendpoint",
            name="carries_people",
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name="PersonRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("person", models.CharField(max_length=60)),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("as_of", models.DateField()),
                ("said", models.JSONField()),
                ("before", models.JSONField(null=True)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "delivery",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.rawdelivery",
                    ),
                ),
                (
                    "endpoint",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.hookendpoint",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "person"], name="personrevision_person")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_personrevision_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "delivery", "person"), name="personrevision_delivery_once"
                    ),
                    comp.tenancy.walls.TenantWall(name="crediting_personrevision_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id",
                        name="crediting_personrevision_endpoint_id_in",
                        to="crediting_hookendpoint",
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="delivery_id", name="crediting_personrevision_delivery_id_in", to="crediting_rawdelivery"
                    ),
                    comp.tenancy.walls.AppendOnly(changing=(), name="personrevision_append"),
                ],
            },
        ),
    ]
