import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models


#: What a parallel run holds is added, tied out and taken back while its cut-over is open, and stays for good afterwards
#: (docs/cutover.md).
STANDS = """
CREATE FUNCTION comp_parallel_stands() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
    stands text;
BEGIN
    SELECT state INTO stands FROM payouts_cutover WHERE tenant_id = (row->>'tenant_id')::bigint
        AND id = (row->>'cut_over_id')::bigint FOR NO KEY UPDATE;
    IF stands IS NULL THEN  -- another company's: the wall refuses it
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF stands NOT IN ('preparing', 'parallel') THEN
        RAISE EXCEPTION '%: cut-over % is %: its parallel run stays as it is', TG_TABLE_NAME, row->>'cut_over_id', stands
            USING ERRCODE = 'check_violation';
    END IF;
    IF row ? 'taken_back_at' AND (TG_OP = 'INSERT' AND row->>'taken_back_at' IS NOT NULL OR TG_OP = 'UPDATE' AND (
        to_jsonb(OLD)->>'taken_back_at' IS NOT NULL OR row->>'taken_back_at' IS NULL OR row->>'taken_back_by_id' IS NULL))
    THEN
        RAISE EXCEPTION '% %: is taken back once, by somebody', TG_TABLE_NAME, row->>'id' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' AND row ? 'file_id' AND EXISTS (SELECT 1 FROM payouts_legacyfile f
        WHERE f.tenant_id = (row->>'tenant_id')::bigint AND f.id = (row->>'file_id')::bigint
            AND (f.cut_over_id <> (row->>'cut_over_id')::bigint OR f.taken_back_at IS NOT NULL)) THEN
        RAISE EXCEPTION '%: file % is of another cut-over, or taken back', TG_TABLE_NAME, row->>'file_id'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
"""

#: Nobody explains their own pay, and what is explained is what is unexplained then.
OF_OTHERS = """
CREATE FUNCTION comp_explanation_of_others() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM people_participant p WHERE p.tenant_id = NEW.tenant_id AND p.user_id = NEW.explained_by_id
        AND (p.id = NEW.participant_id OR p.key = NEW.person)) THEN
        RAISE EXCEPTION 'explanation of %: nobody explains their own pay', NEW.person USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM payouts_tieout t WHERE t.tenant_id = NEW.tenant_id AND t.cut_over_id = NEW.cut_over_id
        AND (t.person, t.period_starts_on, t.currency, t.rest_minor)
            = (NEW.person, NEW.period_starts_on, NEW.currency, NEW.amount_minor)) THEN
        RAISE EXCEPTION 'explanation of %: % minor units of % are not what is unexplained', NEW.person, NEW.amount_minor,
            NEW.currency USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: The switch is signed when each statement that stands is tied out to the cent and no rest is without its explanation.
TIED = """
CREATE FUNCTION comp_cutover_tied() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    told bigint;
    seen bigint;
    wrong record;
BEGIN
    IF NEW.state <> 'signed' OR OLD.state = 'signed' THEN
        RETURN NEW;
    END IF;
    SELECT coalesce(sum(rows), 0) INTO told FROM payouts_legacyfile
        WHERE tenant_id = NEW.tenant_id AND cut_over_id = NEW.id AND taken_back_at IS NULL;
    SELECT count(*) INTO seen FROM payouts_legacyline l JOIN payouts_legacyfile f ON f.tenant_id = l.tenant_id
        AND f.id = l.file_id WHERE l.tenant_id = NEW.tenant_id AND l.cut_over_id = NEW.id AND f.taken_back_at IS NULL;
    IF seen <> told THEN
        RAISE EXCEPTION 'cut-over %: its statements have % lines and % can be seen', NEW.id, told, seen
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT person, period_starts_on INTO wrong FROM (
        SELECT l.person, l.period_starts_on, l.currency, l.amount_minor AS minor FROM payouts_legacyline l
            JOIN payouts_legacyfile f ON f.tenant_id = l.tenant_id AND f.id = l.file_id
            WHERE l.tenant_id = NEW.tenant_id AND l.cut_over_id = NEW.id AND f.taken_back_at IS NULL
        UNION ALL
        SELECT person, period_starts_on, currency, -theirs_minor FROM payouts_tieout
            WHERE tenant_id = NEW.tenant_id AND cut_over_id = NEW.id
    ) sides GROUP BY person, period_starts_on, currency HAVING sum(minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'cut-over %: the statement of % from % is not tied out', NEW.id, wrong.person,
            wrong.period_starts_on USING ERRCODE = 'check_violation';
    END IF;
    SELECT t.person, t.period_starts_on INTO wrong FROM payouts_tieout t LEFT JOIN payouts_explanation e
        ON e.tenant_id = t.tenant_id AND e.taken_back_at IS NULL
        AND (e.cut_over_id, e.person, e.period_starts_on, e.currency, e.amount_minor)
            = (t.cut_over_id, t.person, t.period_starts_on, t.currency, t.rest_minor)
        WHERE t.tenant_id = NEW.tenant_id AND t.cut_over_id = NEW.id AND t.rest_minor <> 0 AND e.id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'cut-over %: the difference of % from % is unexplained', NEW.id, wrong.person,
            wrong.period_starts_on USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0035_what_was_paid_of_facts_of_ours"),
        ("people", "0011_a_redaction_only_takes_out_a_person"),
        ("tenancy", "0005_rows_are_redacted_by_an_erasure_alone"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(STANDS, "DROP FUNCTION comp_parallel_stands()"),
        migrations.RunSQL(OF_OTHERS, "DROP FUNCTION comp_explanation_of_others()"),
        migrations.RunSQL(TIED, "DROP FUNCTION comp_cutover_tied()"),
        migrations.CreateModel(
            name="Explanation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("person", models.CharField(max_length=60)),
                ("period_starts_on", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("amount_minor", models.BigIntegerField()),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("their_error", "A mistake of the system before"),
                            ("other_terms", "Other terms or rules there"),
                            ("other_data", "Other data there"),
                            ("by_hand", "Decided by hand there"),
                            ("timing", "Paid in another period"),
                            ("rounding", "Rounding"),
                            ("to_adjust", "Comp is right, and pays the difference by an adjustment"),
                            ("other", "Something else, as noted"),
                        ],
                        max_length=12,
                    ),
                ),
                ("note", models.TextField()),
                ("explained_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="HistoricalParallelRun",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("rounding_minor", models.PositiveIntegerField(default=0)),
                ("tied_at", models.DateTimeField(null=True)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("last_cause", models.BigIntegerField(default=0)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical parallel run",
                "verbose_name_plural": "historical parallel runs",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="LegacyFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("rows", models.PositiveIntegerField()),
                ("kinds", models.JSONField(default=dict)),
                ("uploaded_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="LegacyLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("person", models.CharField(max_length=60)),
                ("period_starts_on", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("row", models.PositiveIntegerField()),
                ("kind", models.CharField(blank=True, max_length=10)),
                ("plan", models.CharField(blank=True, max_length=50)),
                ("component", models.CharField(blank=True, max_length=50)),
                ("source", models.CharField(blank=True, max_length=50)),
                ("deal", models.CharField(blank=True, max_length=200)),
                ("amount_minor", models.BigIntegerField()),
                ("credited_minor", models.BigIntegerField(null=True)),
                ("rate", models.DecimalField(decimal_places=10, max_digits=18, null=True)),
                ("reference", models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="ParallelRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rounding_minor", models.PositiveIntegerField(default=0)),
                ("tied_at", models.DateTimeField(null=True)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("last_cause", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="TieOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("person", models.CharField(max_length=60)),
                ("period_starts_on", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("theirs_minor", models.BigIntegerField()),
                ("ours_minor", models.BigIntegerField()),
                ("rest_minor", models.BigIntegerField()),
                ("causes", models.JSONField(default=dict)),
                ("parts", models.JSONField(default=list)),
            ],
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_cutover_tied", name="cutover_tied", when="BEFORE UPDATE"
            ),
        ),
        migrations.AddField(
            model_name="explanation",
            name="cut_over",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.cutover",
            ),
        ),
        migrations.AddField(
            model_name="explanation",
            name="explained_by",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="explanation",
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
            model_name="explanation",
            name="pay_group",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.paygroup",
            ),
        ),
        migrations.AddField(
            model_name="explanation",
            name="taken_back_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="explanation",
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
            model_name="historicalparallelrun",
            name="cut_over",
            field=comp.tenancy.models.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="payouts.cutover",
            ),
        ),
        migrations.AddField(
            model_name="historicalparallelrun",
            name="history_user",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="historicalparallelrun",
            name="tenant",
            field=models.ForeignKey(
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
        migrations.AddField(
            model_name="historicalparallelrun",
            name="tied_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="legacyfile",
            name="cut_over",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.cutover",
            ),
        ),
        migrations.AddField(
            model_name="legacyfile",
            name="taken_back_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="legacyfile",
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
            model_name="legacyfile",
            name="uploaded_by",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="legacyline",
            name="cut_over",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.cutover",
            ),
        ),
        migrations.AddField(
            model_name="legacyline",
            name="file",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.legacyfile",
            ),
        ),
        migrations.AddField(
            model_name="legacyline",
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
            model_name="legacyline",
            name="pay_group",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.paygroup",
            ),
        ),
        migrations.AddField(
            model_name="legacyline",
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
            model_name="parallelrun",
            name="cut_over",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.cutover",
            ),
        ),
        migrations.AddField(
            model_name="parallelrun",
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
            model_name="parallelrun",
            name="tied_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="tieout",
            name="cut_over",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.cutover",
            ),
        ),
        migrations.AddField(
            model_name="tieout",
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
            model_name="tieout",
            name="pay_group",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.paygroup",
            ),
        ),
        migrations.AddField(
            model_name="tieout",
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
            model_name="explanation",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_explanation_key"),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)),
                fields=("tenant", "cut_over", "person", "period_starts_on", "currency"),
                name="explanation_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("note", ""), _negated=True), models.Q(("amount_minor", 0), _negated=True)),
                name="explanation_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cause__in",
                        [
                            "their_error",
                            "other_terms",
                            "other_data",
                            "by_hand",
                            "timing",
                            "rounding",
                            "to_adjust",
                            "other",
                        ],
                    )
                ),
                name="explanation_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("taken_back_at", None), ("taken_back_by", None)),
                    ("taken_back_at__gte", models.F("explained_at")),
                    _connector="OR",
                ),
                name="explanation_taken_back",
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_explanation_wall"),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_explanation_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_explanation_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_explanation_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.PayWall(name="payouts_explanation_pay"),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("taken_back_at", "taken_back_by_id"), name="explanation_append"
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_parallel_stands",
                name="explanation_stands",
                when="BEFORE INSERT OR UPDATE",
            ),
        ),
        migrations.AddConstraint(
            model_name="explanation",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_explanation_of_others", name="explanation_of_others", when="AFTER INSERT"
            ),
        ),
        migrations.AddIndex(
            model_name="historicalparallelrun",
            index=models.Index(fields=["tenant", "id", "history_date"], name="h_payouts_parallelrun"),
        ),
        migrations.AddConstraint(
            model_name="historicalparallelrun",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_historicalparallelrun_wall"),
        ),
        migrations.AddConstraint(
            model_name="historicalparallelrun",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="payouts_historicalparallelrun_append"),
        ),
        migrations.AddConstraint(
            model_name="legacyfile",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_legacyfile_key"),
        ),
        migrations.AddConstraint(
            model_name="legacyfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)),
                fields=("tenant", "cut_over", "digest"),
                name="legacyfile_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyfile",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_legacyfile_wall"),
        ),
        migrations.AddConstraint(
            model_name="legacyfile",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_legacyfile_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyfile",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("taken_back_at", "taken_back_by_id"), name="legacyfile_append"
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyfile",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_parallel_stands",
                name="legacyfile_stands",
                when="BEFORE INSERT OR UPDATE",
            ),
        ),
        migrations.AddIndex(
            model_name="legacyline",
            index=models.Index(fields=["tenant", "cut_over", "period_starts_on"], name="legacyline_period"),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_legacyline_key"),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_legacyline_wall"),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_legacyline_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_legacyline_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_legacyline_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.TenantReference(
                column="file_id", name="payouts_legacyline_file_id_in", to="payouts_legacyfile"
            ),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.PayWall(name="payouts_legacyline_pay"),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="legacyline_append"),
        ),
        migrations.AddConstraint(
            model_name="legacyline",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_parallel_stands", name="legacyline_stands", when="BEFORE INSERT"
            ),
        ),
        migrations.AddConstraint(
            model_name="parallelrun",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_parallelrun_key"),
        ),
        migrations.AddConstraint(
            model_name="parallelrun",
            constraint=models.UniqueConstraint(fields=("tenant", "cut_over"), name="parallelrun_once"),
        ),
        migrations.AddConstraint(
            model_name="parallelrun",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_parallelrun_wall"),
        ),
        migrations.AddConstraint(
            model_name="parallelrun",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_parallelrun_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="parallelrun",
            constraint=comp.tenancy.walls.HistoryTrigger(
                into="payouts_historicalparallelrun", name="payouts_parallelrun_kept"
            ),
        ),
        migrations.AddConstraint(
            model_name="parallelrun",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_parallel_stands",
                name="parallelrun_stands",
                when="BEFORE INSERT OR UPDATE",
            ),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_tieout_key"),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=models.UniqueConstraint(
                fields=("tenant", "cut_over", "person", "period_starts_on", "currency"), name="tieout_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_tieout_wall"),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_tieout_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_tieout_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_tieout_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=comp.tenancy.walls.PayWall(name="payouts_tieout_pay"),
        ),
        migrations.AddConstraint(
            model_name="tieout",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_parallel_stands",
                name="tieout_stands",
                when="BEFORE INSERT OR UPDATE OR DELETE",
            ),
        ),
    ]
