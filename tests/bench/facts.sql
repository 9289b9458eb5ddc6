-- Facts of a benchmark company. Deal i is won on day i of 2025, by seller i and helper i, each in turn.
INSERT INTO crediting_rawdelivery (id, tenant_id, endpoint_id, sender_id, sent_at, received_at, body, body_sha256, headers,
    state, attempts, error, processed_at, waits_for)
SELECT %(base)s + i, %(tenant)s, %(endpoint)s, 'msg-' || i, now(), now(), '{}', md5(i::text), '{}', 'done', 1, '', now(), '[]'
FROM generate_series(1, %(deals)s) i;
INSERT INTO crediting_dealrevision (id, tenant_id, endpoint_id, external_id, delivery_id, version, event_time, sender_id,
    stage, amount_minor, currency, close_date, engage_date, product_id, account_id, territory, custom, team, recorded_at)
SELECT %(base)s + i, %(tenant)s, %(endpoint)s, 'D' || lpad(i::text, 8, '0'), %(base)s + i, 1,
    timestamptz '2025-01-01 00:00Z' + i * interval '30 seconds', 'msg-' || i, 'won', 100000 + i::bigint * 7919 %% 1000003, 'USD',
    date '2025-01-01' + (i %% %(days)s)::int, date '2024-12-01', NULL, NULL, '', '{}',
    jsonb_build_array(
        jsonb_build_array('ae', (%(sellers)s::bigint[])[1 + i * 31 %% cardinality(%(sellers)s::bigint[])], 1),
        jsonb_build_array('se', (%(helpers)s::bigint[])[1 + i * 17 %% cardinality(%(helpers)s::bigint[])], 1)), now()
FROM generate_series(1, %(deals)s) i;
INSERT INTO crediting_deal (id, tenant_id, endpoint_id, external_id, revision_id, revisions, version, event_time, sender_id,
    stage, amount_minor, currency, close_date, engage_date, product_id, account_id, territory, custom, recorded_at)
SELECT id, tenant_id, endpoint_id, external_id, id, 1, version, event_time, sender_id,
    stage, amount_minor, currency, close_date, engage_date, product_id, account_id, territory, custom, recorded_at
FROM crediting_dealrevision WHERE tenant_id = %(tenant)s AND endpoint_id = %(endpoint)s ORDER BY id;
INSERT INTO crediting_dealteam (tenant_id, deal_id, place, role, participant_id, weight)
SELECT %(tenant)s, d.id, m.ordinality - 1, m.value ->> 0, (m.value ->> 1)::bigint, (m.value ->> 2)::int
FROM crediting_dealrevision d, jsonb_array_elements(d.team) WITH ORDINALITY m
WHERE d.tenant_id = %(tenant)s AND d.endpoint_id = %(endpoint)s ORDER BY d.id, m.ordinality;
SELECT setval(pg_get_serial_sequence('crediting_rawdelivery', 'id'), max(id)) FROM crediting_rawdelivery;
SELECT setval(pg_get_serial_sequence('crediting_dealrevision', 'id'), max(id)) FROM crediting_dealrevision;
SELECT setval(pg_get_serial_sequence('crediting_deal', 'id'), max(id)) FROM crediting_deal;
VACUUM ANALYZE crediting_rawdelivery, crediting_dealrevision;
VACUUM ANALYZE crediting_deal;
VACUUM ANALYZE crediting_dealteam
