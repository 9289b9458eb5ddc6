"""Milestones and usage readings stand among the facts by now."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("crediting", "0009_milestones_and_usage_are_facts")]

    operations = [
        migrations.DeleteModel(name="MilestoneRevision"),
        migrations.DeleteModel(name="UsageReading"),
    ]
