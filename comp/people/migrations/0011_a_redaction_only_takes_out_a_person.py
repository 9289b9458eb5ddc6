from importlib import import_module

from django.db import migrations

BEFORE = import_module("comp.people.migrations.0009_one_way_to_redact").REDACT

#: A redaction can only put the leaver's pseudonym in the place of words. Codes (currencies, states, kinds: short
#: texts), who may do what, and how approvals go are no words about a person, and no erasure reaches them.
REDACT = (
    BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    .replace(
        "    is_now bytea;\n",
        "    is_now bytea;\n    leaver text;\n    address text;\n",
        1,
    )
    .replace(
        "    PERFORM FROM people_erasure WHERE id = for_erasure AND approved_by_id IS NOT NULL AND done_at IS NULL;\n",
        "    SELECT 'Person ' || p.key, 'person-' || p.id || '@erased.invalid' INTO leaver, address\n"
        "    FROM people_erasure e JOIN people_participant p ON p.tenant_id = e.tenant_id AND p.id = e.participant_id\n"
        "    WHERE e.id = for_erasure AND e.approved_by_id IS NOT NULL AND e.done_at IS NULL;\n",
        1,
    )
    .replace(
        "        AND in_column NOT LIKE '%digest%' AND in_column NOT LIKE '%sha256%';\n",
        "        AND in_column NOT LIKE '%digest%' AND in_column NOT LIKE '%sha256%'\n"
        "        AND in_table NOT LIKE 'tenancy\\_%' AND in_table NOT LIKE 'api\\_%'\n"
        "        AND in_table NOT LIKE 'payouts\\_approval%'\n"
        "        AND NOT (a.atttypid = 'character varying'::regtype AND a.atttypmod BETWEEN 5 AND 28);\n",
        1,
    )
    .replace(
        "    SET LOCAL app.erasing = 'on';\n",
        "    IF kind <> 'bytea' AND strpos(convert_from(replacement, 'UTF8'), leaver) = 0\n"
        "        AND strpos(convert_from(replacement, 'UTF8'), address) = 0\n"
        "        AND strpos(convert_from(replacement, 'UTF8'), '\"erased\"') = 0 THEN\n"
        "        RAISE EXCEPTION '%.% is not redacted: what takes its place does not name %', in_table, in_column, leaver\n"
        "            USING ERRCODE = 'insufficient_privilege';\n"
        "    END IF;\n"
        "    SET LOCAL app.erasing = 'on';\n",
        1,
    )
    .split("REVOKE ALL", 1)[0]
)


class Migration(migrations.Migration):
    dependencies = [("people", "0010_cost_centres_and_entities")]

    operations = [
        migrations.RunSQL(REDACT, BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)),
    ]
