import comp.tenancy.models
import comp.tenancy.walls
import datetime
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


#: Nobody takes a dispute of their own pay or decides it, and a decision stands (docs/disputes.md). Who looks after it is
#: asked when they take it: whose pay it is may get a user later. The pay group is the person's, and follows a move of
#: theirs, of what is over too. What an erasure replaces comes through comp_redact, as in comp_refuse_change.
MOVES = """
CREATE FUNCTION comp_dispute_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    person record;
    stayed record;
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('app.erasing', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN NEW;
    END IF;
    SELECT user_id, pay_group_id INTO person FROM people_participant
        WHERE tenant_id = NEW.tenant_id AND id = NEW.participant_id;
    IF (person.user_id = NEW.owner_id AND (TG_OP = 'INSERT' OR NEW.owner_id IS DISTINCT FROM OLD.owner_id))
        OR (person.user_id = NEW.decided_by_id AND (TG_OP = 'INSERT' OR OLD.decided_by_id IS NULL)) THEN
        RAISE EXCEPTION 'dispute %: nobody looks after a dispute of their own pay, or decides it', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.pay_group_id <> OLD.pay_group_id AND NEW.pay_group_id IS DISTINCT FROM person.pay_group_id THEN
            RAISE EXCEPTION 'dispute %: its pay group is the one of its person', NEW.number
                USING ERRCODE = 'check_violation';
        END IF;
        stayed := NEW;
        stayed.pay_group_id := OLD.pay_group_id;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN
            RAISE EXCEPTION 'dispute %: it begins open, not %', NEW.number, NEW.state USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.state IN ('decided', 'withdrawn') AND stayed IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'dispute %: it is %, and that stands', NEW.number, OLD.state USING ERRCODE = 'check_violation';
    ELSIF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN
        (('open', 'in_review'), ('open', 'withdrawn'), ('in_review', 'decided'), ('in_review', 'withdrawn')) THEN
        RAISE EXCEPTION 'dispute %: it cannot go from % to %', NEW.number, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: An adjustment that answers a dispute pays the same person. Asked after the reference was: who may not see the
#: adjustment finds none of the person's.
CHANGE = """
CREATE FUNCTION comp_dispute_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.by_adjustment_id IS DISTINCT FROM OLD.by_adjustment_id AND NOT EXISTS (
        SELECT 1 FROM payouts_adjustment WHERE tenant_id = NEW.tenant_id AND id = NEW.by_adjustment_id
            AND participant_id = NEW.participant_id) THEN
        RAISE EXCEPTION 'dispute %: the adjustment that answers it is of its own person', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

#: What is said in a dispute is behind the same wall as the dispute and moves with it. Nothing is said once it is over,
#: and nobody is said to look after a dispute of their own pay.
ENTRY = """
CREATE FUNCTION comp_disputeentry_of() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found record;
BEGIN
    SELECT number, state, participant_id, pay_group_id INTO found FROM payouts_dispute
        WHERE tenant_id = NEW.tenant_id AND id = NEW.dispute_id;
    IF (found.participant_id, found.pay_group_id) IS DISTINCT FROM (NEW.participant_id, NEW.pay_group_id) THEN
        RAISE EXCEPTION 'what is said in a dispute is of its own person' USING ERRCODE = 'check_violation';
    ELSIF TG_OP = 'UPDATE' THEN
        RETURN NULL;
    ELSIF found.state NOT IN ('open', 'in_review') THEN
        RAISE EXCEPTION 'dispute %: it is %, and nothing is said in it any more', found.number, found.state
            USING ERRCODE = 'check_violation';
    ELSIF NEW.owner_id IN (SELECT user_id FROM people_participant
        WHERE tenant_id = NEW.tenant_id AND id = NEW.participant_id) THEN
        RAISE EXCEPTION 'dispute %: nobody looks after a dispute of their own pay', found.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    """Disputes: what somebody questions, who looks after it, what was said and what was decided."""

    dependencies = [
        ("crediting", "0018_territory_alignment"),
        ("payouts", "0058_who_tries_a_part_is_let_begin_it"),
        ("people", "0011_a_redaction_only_takes_out_a_person"),
        ("plans", "0003_quotas_in_units"),
        ("tenancy", "0005_rows_are_redacted_by_an_erasure_alone"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(MOVES, "DROP FUNCTION comp_dispute_moves()"),
        migrations.RunSQL(CHANGE, "DROP FUNCTION comp_dispute_change()"),
        migrations.RunSQL(ENTRY, "DROP FUNCTION comp_disputeentry_of()"),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "line_kind",
                    models.SmallIntegerField(
                        choices=[
                            (0, "Credit"),
                            (1, "Period"),
                            (2, "Reversal"),
                            (3, "Carried excess"),
                            (4, "By hand"),
                            (5, "Brought forward"),
                        ],
                        default=0,
                    ),
                ),
                ("fact", models.BigIntegerField(default=0)),
                ("origin", models.BigIntegerField(default=0)),
                ("period", models.DateField(default=datetime.date(1970, 1, 1))),
                ("role", models.CharField(blank=True, max_length=50)),
                ("split", models.IntegerField(default=0)),
                ("number", models.PositiveIntegerField()),
                ("about", models.CharField(choices=[("line", "A line"), ("statement", "A statement")], max_length=9)),
                ("component", models.CharField(blank=True, max_length=50)),
                ("rule", models.CharField(blank=True, max_length=50)),
                ("pay_period", models.DateField()),
                ("run", models.SmallIntegerField(default=0)),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("missing_deal", "A deal is missing"),
                            ("credit", "Credit or split"),
                            ("amount", "Amount"),
                            ("rate", "Rate or tier"),
                            ("quota", "Quota"),
                            ("timing", "When it is paid"),
                            ("adjustment", "An adjustment"),
                            ("other", "Something else"),
                        ],
                        max_length=12,
                    ),
                ),
                ("expectation", models.TextField()),
                ("expected_minor", models.BigIntegerField(null=True)),
                ("copied", models.JSONField()),
                ("before_minor", models.BigIntegerField()),
                ("after_minor", models.BigIntegerField(null=True)),
                ("stake_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("in_review", "In review"),
                            ("decided", "Decided"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("taken_at", models.DateTimeField(null=True)),
                ("promised_on", models.DateField(null=True)),
                (
                    "decision",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("data_fix", "The data were put right"),
                            ("plan_fix", "The plan was put right"),
                            ("split", "The split was changed"),
                            ("adjustment", "An adjustment by hand"),
                            ("no_change", "Nothing changes"),
                        ],
                        max_length=10,
                    ),
                ),
                ("decision_words", models.TextField(blank=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("by_revision", models.BigIntegerField(null=True)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "by_adjustment",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.adjustment",
                    ),
                ),
                (
                    "by_deal",
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
                    "by_fact",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crediting.fact",
                    ),
                ),
                (
                    "by_version",
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
                    "opened_by",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "plan",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
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
                (
                    "withdrawn_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-number"],
            },
        ),
        migrations.CreateModel(
            name="DisputeEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("said", "Said"), ("taken", "Taken")], default="said", max_length=5),
                ),
                ("words", models.TextField(blank=True)),
                ("promised_on", models.DateField(null=True)),
                ("said_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "dispute",
                    comp.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payouts.dispute",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                    "said_by",
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
                "verbose_name_plural": "dispute entries",
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(fields=["tenant", "participant", "state"], name="dispute_participant"),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(fields=["tenant", "state", "opened_at"], name="dispute_queue"),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_dispute_key"),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(fields=("tenant", "number"), name="dispute_number"),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(
                condition=models.Q(("about", "line"), ("state__in", ["open", "in_review"])),
                fields=(
                    "tenant",
                    "participant",
                    "fact",
                    "plan",
                    "origin",
                    "split",
                    "period",
                    "line_kind",
                    "component",
                    "rule",
                    "role",
                ),
                name="dispute_line_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("about", "line"),
                        ("plan__isnull", False),
                        ("run", 0),
                        models.Q(("component", ""), _negated=True),
                    ),
                    models.Q(("about", "statement"), ("component", ""), ("deal", None), ("fact", 0), ("plan", None)),
                    _connector="OR",
                ),
                name="dispute_about",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "category__in",
                        ["missing_deal", "credit", "amount", "rate", "quota", "timing", "adjustment", "other"],
                    )
                ),
                name="dispute_category",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("expectation", ""), _negated=True), name="dispute_expectation"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("about", "line"), ("expected_minor", None), ("expected_minor__gt", 0), _connector="OR"
                ),
                name="dispute_missing",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "in_review", "decided", "withdrawn"])), name="dispute_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("owner", None), ("promised_on", None), ("taken_at", None)),
                    models.Q(
                        ("owner__isnull", False),
                        ("promised_on__isnull", False),
                        ("taken_at__isnull", False),
                        models.Q(("state", "open"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="dispute_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["in_review", "decided"]), _negated=True),
                    ("owner__isnull", False),
                    _connector="OR",
                ),
                name="dispute_has_an_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("state", "decided"),
                        ("after_minor__isnull", False),
                        models.Q(("decision", ""), _negated=True),
                        models.Q(("decision_words", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("state", "decided"), _negated=True),
                        ("after_minor", None),
                        ("decided_at", None),
                        ("decided_by", None),
                        ("decision", ""),
                        ("decision_words", ""),
                    ),
                    _connector="OR",
                ),
                name="dispute_decided",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("state", "withdrawn"), ("withdrawn_at__isnull", False), ("withdrawn_by", models.F("opened_by"))
                    ),
                    models.Q(
                        models.Q(("state", "withdrawn"), _negated=True), ("withdrawn_at", None), ("withdrawn_by", None)
                    ),
                    _connector="OR",
                ),
                name="dispute_withdrawn",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("by_adjustment", None),
                        ("by_deal", None),
                        ("decision__in", ["", "no_change"]),
                        ("by_fact", None),
                        ("by_revision", None),
                        ("by_version", None),
                    ),
                    models.Q(
                        ("by_adjustment__isnull", False),
                        ("by_deal", None),
                        ("by_fact", None),
                        ("by_version", None),
                        ("decision", "adjustment"),
                        ("by_revision", None),
                    ),
                    models.Q(
                        ("by_adjustment", None),
                        ("by_deal", None),
                        ("by_fact", None),
                        ("by_version__isnull", False),
                        ("decision", "plan_fix"),
                        ("by_revision", None),
                    ),
                    models.Q(
                        ("by_adjustment", None),
                        ("by_version", None),
                        ("decision__in", ["data_fix", "split"]),
                        ("by_revision__isnull", False),
                        models.Q(
                            models.Q(("by_deal__isnull", False), ("by_fact", None)),
                            models.Q(("by_deal", None), ("by_fact__isnull", False)),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="dispute_names_its_change",
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_dispute_wall"),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_dispute_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_dispute_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="plan_id", name="payouts_dispute_plan_id_in", to="plans_plan"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="deal_id", name="payouts_dispute_deal_id_in", to="crediting_deal"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="by_adjustment_id", name="payouts_dispute_by_adjustment_id_in", to="payouts_adjustment"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="by_deal_id", name="payouts_dispute_by_deal_id_in", to="crediting_deal"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="by_fact_id", name="payouts_dispute_by_fact_id_in", to="crediting_fact"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.TenantReference(
                column="by_version_id", name="payouts_dispute_by_version_id_in", to="plans_planversion"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.PayWall(name="payouts_dispute_pay"),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_dispute_moves", name="dispute_moves", when="BEFORE INSERT OR UPDATE"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_dispute_change", name="dispute_change", when="AFTER UPDATE"
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=(
                    "state",
                    "owner_id",
                    "taken_at",
                    "promised_on",
                    "decision",
                    "decision_words",
                    "decided_by_id",
                    "decided_at",
                    "after_minor",
                    "by_adjustment_id",
                    "by_deal_id",
                    "by_fact_id",
                    "by_version_id",
                    "by_revision",
                    "withdrawn_by_id",
                    "withdrawn_at",
                    "pay_group_id",
                ),
                name="dispute_append",
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_disputeentry_key"),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "said"), ("owner", None), ("promised_on", None), models.Q(("words", ""), _negated=True)
                    ),
                    models.Q(
                        ("kind", "taken"), ("owner__isnull", False), ("promised_on__isnull", False), ("words", "")
                    ),
                    _connector="OR",
                ),
                name="disputeentry_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_disputeentry_wall"),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_disputeentry_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_disputeentry_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.TenantReference(
                column="dispute_id", name="payouts_disputeentry_dispute_id_in", to="payouts_dispute"
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.PayWall(name="payouts_disputeentry_pay"),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_disputeentry_of", name="disputeentry_of", when="AFTER INSERT OR UPDATE"
            ),
        ),
        migrations.AddConstraint(
            model_name="disputeentry",
            constraint=comp.tenancy.walls.AppendOnly(changing=("pay_group_id",), name="disputeentry_append"),
        ),
    ]
