"""Credits change in place as their deals do. Room on their pages lets a change stay on its page and touch no index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("crediting", "0004_history_is_only_added_to")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE crediting_credit SET (fillfactor = 75)", "ALTER TABLE crediting_credit RESET (fillfactor)"
        )
    ]
