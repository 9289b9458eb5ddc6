from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crediting", "0016_credits_that_wait")]

    operations = [migrations.AddField(model_name="credit", name="held", field=models.SmallIntegerField(default=0))]
