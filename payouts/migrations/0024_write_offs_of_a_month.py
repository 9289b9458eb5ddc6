from django.db import migrations, models


class Migration(migrations.Migration):
    """A month may hold several write-offs, each of the adjustment that decided it."""

    dependencies = [("payouts", "0023_the_database_knows_who_may_approve")]

    operations = [
        migrations.RemoveConstraint(model_name="ledgertransaction", name="ledger_month_once"),
        migrations.AddConstraint(
            model_name="ledgertransaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(("batch", None)),
                fields=("tenant", "month", "kind", "part"),
                name="ledger_month_once",
            ),
        ),
    ]
