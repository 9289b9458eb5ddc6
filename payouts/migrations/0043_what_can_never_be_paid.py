from importlib import import_module

from django.conf import settings
from django.db import migrations, models

import comp.tenancy.walls

_MOVES = import_module("payouts.migrations.0017_payments_by_person").PAYMENT_MOVES
_PAID = import_module("payouts.migrations.0028_postings_of_payments_are_what_was_paid").PAID


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The function again, with each of these passages, which stands in it once, in other words."""
    text = text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    for before, now in pairs:
        assert text.count(before) == 1, before
        text = text.replace(before, now)
    return text


#: A rejected payment is let go by two people, neither about their own pay, with what becomes of the amount; only what is
#: still owed of a void one is issued again.
MOVES = replaced(
    _MOVES,
    ("('exported', 'void'), ('paid', 'void'))", "('exported', 'void'), ('paid', 'void'), ('rejected', 'void'))"),
    (
        "ELSE NEW.why END) OR rest",
        "ELSE NEW.why END) OR before.outcome = 'not_owed' OR rest",
    ),
    (
        "    IF OLD.state IN ('rejected', 'void') AND",
        """    IF OLD.state <> 'void' AND NEW.state = 'void' THEN
        IF (OLD.state = 'rejected') <> (NEW.outcome <> '') THEN
            RAISE EXCEPTION 'payment %: what payroll rejected is let go with what becomes of it, all else is due again', OLD.number
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.state = 'rejected' AND EXISTS (SELECT 1 FROM payouts_payment WHERE tenant_id = NEW.tenant_id AND reissue_of_id = NEW.id) THEN
            RAISE EXCEPTION 'payment %: it is issued again already', OLD.number USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (SELECT 1 FROM people_participant p WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.participant_id
            AND p.user_id IN (NEW.voided_by_id, CASE OLD.state WHEN 'rejected' THEN NEW.void_asked_by_id END)) THEN
            RAISE EXCEPTION 'payment %: nobody decides about their own pay', OLD.number USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF OLD.state = 'void' AND""",
    ),
)
#: What is posted as no longer owed is what such payments say, as what is posted as paid.
PAID = replaced(
    _PAID,
    ("NEW.kind NOT IN ('payment', 'void') THEN", "NEW.kind NOT IN ('payment', 'void', 'not_owed') THEN"),
    (
        "e.account NOT IN ('payable', 'paid') LIMIT 1",
        "e.account NOT IN ('payable', CASE NEW.kind WHEN 'not_owed' THEN 'expense' ELSE 'paid' END) LIMIT 1",
    ),
    (
        "t.kind IN ('payment', 'void') AND e.account = 'paid'\n",
        "t.kind IN ('payment', 'void', 'not_owed')\n"
        "            AND (t.kind = 'not_owed') = (NEW.kind = 'not_owed') AND e.account <> 'payable'\n",
    ),
    ("sum(p.paid_minor) AS minor", "sum(CASE p.state WHEN 'void' THEN p.amount_minor ELSE p.paid_minor END) AS minor"),
    (
        "p.batch_id = NEW.batch_id AND p.state = 'paid'\n",
        "p.batch_id = NEW.batch_id\n"
        "            AND CASE NEW.kind WHEN 'not_owed' THEN p.state = 'void' AND p.outcome = 'not_owed' ELSE p.state = 'paid' END\n",
    ),
    ("was paid % minor units", "was % % minor units"),
    (
        "wrong.participant_id, wrong.booked, wrong.currency",
        "wrong.participant_id,\n            CASE NEW.kind WHEN 'not_owed' THEN 'not owed' ELSE 'paid' END, wrong.booked, wrong.currency",
    ),
)


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0042_who_signs_a_switch_signs_all_of_it"),
        ("people", "0011_a_redaction_only_takes_out_a_person"),
        ("tenancy", "0005_rows_are_redacted_by_an_erasure_alone"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(PAID, replaced(_PAID)),
        migrations.RemoveConstraint(
            model_name="payment",
            name="payment_append",
        ),
        migrations.AddField(
            model_name="payment",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Due again at once"),
                    ("owed", "Owed again: it goes out with the pay group's next payout"),
                    ("not_owed", "Not owed: what was expensed is taken back"),
                ],
                max_length=8,
            ),
        ),
        migrations.RunSQL(MOVES, replaced(_MOVES)),
        migrations.AlterField(
            model_name="journalline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("approval", "Approval"),
                    ("payment", "Payment"),
                    ("void", "Voided payment"),
                    ("not_owed", "No longer owed"),
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
            model_name="ledgertransaction",
            name="kind",
            field=models.CharField(
                choices=[
                    ("approval", "Approval"),
                    ("payment", "Payment"),
                    ("void", "Voided payment"),
                    ("not_owed", "No longer owed"),
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
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome", ""),
                    models.Q(
                        ("outcome__in", ["owed", "not_owed"]),
                        ("state__in", ["rejected", "void"]),
                        ("void_asked_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="payment_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=comp.tenancy.walls.AppendOnly(
                changing=(
                    "state",
                    "run_id",
                    "paid_minor",
                    "paid_on",
                    "reference",
                    "reason",
                    "settled_at",
                    "settled_by_id",
                    "void_reason",
                    "outcome",
                    "void_asked_by_id",
                    "void_asked_at",
                    "voided_by_id",
                    "voided_at",
                ),
                name="payment_append",
            ),
        ),
    ]
