"""Records of sources with their field mappings, the work of reading them again, and rates of endpoints."""

import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crediting", "0011_people_find_their_facts_by_day"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FieldMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("document", models.JSONField()),
                ("note", models.CharField(blank=True, max_length=200)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Rereading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("total", models.PositiveIntegerField()),
                ("done", models.PositiveIntegerField(default=0)),
                ("position", models.BigIntegerField(default=0)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SourceLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("object", models.CharField(max_length=200)),
                ("external_id", models.CharField(max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="SourceRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("object", models.CharField(max_length=200)),
                ("external_id", models.CharField(max_length=200)),
                ("state", models.JSONField(default=dict)),
                ("events", models.IntegerField(default=0)),
                ("made_kind", models.CharField(blank=True, max_length=20)),
                ("made_id", models.CharField(blank=True, max_length=420)),
                ("made_digest", models.CharField(blank=True, max_length=64)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="dealrevision",
            name="dealrevision_delivery_once",
        ),
        migrations.RemoveConstraint(
            model_name="factrevision",
            name="factrevision_delivery_once",
        ),
        migrations.RemoveConstraint(
            model_name="rawdelivery",
            name="delivery_append",
        ),
        migrations.AddField(
            model_name="historicalhookendpoint",
            name="rate_limit",
            field=models.PositiveIntegerField(default=60000),
        ),
        migrations.AddField(
            model_name="hookendpoint",
            name="rate_limit",
            field=models.PositiveIntegerField(default=60000),
        ),
        migrations.AddField(
            model_name="rawdelivery",
            name="folded",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddConstraint(
            model_name="dealrevision",
            constraint=models.UniqueConstraint(
                fields=("tenant", "delivery", "external_id", "version"), name="dealrevision_delivery_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=models.UniqueConstraint(
                fields=("tenant", "delivery", "kind", "external_id", "version"), name="factrevision_delivery_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="rawdelivery",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("state", "attempts", "error", "processed_at", "waits_for", "folded"), name="delivery_append"
            ),
        ),
        migrations.AddField(
            model_name="fieldmapping",
            name="endpoint",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.hookendpoint",
            ),
        ),
        migrations.AddField(
            model_name="fieldmapping",
            name="made_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="fieldmapping",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddField(
            model_name="rereading",
            name="mapping",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.fieldmapping",
            ),
        ),
        migrations.AddField(
            model_name="rereading",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddField(
            model_name="sourcelink",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddField(
            model_name="sourcerecord",
            name="carrier",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.rawdelivery",
            ),
        ),
        migrations.AddField(
            model_name="sourcerecord",
            name="endpoint",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.hookendpoint",
            ),
        ),
        migrations.AddField(
            model_name="sourcerecord",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddField(
            model_name="sourcelink",
            name="record",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.sourcerecord",
            ),
        ),
        migrations.AddConstraint(
            model_name="fieldmapping",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_fieldmapping_key"),
        ),
        migrations.AddConstraint(
            model_name="fieldmapping",
            constraint=models.UniqueConstraint(fields=("tenant", "endpoint", "number"), name="fieldmapping_once"),
        ),
        migrations.AddConstraint(
            model_name="fieldmapping",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_fieldmapping_wall"),
        ),
        migrations.AddConstraint(
            model_name="fieldmapping",
            constraint=comp.tenancy.walls.TenantReference(
                column="endpoint_id", name="crediting_fieldmapping_endpoint_id_in", to="crediting_hookendpoint"
            ),
        ),
        migrations.AddConstraint(
            model_name="fieldmapping",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="fieldmapping_append"),
        ),
        migrations.AddIndex(
            model_name="rereading",
            index=models.Index(
                condition=models.Q(("finished_at", None)), fields=["tenant", "id"], name="rereading_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="rereading",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_rereading_key"),
        ),
        migrations.AddConstraint(
            model_name="rereading",
            constraint=models.UniqueConstraint(fields=("tenant", "mapping"), name="rereading_once"),
        ),
        migrations.AddConstraint(
            model_name="rereading",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_rereading_wall"),
        ),
        migrations.AddConstraint(
            model_name="rereading",
            constraint=comp.tenancy.walls.TenantReference(
                column="mapping_id", name="crediting_rereading_mapping_id_in", to="crediting_fieldmapping"
            ),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_sourcerecord_key"),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=models.UniqueConstraint(
                fields=("tenant", "endpoint", "object", "external_id"), name="record_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_sourcerecord_wall"),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=comp.tenancy.walls.TenantReference(
                column="endpoint_id", name="crediting_sourcerecord_endpoint_id_in", to="crediting_hookendpoint"
            ),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=comp.tenancy.walls.TenantReference(
                column="carrier_id", name="crediting_sourcerecord_carrier_id_in", to="crediting_rawdelivery"
            ),
        ),
        migrations.AddIndex(
            model_name="sourcelink",
            index=models.Index(fields=["tenant", "external_id", "object"], name="sourcelink_owner"),
        ),
        migrations.AddConstraint(
            model_name="sourcelink",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_sourcelink_key"),
        ),
        migrations.AddConstraint(
            model_name="sourcelink",
            constraint=models.UniqueConstraint(
                fields=("tenant", "record", "object", "external_id"), name="sourcelink_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="sourcelink",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_sourcelink_wall"),
        ),
        migrations.AddConstraint(
            model_name="sourcelink",
            constraint=comp.tenancy.walls.TenantReference(
                column="record_id", name="crediting_sourcelink_record_id_in", to="crediting_sourcerecord"
            ),
        ),
    ]
