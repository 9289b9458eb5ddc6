import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("people", "0001_initial"),
        ("plans", "0001_initial"),
        ("tenancy", "0001_initial"),
        ("tenancy", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=200)),
                ("sector", models.CharField(blank=True, max_length=80)),
                ("country", models.CharField(blank=True, max_length=80)),
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
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_account_key"),
                    models.UniqueConstraint(fields=("tenant", "key"), name="account_key_once"),
                    comp.tenancy.walls.TenantWall(name="crediting_account_wall"),
                    comp.tenancy.walls.HistoryTrigger(
                        into="crediting_historicalaccount", name="crediting_account_kept"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.SlugField()),
                ("name", models.CharField(max_length=120)),
                ("adapter", models.CharField(default="standard", max_length=30)),
                ("token", models.CharField(max_length=64)),
                ("active", models.BooleanField(default=True)),
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_hookendpoint_key"),
                    models.UniqueConstraint(fields=("tenant", "key"), name="endpoint_key_once"),
                    models.UniqueConstraint(fields=("tenant", "token"), name="endpoint_token_once"),
                    comp.tenancy.walls.TenantWall(name="crediting_hookendpoint_wall"),
                    comp.tenancy.walls.HistoryTrigger(
                        into="crediting_historicalhookendpoint", name="crediting_hookendpoint_kept"
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="EndpointSecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("secret", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
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
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_endpointsecret_key"),
                    comp.tenancy.walls.TenantWall(name="crediting_endpointsecret_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id",
                        name="crediting_endpointsecret_endpoint_id_in",
                        to="crediting_hookendpoint",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=120)),
                ("name", models.CharField(max_length=120)),
                ("series", models.CharField(blank=True, max_length=80)),
                ("list_price_minor", models.BigIntegerField(blank=True, null=True)),
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
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_product_key"),
                    models.UniqueConstraint(fields=("tenant", "key"), name="product_key_once"),
                    comp.tenancy.walls.TenantWall(name="crediting_product_wall"),
                    comp.tenancy.walls.HistoryTrigger(
                        into="crediting_historicalproduct", name="crediting_product_kept"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DealRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("stage", models.CharField(max_length=40)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                ("close_date", models.DateField(null=True)),
                ("engage_date", models.DateField(null=True)),
                ("territory", models.CharField(blank=True, max_length=60)),
                ("custom", models.JSONField(default=dict)),
                ("external_id", models.CharField(max_length=120)),
                ("team", models.JSONField(default=list)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "account",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.account",
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
                    "product",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.product",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_dealrevision_key"),
                    comp.tenancy.walls.TenantWall(name="crediting_dealrevision_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id", name="crediting_dealrevision_endpoint_id_in", to="crediting_hookendpoint"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="delivery_id", name="crediting_dealrevision_delivery_id_in", to="crediting_rawdelivery"
                    ),
                    comp.tenancy.walls.AppendOnly(changing=(), name="dealrevision_append"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Deal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("stage", models.CharField(max_length=40)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                ("close_date", models.DateField(null=True)),
                ("engage_date", models.DateField(null=True)),
                ("territory", models.CharField(blank=True, max_length=60)),
                ("custom", models.JSONField(default=dict)),
                ("external_id", models.CharField(max_length=120)),
                ("revisions", models.PositiveIntegerField(default=1)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "account",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.account",
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
                (
                    "revision",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.dealrevision",
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
                    "product",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.product",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_deal_key"),
                    models.UniqueConstraint(fields=("tenant", "endpoint", "external_id"), name="deal_once"),
                    comp.tenancy.walls.TenantWall(name="crediting_deal_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id", name="crediting_deal_endpoint_id_in", to="crediting_hookendpoint"
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="RawDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sender_id", models.CharField(max_length=200)),
                ("sent_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("body", models.BinaryField()),
                ("body_sha256", models.CharField(max_length=64)),
                ("headers", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("done", "Done"),
                            ("waiting", "Waiting"),
                            ("parked", "Parked"),
                            ("quarantined", "Quarantined"),
                        ],
                        default="pending",
                        max_length=12,
                    ),
                ),
                ("attempts", models.IntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("processed_at", models.DateTimeField(null=True)),
                ("waits_for", models.JSONField(default=list)),
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
                "verbose_name_plural": "raw deliveries",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_rawdelivery_key"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "quarantined"), _negated=True),
                        fields=("tenant", "endpoint", "sender_id"),
                        name="delivery_once",
                    ),
                    models.UniqueConstraint(
                        fields=("tenant", "endpoint", "sender_id", "body_sha256"), name="delivery_body_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "done", "waiting", "parked", "quarantined"])),
                        name="delivery_state",
                    ),
                    comp.tenancy.walls.TenantWall(name="crediting_rawdelivery_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id", name="crediting_rawdelivery_endpoint_id_in", to="crediting_hookendpoint"
                    ),
                    comp.tenancy.walls.AppendOnly(
                        changing=("state", "attempts", "error", "processed_at", "waits_for"), name="delivery_append"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MilestoneRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40)),
                ("reached", models.BooleanField()),
                ("day", models.DateField()),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "deal",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.deal",
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
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_milestonerevision_key"),
                    models.UniqueConstraint(fields=("tenant", "delivery"), name="milestone_delivery_once"),
                    comp.tenancy.walls.TenantWall(name="crediting_milestonerevision_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="deal_id", name="crediting_milestonerevision_deal_id_in", to="crediting_deal"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="delivery_id",
                        name="crediting_milestonerevision_delivery_id_in",
                        to="crediting_rawdelivery",
                    ),
                    comp.tenancy.walls.AppendOnly(changing=(), name="milestone_append"),
                ]
            },
        ),
        migrations.AddField(
            model_name="dealrevision",
            name="delivery",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.rawdelivery",
            ),
        ),
        migrations.CreateModel(
            name="DataIssue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=10)),
                ("value", models.CharField(blank=True, max_length=200)),
                ("message", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("resolved", "Resolved")], default="open", max_length=10
                    ),
                ),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("waiting", models.IntegerField(default=0)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolution", models.TextField(blank=True)),
                (
                    "resolved_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "first_delivery",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.rawdelivery",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_dataissue_key"),
                    models.UniqueConstraint(fields=("tenant", "endpoint", "kind", "value"), name="issue_once"),
                    models.CheckConstraint(condition=models.Q(("state__in", ["open", "resolved"])), name="issue_state"),
                    comp.tenancy.walls.TenantWall(name="crediting_dataissue_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id", name="crediting_dataissue_endpoint_id_in", to="crediting_hookendpoint"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="first_delivery_id",
                        name="crediting_dataissue_first_delivery_id_in",
                        to="crediting_rawdelivery",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="SourceMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("product", "Product"),
                            ("account", "Account"),
                            ("sector", "Sector"),
                            ("role", "Credit role"),
                        ],
                        max_length=10,
                    ),
                ),
                ("value", models.CharField(blank=True, max_length=200)),
                ("target", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_sourcemapping_key"),
                    models.UniqueConstraint(fields=("tenant", "endpoint", "kind", "value"), name="mapping_once"),
                    comp.tenancy.walls.TenantWall(name="crediting_sourcemapping_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="endpoint_id", name="crediting_sourcemapping_endpoint_id_in", to="crediting_hookendpoint"
                    ),
                    comp.tenancy.walls.HistoryTrigger(
                        into="crediting_historicalsourcemapping", name="crediting_sourcemapping_kept"
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="UsageReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("used", models.BigIntegerField()),
                ("contracted", models.BigIntegerField()),
                ("version", models.BigIntegerField()),
                ("event_time", models.DateTimeField()),
                ("sender_id", models.CharField(max_length=200)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "deal",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.deal",
                    ),
                ),
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_usagereading_key"),
                    models.UniqueConstraint(fields=("tenant", "delivery"), name="usage_delivery_once"),
                    models.CheckConstraint(
                        condition=models.Q(("used__gte", 0), ("contracted__gte", 0)), name="usage_not_negative"
                    ),
                    comp.tenancy.walls.TenantWall(name="crediting_usagereading_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="deal_id", name="crediting_usagereading_deal_id_in", to="crediting_deal"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="delivery_id", name="crediting_usagereading_delivery_id_in", to="crediting_rawdelivery"
                    ),
                    comp.tenancy.walls.AppendOnly(changing=(), name="usage_append"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Credit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("revision", models.BigIntegerField()),
                ("rule", models.CharField(max_length=50)),
                ("role", models.CharField(max_length=50)),
                ("split", models.IntegerField()),
                ("credit_class", models.CharField(max_length=50)),
                ("kind", models.SmallIntegerField()),
                ("credit_date", models.DateField()),
                ("pot_minor", models.BigIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "participant",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.participant",
                    ),
                ),
                (
                    "pay_group",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.paygroup",
                    ),
                ),
                (
                    "plan",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="plans.plan",
                    ),
                ),
                (
                    "plan_version",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="plans.planversion",
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
                (
                    "deal",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.deal",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "participant", "credit_date"], name="credit_period")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_credit_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "participant", "deal", "plan", "rule", "role", "split"), name="credit_once"
                    ),
                    comp.tenancy.walls.TenantWall(name="crediting_credit_wall"),
                    comp.tenancy.walls.PayWall(name="crediting_credit_pay"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DealTeam",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.PositiveSmallIntegerField()),
                ("role", models.CharField(max_length=50)),
                ("weight", models.IntegerField()),
                (
                    "deal",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.deal",
                    ),
                ),
                (
                    "participant",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.participant",
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
                "indexes": [models.Index(fields=["tenant", "participant", "deal"], name="dealteam_participant")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="crediting_dealteam_key"),
                    models.UniqueConstraint(fields=("tenant", "deal", "place"), name="dealteam_place"),
                    models.CheckConstraint(condition=models.Q(("weight__gt", 0)), name="dealteam_weight"),
                    comp.tenancy.walls.TenantWall(name="crediting_dealteam_wall"),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalAccount",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("key", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=200)),
                ("sector", models.CharField(blank=True, max_length=80)),
                ("country", models.CharField(blank=True, max_length=80)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical account",
                "verbose_name_plural": "historical accounts",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "indexes": [models.Index(fields=["tenant", "id", "history_date"], name="h_crediting_account")],
                "constraints": [comp.tenancy.walls.TenantWall(name="crediting_historicalaccount_wall")],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalHookEndpoint",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("key", models.SlugField()),
                ("name", models.CharField(max_length=120)),
                ("adapter", models.CharField(default="standard", max_length=30)),
                ("token", models.CharField(max_length=64)),
                ("active", models.BooleanField(default=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical hook endpoint",
                "verbose_name_plural": "historical hook endpoints",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "indexes": [models.Index(fields=["tenant", "id", "history_date"], name="h_crediting_hookendpoint")],
                "constraints": [comp.tenancy.walls.TenantWall(name="crediting_historicalhookendpoint_wall")],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalProduct",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("key", models.CharField(max_length=120)),
                ("name", models.CharField(max_length=120)),
                ("series", models.CharField(blank=True, max_length=80)),
                ("list_price_minor", models.BigIntegerField(blank=True, null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical product",
                "verbose_name_plural": "historical products",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "indexes": [models.Index(fields=["tenant", "id", "history_date"], name="h_crediting_product")],
                "constraints": [comp.tenancy.walls.TenantWall(name="crediting_historicalproduct_wall")],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalSourceMapping",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("product", "Product"),
                            ("account", "Account"),
                            ("sector", "Sector"),
                            ("role", "Credit role"),
                        ],
                        max_length=10,
                    ),
                ),
                ("value", models.CharField(blank=True, max_length=200)),
                ("target", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
                (
                    "endpoint",
                    comp.tenancy.models.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="crediting.hookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "historical source mapping",
                "verbose_name_plural": "historical source mappings",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "indexes": [models.Index(fields=["tenant", "id", "history_date"], name="h_crediting_sourcemapping")],
                "constraints": [comp.tenancy.walls.TenantWall(name="crediting_historicalsourcemapping_wall")],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["tenant", "close_date"], name="deal_close"),
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(fields=["tenant", "account"], name="deal_account"),
        ),
        migrations.AddIndex(
            model_name="rawdelivery",
            index=models.Index(
                condition=models.Q(("state", "pending")), fields=["tenant", "id"], name="delivery_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="rawdelivery",
            index=models.Index(fields=["tenant", "state", "id"], name="delivery_state_i"),
        ),
        migrations.AddIndex(
            model_name="milestonerevision",
            index=models.Index(fields=["tenant", "deal", "kind"], name="milestone_deal"),
        ),
        migrations.AddIndex(
            model_name="dealrevision",
            index=models.Index(fields=["tenant", "endpoint", "external_id"], name="dealrevision_deal"),
        ),
        migrations.AddIndex(
            model_name="dataissue",
            index=models.Index(fields=["tenant", "state", "kind"], name="issue_open"),
        ),
        migrations.AddIndex(
            model_name="usagereading",
            index=models.Index(fields=["tenant", "deal", "day"], name="usage_deal"),
        ),
        migrations.AddConstraint(
            model_name="dealrevision",
            constraint=models.UniqueConstraint(fields=("tenant", "delivery"), name="dealrevision_delivery_once"),
        ),
    ]
