from django.db import migrations

#: The one way in which a row that is only ever added loses a text: for an erasure that two people agreed on and that
#: is not done yet, in a table of the transaction's tenant, in a column of text, JSON or bytes. It leaves a redaction
#: with the digests of both. SECURITY DEFINER: the runtime roles may update none of these columns. It reads and
#: returns nothing, and the tenant's wall is forced on its owner too.
REDACT = """
CREATE FUNCTION comp_redact(for_erasure bigint, in_table text, at_row bigint, in_column text, replacement bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kind text;
    id_column text := CASE WHEN in_table LIKE '%\\_historical%' THEN 'history_id' ELSE 'id' END;
    read_text text;
    was bytea;
    is_now bytea;
BEGIN
    PERFORM FROM people_erasure WHERE id = for_erasure AND approved_by_id IS NOT NULL AND done_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing is redacted: there is no approved erasure % under way', for_erasure
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT format_type(a.atttypid, NULL) INTO kind
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = in_column AND NOT a.attisdropped
    JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'
    WHERE c.relname = in_table AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        AND in_table NOT IN ('payouts_batchline', 'payouts_ledgerentry', 'payouts_ledgertransaction', 'people_redaction')
        AND in_column NOT LIKE '%digest%' AND in_column NOT LIKE '%sha256%';
    IF kind IS NULL OR kind NOT IN ('text', 'character varying', 'jsonb', 'bytea') THEN
        RAISE EXCEPTION '%.% is not redacted: it is no text of a company', in_table, in_column
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    read_text := format(
        CASE kind WHEN 'bytea' THEN 'SELECT %I FROM %I WHERE %I = $1'
            ELSE 'SELECT convert_to(%I::text, ''UTF8'') FROM %I WHERE %I = $1' END,
        in_column, in_table, id_column);
    EXECUTE read_text INTO STRICT was USING at_row;
    SET LOCAL app.erasing = 'on';
    EXECUTE format(
        CASE kind WHEN 'bytea' THEN 'UPDATE %I SET %I = $1 WHERE %I = $2'
            WHEN 'jsonb' THEN 'UPDATE %I SET %I = convert_from($1, ''UTF8'')::jsonb WHERE %I = $2'
            ELSE 'UPDATE %I SET %I = convert_from($1, ''UTF8'') WHERE %I = $2' END,
        in_table, in_column, id_column) USING replacement, at_row;
    SET LOCAL app.erasing = '';
    EXECUTE read_text INTO STRICT is_now USING at_row;
    INSERT INTO people_redaction (tenant_id, erasure_id, "table", "row", "column", before_sha256, after_sha256)
    VALUES (current_setting('app.tenant')::bigint, for_erasure, in_table, at_row, in_column,
        encode(sha256(was), 'hex'), encode(sha256(is_now), 'hex'));
END $$;
REVOKE ALL ON FUNCTION comp_redact(bigint, text, bigint, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION comp_redact(bigint, text, bigint, text, bytea) TO comp_app, comp_pay;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0008_erasures"),
        ("tenancy", "0005_rows_are_redacted_by_an_erasure_alone"),
    ]

    operations = [
        migrations.RunSQL(REDACT, "DROP FUNCTION comp_redact(bigint, text, bigint, text, bytea)"),
    ]
