"""Rules by which deals are aligned, and who stands on a deal by them; states and postal codes of customers."""

import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crediting", "0017_credit_that_is_held"),
        ("people", "0007_rates_of_exchange"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Alignment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("rows", models.PositiveIntegerField()),
                ("uploaded_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("number", models.PositiveIntegerField(null=True)),
                ("applied_at", models.DateTimeField(null=True)),
                ("counts", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="AlignmentRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.PositiveIntegerField()),
                ("role", models.CharField(max_length=50)),
                ("country", models.CharField(blank=True, max_length=80)),
                ("state", models.CharField(blank=True, max_length=80)),
                ("postal", models.CharField(blank=True, max_length=20)),
                ("family", models.CharField(blank=True, max_length=80)),
                ("position", models.CharField(blank=True, max_length=120)),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="dealrevision",
            name="dealrevision_delivery_once",
        ),
        migrations.AddField(
            model_name="account",
            name="postal",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="account",
            name="state",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="deal",
            name="aligned",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="dealrevision",
            name="aligned",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="dealrevision",
            name="derived",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="historicalaccount",
            name="postal",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="historicalaccount",
            name="state",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="historicalhookendpoint",
            name="aligned_roles",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="hookendpoint",
            name="aligned_roles",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(
                condition=models.Q(("aligned__isnull", False)), fields=["tenant", "id"], name="deal_aligned"
            ),
        ),
        migrations.AddConstraint(
            model_name="dealrevision",
            constraint=models.UniqueConstraint(
                fields=("tenant", "delivery", "external_id", "version", "derived"), name="dealrevision_delivery_once"
            ),
        ),
        migrations.AddField(
            model_name="alignment",
            name="applied_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alignment",
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
            model_name="alignment",
            name="uploaded_by",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alignmentrule",
            name="account",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.account",
            ),
        ),
        migrations.AddField(
            model_name="alignmentrule",
            name="alignment",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.alignment",
            ),
        ),
        migrations.AddField(
            model_name="alignmentrule",
            name="participant",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.participant",
            ),
        ),
        migrations.AddField(
            model_name="alignmentrule",
            name="product",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.product",
            ),
        ),
        migrations.AddField(
            model_name="alignmentrule",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddConstraint(
            model_name="alignment",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_alignment_key"),
        ),
        migrations.AddConstraint(
            model_name="alignment",
            constraint=models.UniqueConstraint(fields=("tenant", "number"), name="alignment_number_once"),
        ),
        migrations.AddConstraint(
            model_name="alignment",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_alignment_wall"),
        ),
        migrations.AddConstraint(
            model_name="alignment",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("number", "applied_by_id", "applied_at", "counts"), name="alignment_append"
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_alignmentrule_key"),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_on", None), ("ends_on__gt", models.F("starts_on")), _connector="OR"),
                name="alignmentrule_dates",
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("participant", None), ("position__gt", "")),
                    models.Q(("participant__isnull", False), ("position", "")),
                    _connector="OR",
                ),
                name="alignmentrule_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_alignmentrule_wall"),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=comp.tenancy.walls.TenantReference(
                column="alignment_id", name="crediting_alignmentrule_alignment_id_in", to="crediting_alignment"
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=comp.tenancy.walls.TenantReference(
                column="account_id", name="crediting_alignmentrule_account_id_in", to="crediting_account"
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=comp.tenancy.walls.TenantReference(
                column="product_id", name="crediting_alignmentrule_product_id_in", to="crediting_product"
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="crediting_alignmentrule_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="alignmentrule",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="alignmentrule_append"),
        ),
    ]
