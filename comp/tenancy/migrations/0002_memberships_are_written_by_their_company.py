from django.db import migrations

import comp.tenancy.walls

OWN = comp.tenancy.walls.OwnRows(name="membership_own")


class Migration(migrations.Migration):
    """Makes the policies of memberships anew: one's own rows of other companies are read, no longer changed."""

    dependencies = [("tenancy", "0001_initial")]

    operations = [
        migrations.RemoveConstraint("membership", "membership_own"),
        migrations.AddConstraint("membership", OWN),
    ]
