import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models


#: At commit, debits equal credits in every currency of each transaction written (docs/algorithms/ledger.md).
BALANCES = """
CREATE FUNCTION comp_ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    -- Once a transaction, not once a row: only its last entry looks.
    IF NEW.id < (SELECT max(id) FROM payouts_ledgerentry WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id) THEN
        RETURN NULL;
    END IF;
    SELECT currency, sum(amount_minor) AS off INTO wrong FROM payouts_ledgerentry
        WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id
        GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % does not balance: off by % minor units of %', NEW.transaction_id, wrong.off, wrong.currency
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("crediting", "0001_initial"),
        ("people", "0001_initial"),
        ("plans", "0001_initial"),
        ("tenancy", "0001_initial"),
        ("tenancy", "__first__"),
    ]

    operations = [
        migrations.RunSQL(BALANCES, "DROP FUNCTION comp_ledger_balances()"),
        migrations.CreateModel(
            name="Attainment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("component", models.CharField(max_length=50)),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("quota_minor", models.BigIntegerField(null=True)),
                ("total_minor", models.BigIntegerField()),
                ("lines", models.IntegerField()),
                ("earned_minor", models.BigIntegerField()),
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
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_attainment_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "participant", "plan", "component", "starts_on"), name="attainment_once"
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_attainment_wall"),
                    comp.tenancy.walls.PayWall(name="payouts_attainment_pay"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("name", models.CharField(max_length=120)),
                ("pay_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("submitted", "Submitted"),
                            ("approved", "Approved"),
                            ("paid", "Paid"),
                            ("rejected", "Rejected"),
                        ],
                        default="submitted",
                        max_length=10,
                    ),
                ),
                ("people", models.IntegerField()),
                ("lines", models.IntegerField()),
                ("totals", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                ("submitted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                ("approved_digest", models.CharField(blank=True, max_length=64)),
                ("reason", models.TextField(blank=True)),
                ("exported_at", models.DateTimeField(null=True)),
                ("paid_at", models.DateTimeField(null=True)),
                ("ledger_head", models.CharField(blank=True, max_length=64)),
                (
                    "decided_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "paid_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "pay_group",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.paygroup",
                    ),
                ),
                (
                    "submitted_by",
                    models.ForeignKey(
                        db_constraint=False,
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
            ],
            options={
                "verbose_name_plural": "batches",
                "ordering": ["-starts_on", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_batch_key"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "rejected"), _negated=True),
                        fields=("tenant", "pay_group", "starts_on"),
                        name="batch_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by", None),
                            models.Q(("decided_by", models.F("submitted_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="batch_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["approved", "paid"]), _negated=True),
                            models.Q(("approved_digest", models.F("digest")), ("decided_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="batch_approves_what_was_shown",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "rejected"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="batch_reject_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["submitted", "approved", "paid", "rejected"])),
                        name="batch_state",
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_batch_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="pay_group_id", name="payouts_batch_pay_group_id_in", to="people_paygroup"
                    ),
                    comp.tenancy.walls.HistoryTrigger(into="payouts_historicalbatch", name="payouts_batch_kept"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Cause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("deal", "Deal"),
                            ("milestone", "Milestone"),
                            ("usage", "Usage"),
                            ("plan", "Plan"),
                            ("assignment", "Assignment"),
                            ("quota", "Quota"),
                            ("people", "People"),
                            ("mapping", "Mapping"),
                            ("batch", "Batch"),
                            ("job", "Recomputation"),
                        ],
                        max_length=12,
                    ),
                ),
                ("label", models.CharField(max_length=300)),
                ("actor", models.CharField(blank=True, max_length=200)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "deal",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
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
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.rawdelivery",
                    ),
                ),
                (
                    "plan_version",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
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
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_cause_key"),
                    comp.tenancy.walls.TenantWall(name="payouts_cause_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="deal_id", name="payouts_cause_deal_id_in", to="crediting_deal"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="delivery_id", name="payouts_cause_delivery_id_in", to="crediting_rawdelivery"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="plan_version_id", name="payouts_cause_plan_version_id_in", to="plans_planversion"
                    ),
                    comp.tenancy.walls.AppendOnly(changing=(), name="cause_append"),
                ]
            },
        ),
        migrations.CreateModel(
            name="ChangedScope",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("from_day", models.DateField()),
                ("to_day", models.DateField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "cause",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.cause",
                    ),
                ),
                (
                    "participant",
                    comp.tenancy.models.TenantForeignKey(
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
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_changedscope_key"),
                    comp.tenancy.walls.TenantWall(name="payouts_changedscope_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="participant_id", name="payouts_changedscope_participant_id_in", to="people_participant"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="cause_id", name="payouts_changedscope_cause_id_in", to="payouts_cause"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerTransaction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField()),
                ("kind", models.CharField(choices=[("approval", "Approval"), ("payment", "Payment")], max_length=10)),
                ("posted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("entries", models.IntegerField()),
                ("content_digest", models.CharField(max_length=64)),
                ("previous_digest", models.CharField(blank=True, max_length=64)),
                ("digest", models.CharField(max_length=64)),
                (
                    "batch",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.batch",
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
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_ledgertransaction_key"),
                    models.UniqueConstraint(fields=("tenant", "number"), name="ledger_number"),
                    models.UniqueConstraint(fields=("tenant", "batch", "kind"), name="ledger_once"),
                    comp.tenancy.walls.TenantWall(name="payouts_ledgertransaction_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="batch_id", name="payouts_ledgertransaction_batch_id_in", to="payouts_batch"
                    ),
                    comp.tenancy.walls.AppendOnly(changing=(), name="ledger_append"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period_starts_on", models.DateField()),
                ("period_ends_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("in_batch", "In batch"),
                            ("approved", "Approved"),
                            ("paid", "Paid"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("revision", models.PositiveIntegerField(default=1)),
                ("released_minor", models.BigIntegerField()),
                ("adjustments_minor", models.BigIntegerField()),
                ("payout_minor", models.BigIntegerField()),
                ("lines", models.IntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("digest", models.CharField(max_length=64)),
                ("calculated_at", models.DateTimeField()),
                ("data_at", models.DateTimeField()),
                (
                    "participant",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.participant",
                    ),
                ),
                (
                    "pay_group",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.paygroup",
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
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_statement_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "participant", "period_starts_on"), name="statement_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "payout_minor",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("released_minor"), "+", models.F("adjustments_minor")
                                ),
                            )
                        ),
                        name="statement_adds_up",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "in_batch", "approved", "paid"])),
                        name="statement_state",
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_statement_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="participant_id", name="payouts_statement_participant_id_in", to="people_participant"
                    ),
                    comp.tenancy.walls.TenantReference(
                        column="pay_group_id", name="payouts_statement_pay_group_id_in", to="people_paygroup"
                    ),
                    comp.tenancy.walls.PayWall(name="payouts_statement_pay"),
                ]
            },
        ),
        migrations.CreateModel(
            name="BatchLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=50)),
                ("role", models.CharField(max_length=50)),
                ("split", models.IntegerField()),
                ("component", models.CharField(max_length=50)),
                ("index", models.SmallIntegerField()),
                ("period_starts_on", models.DateField()),
                ("origin_starts_on", models.DateField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("release", "Release"), ("adjustment", "Prior-period adjustment")], max_length=10
                    ),
                ),
                ("credit_date", models.DateField()),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("trace", models.JSONField(default=dict)),
                (
                    "batch",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.batch",
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
                    "cause",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.cause",
                    ),
                ),
                (
                    "statement",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.statement",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_batchline_key"),
                    models.UniqueConstraint(
                        fields=(
                            "tenant",
                            "batch",
                            "participant",
                            "deal",
                            "plan",
                            "rule",
                            "role",
                            "split",
                            "component",
                            "index",
                        ),
                        name="batchline_once",
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_batchline_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="batch_id", name="payouts_batchline_batch_id_in", to="payouts_batch"
                    ),
                    comp.tenancy.walls.PayWall(name="payouts_batchline_pay"),
                    comp.tenancy.walls.AppendOnly(changing=(), name="batchline_append"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Tranche",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=50)),
                ("role", models.CharField(max_length=50)),
                ("split", models.IntegerField()),
                ("component", models.CharField(max_length=50)),
                ("index", models.SmallIntegerField()),
                ("credit_date", models.DateField()),
                ("amount_minor", models.BigIntegerField()),
                ("trigger", models.CharField(max_length=60)),
                ("trigger_day", models.DateField(null=True)),
                ("release_day", models.DateField(null=True)),
                ("period_starts_on", models.DateField(null=True)),
                ("currency", models.CharField(max_length=3)),
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
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_tranche_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "participant", "deal", "plan", "rule", "role", "split", "component", "index"),
                        name="tranche_once",
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_tranche_wall"),
                    comp.tenancy.walls.PayWall(name="payouts_tranche_pay"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Earning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=50)),
                ("role", models.CharField(max_length=50)),
                ("split", models.IntegerField()),
                ("component", models.CharField(max_length=50)),
                ("credit_date", models.DateField()),
                ("period_starts_on", models.DateField()),
                ("credit_minor", models.BigIntegerField()),
                ("position", models.IntegerField()),
                ("before_minor", models.BigIntegerField()),
                ("after_minor", models.BigIntegerField()),
                ("quota_minor", models.BigIntegerField(null=True)),
                ("tier_before", models.SmallIntegerField()),
                ("tier_after", models.SmallIntegerField()),
                ("band", models.SmallIntegerField()),
                ("rounded_minor", models.BigIntegerField()),
                ("earned_minor", models.BigIntegerField()),
                ("waiting", models.SmallIntegerField()),
                ("currency", models.CharField(max_length=3)),
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
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "participant", "credit_date"], name="earning_period")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_earning_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "participant", "deal", "plan", "rule", "role", "split", "component"),
                        name="earning_once",
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_earning_wall"),
                    comp.tenancy.walls.PayWall(name="payouts_earning_pay"),
                ],
            },
        ),
        migrations.CreateModel(
            name="FigureChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("component", models.CharField(max_length=50)),
                ("credit_date", models.DateField()),
                ("before_minor", models.BigIntegerField()),
                ("after_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "cause",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.cause",
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
                "indexes": [
                    models.Index(fields=["tenant", "participant", "-at"], name="figurechange_recent"),
                    models.Index(fields=["tenant", "deal"], name="figurechange_deal"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_figurechange_key"),
                    comp.tenancy.walls.TenantWall(name="payouts_figurechange_wall"),
                    comp.tenancy.walls.PayWall(name="payouts_figurechange_pay"),
                    comp.tenancy.walls.AppendOnly(changing=(), name="figurechange_append"),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalBatch",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("name", models.CharField(max_length=120)),
                ("pay_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("submitted", "Submitted"),
                            ("approved", "Approved"),
                            ("paid", "Paid"),
                            ("rejected", "Rejected"),
                        ],
                        default="submitted",
                        max_length=10,
                    ),
                ),
                ("people", models.IntegerField()),
                ("lines", models.IntegerField()),
                ("totals", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                ("submitted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                ("approved_digest", models.CharField(blank=True, max_length=64)),
                ("reason", models.TextField(blank=True)),
                ("exported_at", models.DateTimeField(null=True)),
                ("paid_at", models.DateTimeField(null=True)),
                ("ledger_head", models.CharField(blank=True, max_length=64)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "decided_by",
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
                    "paid_by",
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
                    "pay_group",
                    comp.tenancy.models.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="people.paygroup",
                    ),
                ),
                (
                    "submitted_by",
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
                "verbose_name": "historical batch",
                "verbose_name_plural": "historical batches",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
                "indexes": [models.Index(fields=["tenant", "id", "history_date"], name="h_payouts_batch")],
                "constraints": [comp.tenancy.walls.TenantWall(name="payouts_historicalbatch_wall")],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.CharField(
                        choices=[
                            ("expense", "Commission expense"),
                            ("payable", "Commission payable"),
                            ("paid", "Paid by payroll"),
                        ],
                        max_length=12,
                    ),
                ),
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
                    "transaction",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.ledgertransaction",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "indexes": [models.Index(fields=["tenant", "transaction", "id"], name="ledgerentry_last")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_ledgerentry_key"),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor", 0), _negated=True), name="ledgerentry_not_zero"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("account__in", ["expense", "payable", "paid"])), name="ledgerentry_account"
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_ledgerentry_wall"),
                    comp.tenancy.walls.TenantReference(
                        column="transaction_id",
                        name="payouts_ledgerentry_transaction_id_in",
                        to="payouts_ledgertransaction",
                    ),
                    comp.tenancy.walls.PayWall(name="payouts_ledgerentry_pay"),
                    comp.tenancy.walls.AppendOnly(changing=(), name="ledgerentry_append"),
                    comp.tenancy.walls.Trigger(
                        deferred=True, function="comp_ledger_balances", name="ledgerentry_balance", when="AFTER INSERT"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Payable",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=50)),
                ("role", models.CharField(max_length=50)),
                ("split", models.IntegerField()),
                ("component", models.CharField(max_length=50)),
                ("index", models.SmallIntegerField()),
                ("period_starts_on", models.DateField()),
                ("origin_starts_on", models.DateField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("release", "Release"), ("adjustment", "Prior-period adjustment")], max_length=10
                    ),
                ),
                ("credit_date", models.DateField()),
                ("amount_minor", models.BigIntegerField()),
                ("posted_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "cause",
                    comp.tenancy.models.LooseForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.cause",
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
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="payable_period")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="payouts_payable_key"),
                    models.UniqueConstraint(
                        fields=("tenant", "participant", "deal", "plan", "rule", "role", "split", "component", "index"),
                        name="payable_once",
                    ),
                    comp.tenancy.walls.TenantWall(name="payouts_payable_wall"),
                    comp.tenancy.walls.PayWall(name="payouts_payable_pay"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="statement",
            index=models.Index(fields=["tenant", "pay_group", "period_starts_on"], name="statement_period"),
        ),
        migrations.AddIndex(
            model_name="batchline",
            index=models.Index(fields=["tenant", "participant", "deal"], name="batchline_participant"),
        ),
        migrations.AddIndex(
            model_name="tranche",
            index=models.Index(fields=["tenant", "participant", "credit_date"], name="tranche_period"),
        ),
    ]
