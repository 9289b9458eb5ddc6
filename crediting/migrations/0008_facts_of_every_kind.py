import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crediting", "0007_credits_of_every_fact"),
        ("people", "0003_pay_periods_of_weeks_and_half_months"),
        ("tenancy", "0003_history_is_written_where_it_belongs"),
    ]

    operations = [
        migrations.CreateModel(
            name="Fact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("stands", models.BooleanField()),
                ("type", models.CharField(blank=True, max_length=40)),
                ("day", models.DateField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("values", models.JSONField(default=dict)),
                ("custom", models.JSONField(default=dict)),
                ("kind", models.CharField(max_length=20)),
                ("external_id", models.CharField(max_length=420)),
                ("revisions", models.PositiveIntegerField(default=1)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="FactRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("stands", models.BooleanField()),
                ("type", models.CharField(blank=True, max_length=40)),
                ("day", models.DateField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("values", models.JSONField(default=dict)),
                ("custom", models.JSONField(default=dict)),
                ("kind", models.CharField(max_length=20)),
                ("external_id", models.CharField(max_length=420)),
                ("team", models.JSONField(default=list)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="FactTeam",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.PositiveSmallIntegerField()),
                ("role", models.CharField(max_length=50)),
                ("weight", models.IntegerField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="rawdelivery",
            name="delivery_state",
        ),
        migrations.AddField(
            model_name="deal",
            name="values",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="dealrevision",
            name="lines",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="dealrevision",
            name="values",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="historicalhookendpoint",
            name="deals_from",
            field=comp.tenancy.models.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="crediting.hookendpoint",
            ),
        ),
        migrations.AddField(
            model_name="hookendpoint",
            name="deals_from",
            field=comp.tenancy.models.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.hookendpoint",
            ),
        ),
        migrations.AddField(
            model_name="rawdelivery",
            name="parent",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.rawdelivery",
            ),
        ),
        migrations.AddField(
            model_name="rawdelivery",
            name="place",
            field=models.IntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="rawdelivery",
            name="state",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("done", "Done"),
                    ("waiting", "Waiting"),
                    ("parked", "Parked"),
                    ("split", "Split"),
                    ("quarantined", "Quarantined"),
                ],
                default="pending",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="hookendpoint",
            constraint=comp.tenancy.walls.TenantReference(
                column="deals_from_id", name="crediting_hookendpoint_deals_from_id_in", to="crediting_hookendpoint"
            ),
        ),
        migrations.AddConstraint(
            model_name="rawdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "done", "waiting", "parked", "split", "quarantined"])),
                name="delivery_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="rawdelivery",
            constraint=comp.tenancy.walls.TenantReference(
                column="parent_id", name="crediting_rawdelivery_parent_id_in", to="crediting_rawdelivery"
            ),
        ),
        migrations.AddField(
            model_name="fact",
            name="account",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.account",
            ),
        ),
        migrations.AddField(
            model_name="fact",
            name="deal",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.deal",
            ),
        ),
        migrations.AddField(
            model_name="fact",
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
            model_name="fact",
            name="product",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.product",
            ),
        ),
        migrations.AddField(
            model_name="fact",
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
            model_name="factrevision",
            name="account",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.account",
            ),
        ),
        migrations.AddField(
            model_name="factrevision",
            name="deal",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.deal",
            ),
        ),
        migrations.AddField(
            model_name="factrevision",
            name="delivery",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.rawdelivery",
            ),
        ),
        migrations.AddField(
            model_name="factrevision",
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
            model_name="factrevision",
            name="product",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.product",
            ),
        ),
        migrations.AddField(
            model_name="factrevision",
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
            model_name="fact",
            name="revision",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.factrevision",
            ),
        ),
        migrations.AddField(
            model_name="factteam",
            name="fact",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.fact",
            ),
        ),
        migrations.AddField(
            model_name="factteam",
            name="participant",
            field=comp.tenancy.models.LooseForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.participant",
            ),
        ),
        migrations.AddField(
            model_name="factteam",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenancy.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="factrevision",
            index=models.Index(fields=["tenant", "endpoint", "kind", "external_id"], name="factrevision_fact"),
        ),
        migrations.AddIndex(
            model_name="factrevision",
            index=models.Index(fields=["tenant", "deal"], name="factrevision_deal"),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_factrevision_key"),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=models.UniqueConstraint(
                fields=("tenant", "delivery", "kind", "external_id"), name="factrevision_delivery_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_factrevision_wall"),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=comp.tenancy.walls.TenantReference(
                column="endpoint_id", name="crediting_factrevision_endpoint_id_in", to="crediting_hookendpoint"
            ),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=comp.tenancy.walls.TenantReference(
                column="delivery_id", name="crediting_factrevision_delivery_id_in", to="crediting_rawdelivery"
            ),
        ),
        migrations.AddConstraint(
            model_name="factrevision",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="factrevision_append"),
        ),
        migrations.AddIndex(
            model_name="fact",
            index=models.Index(fields=["tenant", "deal"], name="fact_deal"),
        ),
        migrations.AddIndex(
            model_name="fact",
            index=models.Index(fields=["tenant", "kind", "day"], name="fact_day"),
        ),
        migrations.AddIndex(
            model_name="fact",
            index=models.Index(fields=["tenant", "account", "product"], name="fact_account"),
        ),
        migrations.AddConstraint(
            model_name="fact",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_fact_key"),
        ),
        migrations.AddConstraint(
            model_name="fact",
            constraint=models.UniqueConstraint(fields=("tenant", "endpoint", "kind", "external_id"), name="fact_once"),
        ),
        migrations.AddConstraint(
            model_name="fact",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_fact_wall"),
        ),
        migrations.AddConstraint(
            model_name="fact",
            constraint=comp.tenancy.walls.TenantReference(
                column="endpoint_id", name="crediting_fact_endpoint_id_in", to="crediting_hookendpoint"
            ),
        ),
        migrations.AddIndex(
            model_name="factteam",
            index=models.Index(fields=["tenant", "participant", "fact"], name="factteam_participant"),
        ),
        migrations.AddConstraint(
            model_name="factteam",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="crediting_factteam_key"),
        ),
        migrations.AddConstraint(
            model_name="factteam",
            constraint=models.UniqueConstraint(fields=("tenant", "fact", "place"), name="factteam_place"),
        ),
        migrations.AddConstraint(
            model_name="factteam",
            constraint=models.CheckConstraint(condition=models.Q(("weight__gt", 0)), name="factteam_weight"),
        ),
        migrations.AddConstraint(
            model_name="factteam",
            constraint=comp.tenancy.walls.TenantWall(name="crediting_factteam_wall"),
        ),
        # Made anew, so that it holds the new columns too.
        migrations.RemoveConstraint(model_name="rawdelivery", name="delivery_append"),
        migrations.AddConstraint(
            model_name="rawdelivery",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("state", "attempts", "error", "processed_at", "waits_for"), name="delivery_append"
            ),
        ),
    ]
