from django.db import migrations

import comp.tenancy.walls

#: A note says what lines keep from then on: none is added to a batch that was submitted.
STANDS = """
CREATE FUNCTION comp_givenup_stands() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    stands text;
BEGIN
    SELECT state INTO stands FROM payouts_batch WHERE tenant_id = NEW.tenant_id AND id = NEW.batch_id;
    IF stands IS DISTINCT FROM 'in_review' THEN
        RAISE EXCEPTION 'batch %: it is %, and what lines had given up by then is noted', NEW.batch_id, stands
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    """What was given up of a budget is noted when a batch is made, and not afterwards."""

    dependencies = [("payouts", "0055_what_a_batch_stated_stands")]

    operations = [
        migrations.RunSQL(STANDS, "DROP FUNCTION comp_givenup_stands()"),
        migrations.AddConstraint(
            model_name="givenup",
            constraint=comp.tenancy.walls.Trigger(
                deferred=False, function="comp_givenup_stands", name="givenup_stands", when="AFTER INSERT"
            ),
        ),
    ]
