import comp.tenancy.models
import comp.tenancy.walls
import django.db.models.deletion
import django.utils.timezone
import simple_history.models
from django.conf import settings
from django.db import migrations, models


#: A cut-over goes one way, and when it is signed the opening batch is posted and takes what the files say: no more, no
#: less, and nothing that the signer uploaded (docs/cutover.md).
MOVES = """
CREATE FUNCTION comp_cutover_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    b payouts_batch%ROWTYPE;
    seen bigint;
    wrong record;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'cut-over % cannot be deleted: give it up instead', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'preparing' THEN
            RAISE EXCEPTION 'a cut-over begins with its preparation, not %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (SELECT 1 FROM payouts_batch p WHERE p.tenant_id = NEW.tenant_id AND p.pay_group_id = NEW.pay_group_id
            AND p.state NOT IN ('rejected', 'voided')) THEN
            RAISE EXCEPTION 'pay group %: batches of it stand, so it is paid by this system already', NEW.pay_group_id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state IN ('signed', 'abandoned') AND to_jsonb(OLD) IS DISTINCT FROM to_jsonb(NEW) THEN
        RAISE EXCEPTION 'cut-over % is %, and stays as it is', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.tenant_id, OLD.pay_group_id, OLD.prepared_by_id, OLD.prepared_at) IS DISTINCT FROM
       (NEW.tenant_id, NEW.pay_group_id, NEW.prepared_by_id, NEW.prepared_at) THEN
        RAISE EXCEPTION 'cut-over %: its pay group and who prepared it stay', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> 'signed' OR OLD.state = 'signed' THEN
        RETURN NEW;
    END IF;
    SELECT * INTO b FROM payouts_batch WHERE tenant_id = NEW.tenant_id AND id = NEW.batch_id;
    IF b.id IS NULL OR (b.kind, b.state, b.pay_group_id, b.ends_on, b.digest) IS DISTINCT FROM
        ('opening', 'posted', NEW.pay_group_id, NEW.day, NEW.digest) OR b.decided_by_id <> NEW.signed_by_id THEN
        RAISE EXCEPTION 'cut-over %: signed is the opening batch that its signer approved and that is posted', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM payouts_openingfile f WHERE f.tenant_id = NEW.tenant_id AND f.cut_over_id = NEW.id
        AND f.taken_back_at IS NULL AND f.uploaded_by_id = NEW.signed_by_id) THEN
        RAISE EXCEPTION 'cut-over %: user % cannot sign their own files', NEW.id, NEW.signed_by_id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) INTO seen FROM payouts_batchline WHERE tenant_id = NEW.tenant_id AND batch_id = b.id;
    IF seen <> b.lines THEN
        RAISE EXCEPTION 'cut-over %: its batch has % lines and % can be seen', NEW.id, b.lines, seen
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT participant_id, currency INTO wrong FROM (
        SELECT o.participant_id, o.plan_id, o.component, o.day, t.currency, t.amount_minor FROM payouts_openingtranche t
            JOIN payouts_opening o ON o.tenant_id = t.tenant_id AND o.id = t.opening_id
            WHERE o.tenant_id = NEW.tenant_id AND o.cut_over_id = NEW.id AND o.taken_back_at IS NULL
                AND t.release_day < NEW.day
        UNION ALL
        SELECT participant_id, plan_id, component, period, currency, -amount_minor FROM payouts_batchline
            WHERE tenant_id = NEW.tenant_id AND batch_id = b.id
    ) sides GROUP BY participant_id, plan_id, component, day, currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'cut-over %: its batch does not take what was paid to participant %', NEW.id, wrong.participant_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: What a file brought is added and taken back while its cut-over is open, and stays for good afterwards.
STANDS = """
CREATE FUNCTION comp_opening_stands() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    stands text;
BEGIN
    SELECT state INTO stands FROM payouts_cutover WHERE tenant_id = NEW.tenant_id AND id = NEW.cut_over_id
        FOR NO KEY UPDATE;
    IF stands IS NULL THEN
        RETURN NEW; -- its reference refuses it
    END IF;
    IF stands NOT IN ('preparing', 'parallel') THEN
        RAISE EXCEPTION '%: cut-over % is %: what it brought forward stays as it is', TG_TABLE_NAME, NEW.cut_over_id, stands
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.taken_back_at IS NOT NULL OR TG_OP = 'UPDATE' AND (OLD.taken_back_at IS NOT NULL
        OR NEW.taken_back_at IS NULL OR NEW.taken_back_by_id IS NULL) THEN
        RAISE EXCEPTION '% %: is taken back once, by somebody', TG_TABLE_NAME, NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRANCHE_STANDS = """
CREATE FUNCTION comp_openingtranche_stands() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    stands text;
BEGIN
    SELECT c.state INTO stands FROM payouts_opening o JOIN payouts_cutover c
        ON c.tenant_id = o.tenant_id AND c.id = o.cut_over_id
        WHERE o.tenant_id = NEW.tenant_id AND o.id = NEW.opening_id AND o.taken_back_at IS NULL
            AND (o.participant_id, o.currency) = (NEW.participant_id, NEW.currency);
    -- Looked at after the row's references, which refuse another company's; a narrow view of pay is refused too.
    IF stands IS NULL OR stands NOT IN ('preparing', 'parallel') THEN
        RAISE EXCEPTION 'opening %: its cut-over is %, or it is not this person''s: no tranche is added',
            NEW.opening_id, stands USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
ADDS_UP = """
CREATE FUNCTION comp_opening_adds_up() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    own bigint;
    off bigint;
BEGIN
    IF TG_TABLE_NAME = 'payouts_openingtranche' THEN
        own := (to_jsonb(NEW)->>'opening_id')::bigint;
    ELSE
        own := NEW.id;
    END IF;
    SELECT o.earned_minor - coalesce((SELECT sum(t.amount_minor) FROM payouts_openingtranche t
        WHERE t.tenant_id = o.tenant_id AND t.opening_id = o.id), 0) INTO off
        FROM payouts_opening o WHERE o.tenant_id = NEW.tenant_id AND o.id = own;
    IF off IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'opening %: its tranches are % minor units off from what was earned', own, off
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""

#: A group is not paid before its switch is signed, and what is brought forward is never paid by this system.
BATCH = """
CREATE FUNCTION comp_batch_opening() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.kind = 'opening' AND NEW.state IN ('paid', 'closed', 'rejected') THEN
            RAISE EXCEPTION 'batch %: another system paid it', NEW.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO c FROM payouts_cutover WHERE tenant_id = NEW.tenant_id AND pay_group_id = NEW.pay_group_id
        AND state <> 'abandoned' FOR NO KEY UPDATE;
    IF NEW.kind = 'opening' AND (c.id IS NULL OR c.state = 'signed' OR c.day <> NEW.ends_on) THEN
        RAISE EXCEPTION 'pay group %: no open cut-over brings anything forward to %', NEW.pay_group_id, NEW.ends_on
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind <> 'opening' AND c.id IS NOT NULL AND (c.state <> 'signed' OR NEW.starts_on < c.day) THEN
        RAISE EXCEPTION 'pay group %: nothing is paid from % before the switch of % is signed',
            NEW.pay_group_id, NEW.starts_on, c.day USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

#: As before, and of what is brought forward as well.
OF_APPROVED = """
CREATE OR REPLACE FUNCTION comp_ledger_of_approved() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    b payouts_batch%ROWTYPE;
BEGIN
    SELECT * INTO b FROM payouts_batch WHERE tenant_id = NEW.tenant_id AND id = NEW.batch_id FOR NO KEY UPDATE;
    IF NEW.kind IN ('approval', 'opening') AND b.state IS DISTINCT FROM 'approved' THEN
        RAISE EXCEPTION 'batch %: it is %, and only what is approved and not posted yet is posted', NEW.batch_id, b.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF b.id IS NOT NULL AND (b.kind = 'opening') <> (NEW.kind = 'opening') OR b.id IS NULL AND NEW.kind = 'opening' THEN
        RAISE EXCEPTION 'batch %: is %, and % is not posted of it', NEW.batch_id, b.kind, NEW.kind
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
POSTED = """
CREATE OR REPLACE FUNCTION comp_batch_posted() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    seen bigint;
    wrong record;
BEGIN
    IF NEW.state <> 'posted' OR OLD.state = 'posted' THEN
        RETURN NEW;
    END IF;
    SELECT count(*) INTO seen FROM payouts_batchline WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id;
    IF seen <> NEW.lines THEN
        RAISE EXCEPTION 'batch %: has % lines and % can be seen: its posting cannot be checked', NEW.id, NEW.lines, seen
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 'opening' THEN
        SELECT participant_id, currency, sum(minor) AS off INTO wrong FROM (
            SELECT participant_id, currency, clawback_balance_minor - opened_clawback_minor + held_back_minor + returned_minor
                + opened_carried_minor - carried_forward_minor + opened_kept_minor - kept_adjustments_minor AS minor
                FROM payouts_batchsettlement WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id
            UNION ALL
            SELECT participant_id, currency, balance_minor - opened_minor FROM payouts_batchdraw
                WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id
            UNION ALL
            SELECT e.participant_id, e.currency, e.amount_minor FROM payouts_ledgertransaction t JOIN payouts_ledgerentry e
                ON e.tenant_id = t.tenant_id AND e.transaction_id = t.id
                WHERE t.tenant_id = NEW.tenant_id AND t.batch_id = NEW.id AND t.kind = 'opening' AND e.account = 'opening'
        ) sides GROUP BY participant_id, currency HAVING sum(minor) <> 0 LIMIT 1;
    ELSE
        SELECT participant_id, currency, sum(minor) AS off INTO wrong FROM (
            SELECT participant_id, currency, amount_minor AS minor FROM payouts_batchline
                WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id
            UNION ALL
            SELECT participant_id, currency, payout_minor - inflow_minor FROM payouts_batchsettlement
                WHERE tenant_id = NEW.tenant_id AND batch_id = NEW.id
            UNION ALL
            SELECT e.participant_id, e.currency, e.amount_minor FROM payouts_ledgertransaction t JOIN payouts_ledgerentry e
                ON e.tenant_id = t.tenant_id AND e.transaction_id = t.id
                WHERE t.tenant_id = NEW.tenant_id AND t.batch_id = NEW.id AND t.kind = 'approval' AND e.account = 'payable'
        ) sides GROUP BY participant_id, currency HAVING sum(minor) <> 0 LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'batch %: the ledger does not owe participant % what it says: off by % minor units of %',
            NEW.id, wrong.participant_id, wrong.off, wrong.currency USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("crediting", "0018_territory_alignment"),
        ("payouts", "0028_postings_of_payments_are_what_was_paid"),
        ("people", "0011_a_redaction_only_takes_out_a_person"),
        ("plans", "0003_quotas_in_units"),
        ("tenancy", "0005_rows_are_redacted_by_an_erasure_alone"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(MOVES, "DROP FUNCTION comp_cutover_moves()"),
        migrations.RunSQL(STANDS, "DROP FUNCTION comp_opening_stands()"),
        migrations.RunSQL(TRANCHE_STANDS, "DROP FUNCTION comp_openingtranche_stands()"),
        migrations.RunSQL(ADDS_UP, "DROP FUNCTION comp_opening_adds_up()"),
        migrations.RunSQL(BATCH, "DROP FUNCTION comp_batch_opening()"),
        migrations.RunSQL(OF_APPROVED, migrations.RunSQL.noop),
        migrations.RunSQL(POSTED, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="CutOver",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=60)),
                ("day", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("preparing", "Preparing"),
                            ("parallel", "Parallel run"),
                            ("signed", "Signed"),
                            ("abandoned", "Abandoned"),
                        ],
                        default="preparing",
                        max_length=10,
                    ),
                ),
                ("prepared_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("signed_at", models.DateTimeField(null=True)),
                ("digest", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "ordering": ["-day", "-id"],
            },
        ),
        migrations.CreateModel(
            name="HistoricalCutOver",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("source", models.CharField(max_length=60)),
                ("day", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("preparing", "Preparing"),
                            ("parallel", "Parallel run"),
                            ("signed", "Signed"),
                            ("abandoned", "Abandoned"),
                        ],
                        default="preparing",
                        max_length=10,
                    ),
                ),
                ("prepared_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("signed_at", models.DateTimeField(null=True)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical cut over",
                "verbose_name_plural": "historical cut overs",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Opening",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.PositiveIntegerField()),
                ("component", models.CharField(max_length=50)),
                ("day", models.DateField()),
                ("measured_minor", models.BigIntegerField()),
                ("earned_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("applied_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="OpeningBalance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("draw", "Draw owed"),
                            ("carried", "Carried forward"),
                            ("clawback", "Clawback owed"),
                            ("held_back", "Held back"),
                            ("kept", "Small adjustments kept"),
                            ("paid_year", "Paid this year"),
                        ],
                        max_length=9,
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=50)),
                ("day", models.DateField(null=True)),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("applied_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="OpeningFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("openings", "Openings"),
                            ("tranches", "Unreleased tranches"),
                            ("balances", "Balances"),
                        ],
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("rows", models.PositiveIntegerField()),
                ("totals", models.JSONField()),
                ("uploaded_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("taken_back_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="OpeningTranche",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("index", models.SmallIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("release_day", models.DateField(null=True)),
                ("milestone", models.CharField(blank=True, max_length=60)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="batch",
            name="batch_run",
        ),
        migrations.RemoveConstraint(
            model_name="batch",
            name="batch_void_two_people",
        ),
        migrations.RemoveConstraint(
            model_name="ledgerentry",
            name="ledgerentry_account",
        ),
        migrations.AlterField(
            model_name="batch",
            name="kind",
            field=models.CharField(
                choices=[("regular", "Regular"), ("off_cycle", "Off-cycle"), ("opening", "Brought forward")],
                default="regular",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="batchheld",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="batchline",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="earning",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="farapproval",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="figurechange",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="glmapping",
            name="account",
            field=models.CharField(
                choices=[
                    ("expense", "Commission expense"),
                    ("accrued", "Accrued commission"),
                    ("payable", "Commission payable"),
                    ("paid", "Paid by payroll"),
                    ("draw", "Recoverable draws"),
                    ("clawback", "Clawback receivable"),
                    ("carried", "Carried to later periods"),
                    ("held_back", "Held back"),
                    ("contract_cost", "Capitalised contract cost"),
                    ("amortisation", "Amortisation of contract cost"),
                    ("impairment", "Impairment of contract cost"),
                    ("opening", "Brought forward"),
                ],
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="historicalbatch",
            name="kind",
            field=models.CharField(
                choices=[("regular", "Regular"), ("off_cycle", "Off-cycle"), ("opening", "Brought forward")],
                default="regular",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="historicalglmapping",
            name="account",
            field=models.CharField(
                choices=[
                    ("expense", "Commission expense"),
                    ("accrued", "Accrued commission"),
                    ("payable", "Commission payable"),
                    ("paid", "Paid by payroll"),
                    ("draw", "Recoverable draws"),
                    ("clawback", "Clawback receivable"),
                    ("carried", "Carried to later periods"),
                    ("held_back", "Held back"),
                    ("contract_cost", "Capitalised contract cost"),
                    ("amortisation", "Amortisation of contract cost"),
                    ("impairment", "Impairment of contract cost"),
                    ("opening", "Brought forward"),
                ],
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="journalline",
            name="account",
            field=models.CharField(
                choices=[
                    ("expense", "Commission expense"),
                    ("accrued", "Accrued commission"),
                    ("payable", "Commission payable"),
                    ("paid", "Paid by payroll"),
                    ("draw", "Recoverable draws"),
                    ("clawback", "Clawback receivable"),
                    ("carried", "Carried to later periods"),
                    ("held_back", "Held back"),
                    ("contract_cost", "Capitalised contract cost"),
                    ("amortisation", "Amortisation of contract cost"),
                    ("impairment", "Impairment of contract cost"),
                    ("opening", "Brought forward"),
                ],
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="journalline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("approval", "Approval"),
                    ("payment", "Payment"),
                    ("void", "Voided payment"),
                    ("write_off", "Write-off"),
                    ("accrual", "Accrual"),
                    ("reversal", "Reversal of the accrual"),
                    ("capitalise", "Capitalised cost"),
                    ("amortise", "Amortisation"),
                    ("impair", "Impairment"),
                    ("opening", "Brought forward"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="account",
            field=models.CharField(
                choices=[
                    ("expense", "Commission expense"),
                    ("accrued", "Accrued commission"),
                    ("payable", "Commission payable"),
                    ("paid", "Paid by payroll"),
                    ("draw", "Recoverable draws"),
                    ("clawback", "Clawback receivable"),
                    ("carried", "Carried to later periods"),
                    ("held_back", "Held back"),
                    ("contract_cost", "Capitalised contract cost"),
                    ("amortisation", "Amortisation of contract cost"),
                    ("impairment", "Impairment of contract cost"),
                    ("opening", "Brought forward"),
                ],
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="ledgertransaction",
            name="kind",
            field=models.CharField(
                choices=[
                    ("approval", "Approval"),
                    ("payment", "Payment"),
                    ("void", "Voided payment"),
                    ("write_off", "Write-off"),
                    ("accrual", "Accrual"),
                    ("reversal", "Reversal of the accrual"),
                    ("capitalise", "Capitalised cost"),
                    ("amortise", "Amortisation"),
                    ("impair", "Impairment"),
                    ("opening", "Brought forward"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="payable",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="schedule",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="tranche",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AlterField(
            model_name="windfallreview",
            name="line_kind",
            field=models.SmallIntegerField(
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
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "regular"), ("run", 0)),
                    models.Q(("kind", "off_cycle"), ("run__gt", 0)),
                    models.Q(("kind", "opening"), ("run", -1)),
                    _connector="OR",
                ),
                name="batch_run",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "voided"), _negated=True),
                    models.Q(
                        ("voided_by__isnull", False),
                        models.Q(("void_reason", ""), _negated=True),
                        models.Q(
                            models.Q(
                                ("void_asked_by__isnull", False),
                                models.Q(("voided_by", models.F("void_asked_by")), _negated=True),
                            ),
                            models.Q(
                                ("submitted_by__isnull", False),
                                ("void_asked_by", None),
                                models.Q(("voided_by", models.F("submitted_by")), _negated=True),
                            ),
                            models.Q(("kind", "opening"), ("submitted_by", None)),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="batch_void_two_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_batch_opening", name="batch_opening", when="BEFORE INSERT OR UPDATE"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "account__in",
                        [
                            "expense",
                            "accrued",
                            "payable",
                            "paid",
                            "draw",
                            "clawback",
                            "carried",
                            "held_back",
                            "contract_cost",
                            "amortisation",
                            "impairment",
                            "opening",
                        ],
                    )
                ),
                name="ledgerentry_account",
            ),
        ),
        migrations.AddField(
            model_name="cutover",
            name="batch",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.batch",
            ),
        ),
        migrations.AddField(
            model_name="cutover",
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
            model_name="cutover",
            name="prepared_by",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="cutover",
            name="signed_by",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="cutover",
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
            model_name="historicalcutover",
            name="batch",
            field=comp.tenancy.models.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="payouts.batch",
            ),
        ),
        migrations.AddField(
            model_name="historicalcutover",
            name="history_user",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="historicalcutover",
            name="pay_group",
            field=comp.tenancy.models.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="people.paygroup",
            ),
        ),
        migrations.AddField(
            model_name="historicalcutover",
            name="prepared_by",
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
            model_name="historicalcutover",
            name="signed_by",
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
            model_name="historicalcutover",
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
            model_name="opening",
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
            model_name="opening",
            name="participant",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.participant",
            ),
        ),
        migrations.AddField(
            model_name="opening",
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
            model_name="opening",
            name="plan",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="plans.plan",
            ),
        ),
        migrations.AddField(
            model_name="opening",
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
            model_name="opening",
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
            model_name="openingbalance",
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
            model_name="openingbalance",
            name="participant",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.participant",
            ),
        ),
        migrations.AddField(
            model_name="openingbalance",
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
            model_name="openingbalance",
            name="plan",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="plans.plan",
            ),
        ),
        migrations.AddField(
            model_name="openingbalance",
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
            model_name="openingbalance",
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
            model_name="openingfile",
            name="beside",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.openingfile",
            ),
        ),
        migrations.AddField(
            model_name="openingfile",
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
            model_name="openingfile",
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
            model_name="openingfile",
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
            model_name="openingfile",
            name="uploaded_by",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="openingbalance",
            name="file",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.openingfile",
            ),
        ),
        migrations.AddField(
            model_name="opening",
            name="file",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.openingfile",
            ),
        ),
        migrations.AddField(
            model_name="openingtranche",
            name="deal",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crediting.deal",
            ),
        ),
        migrations.AddField(
            model_name="openingtranche",
            name="opening",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payouts.opening",
            ),
        ),
        migrations.AddField(
            model_name="openingtranche",
            name="participant",
            field=comp.tenancy.models.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="people.participant",
            ),
        ),
        migrations.AddField(
            model_name="openingtranche",
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
            model_name="openingtranche",
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
            model_name="cutover",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_cutover_key"),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "abandoned"), _negated=True),
                fields=("tenant", "pay_group"),
                name="cutover_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["preparing", "parallel", "signed", "abandoned"])),
                name="cutover_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("signed_at__isnull", False),
                        ("signed_by__isnull", False),
                        ("state", "signed"),
                        models.Q(("digest", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("state", "signed"), _negated=True),
                        ("digest", ""),
                        ("signed_at", None),
                        ("signed_by", None),
                    ),
                    _connector="OR",
                ),
                name="cutover_signed_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("signed_by", None),
                    models.Q(("signed_by", models.F("prepared_by")), _negated=True),
                    _connector="OR",
                ),
                name="cutover_two_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_cutover_wall"),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_cutover_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=comp.tenancy.walls.TenantReference(
                column="batch_id", name="payouts_cutover_batch_id_in", to="payouts_batch"
            ),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=comp.tenancy.walls.HistoryTrigger(into="payouts_historicalcutover", name="payouts_cutover_kept"),
        ),
        migrations.AddConstraint(
            model_name="cutover",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_cutover_moves",
                name="cutover_moves",
                when="BEFORE INSERT OR UPDATE OR DELETE",
            ),
        ),
        migrations.AddIndex(
            model_name="historicalcutover",
            index=models.Index(fields=["tenant", "id", "history_date"], name="h_payouts_cutover"),
        ),
        migrations.AddConstraint(
            model_name="historicalcutover",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_historicalcutover_wall"),
        ),
        migrations.AddConstraint(
            model_name="historicalcutover",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="payouts_historicalcutover_append"),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_openingfile_key"),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["openings", "tranches", "balances"])), name="openingfile_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "tranches"), _negated=True), ("beside__isnull", False), _connector="OR"
                ),
                name="openingfile_beside",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_openingfile_wall"),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_openingfile_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=comp.tenancy.walls.TenantReference(
                column="beside_id", name="payouts_openingfile_beside_id_in", to="payouts_openingfile"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("taken_back_at", "taken_back_by_id"), name="openingfile_append"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingfile",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_opening_stands",
                name="openingfile_stands",
                when="BEFORE INSERT OR UPDATE",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_openingbalance_key"),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)),
                fields=("tenant", "cut_over", "participant", "plan", "kind", "key", "day"),
                name="openingbalance_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["draw", "carried", "clawback", "held_back", "kept", "paid_year"])),
                name="openingbalance_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["carried", "kept", "paid_year"]), ("amount_minor__gt", 0), _connector="OR"
                ),
                name="openingbalance_owed",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "held_back"), _negated=True), ("day__isnull", False), _connector="OR"
                ),
                name="openingbalance_comes_back",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_openingbalance_wall"),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_openingbalance_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_openingbalance_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_openingbalance_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.TenantReference(
                column="file_id", name="payouts_openingbalance_file_id_in", to="payouts_openingfile"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.TenantReference(
                column="plan_id", name="payouts_openingbalance_plan_id_in", to="plans_plan"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.PayWall(name="payouts_openingbalance_pay"),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("taken_back_at", "taken_back_by_id"), name="openingbalance_append"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingbalance",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_opening_stands",
                name="openingbalance_stands",
                when="BEFORE INSERT OR UPDATE",
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_opening_key"),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)),
                fields=("tenant", "participant", "plan", "component", "day"),
                name="opening_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_opening_wall"),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_opening_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_opening_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.TenantReference(
                column="cut_over_id", name="payouts_opening_cut_over_id_in", to="payouts_cutover"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.TenantReference(
                column="file_id", name="payouts_opening_file_id_in", to="payouts_openingfile"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.TenantReference(
                column="plan_id", name="payouts_opening_plan_id_in", to="plans_plan"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.PayWall(name="payouts_opening_pay"),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=("taken_back_at", "taken_back_by_id"), name="opening_append"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_opening_stands", name="opening_stands", when="BEFORE INSERT OR UPDATE"
            ),
        ),
        migrations.AddConstraint(
            model_name="opening",
            constraint=comp.tenancy.walls.Trigger(
                deferred=True, function="comp_opening_adds_up", name="opening_adds_up", when="AFTER INSERT"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="payouts_openingtranche_key"),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=models.UniqueConstraint(fields=("tenant", "opening", "index"), name="openingtranche_once"),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("milestone", ""), ("release_day__isnull", False)),
                    models.Q(
                        ("deal__isnull", False), ("release_day", None), models.Q(("milestone", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="openingtranche_release",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.TenantWall(name="payouts_openingtranche_wall"),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.TenantReference(
                column="participant_id", name="payouts_openingtranche_participant_id_in", to="people_participant"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.TenantReference(
                column="pay_group_id", name="payouts_openingtranche_pay_group_id_in", to="people_paygroup"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.TenantReference(
                column="opening_id", name="payouts_openingtranche_opening_id_in", to="payouts_opening"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.TenantReference(
                column="deal_id", name="payouts_openingtranche_deal_id_in", to="crediting_deal"
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.PayWall(name="payouts_openingtranche_pay"),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.AppendOnly(changing=(), name="openingtranche_append"),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False,
                function="comp_openingtranche_stands",
                name="openingtranche_stands",
                when="AFTER INSERT",
            ),
        ),
        migrations.AddConstraint(
            model_name="openingtranche",
            constraint=comp.tenancy.walls.Trigger(
                deferred=True, function="comp_opening_adds_up", name="openingtranche_adds_up", when="AFTER INSERT"
            ),
        ),
    ]
