from django.db import migrations

import comp.tenancy.walls

#: A statement follows the figures while its period is open. Taken by a batch it is a snapshot, and only its state moves:
#: back to open where the batch counts for nothing (those of a run of its own go), and never again once it is approved.
#: One without a digest is still being made.
STANDS = """
CREATE FUNCTION comp_statement_stands() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    was record;
BEGIN
    IF OLD.state = 'open' OR (OLD.state = 'in_batch' AND OLD.digest = '') THEN
        RETURN coalesce(NEW, OLD);
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.state = 'in_batch' AND OLD.run <> 0 THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'statement % is %: it cannot be deleted', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    was := OLD;
    was.state := NEW.state;
    IF was IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'statement %: what its batch took stands as it was stated', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('approved', 'paid') AND NEW.state NOT IN ('approved', 'paid') THEN
        RAISE EXCEPTION 'statement % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


class Migration(migrations.Migration):
    """What a batch took of somebody's period stands as it was stated, whoever writes."""

    dependencies = [("payouts", "0054_a_switch_that_was_signed_stays_signed")]

    operations = [
        migrations.RunSQL(STANDS, "DROP FUNCTION comp_statement_stands()"),
        migrations.AddConstraint(
            model_name="statement",
            constraint=comp.tenancy.walls.Trigger(
                name="statement_stands",
                when="BEFORE UPDATE OR DELETE",
                function="comp_statement_stands",
                deferred=False,
            ),
        ),
    ]
