-- Facts of a benchmark company. Deal i is won on day i from the first on, by seller i and helper i, each in turn.
INSERT INTO crediting_deal (id, tenant_id, endpoint_id, external_id, revision_id, revisions, version, event_time, sender_id,
    stage, amount_minor, currency, close_date, engage_date, product_id, account_id, territory, values, custom, recorded_at)
SELECT %(base)s + i, %(tenant)s, %(endpoint)s, 'D' || lpad(i::text, 8, '0'), %(base)s + i, 1, 1,
    timestamptz '2025-01-01 00:00Z' + i * interval '30 seconds', 'msg-' || i, 'won', 100000 + i::bigint * 7919 %% 1000003, 'USD',
    %(first)s::date + (i %% %(days)s)::int, date '2024-12-01', NULL, NULL, '', '{}', '{}', now()
FROM generate_series(1, %(deals)s) i;
INSERT INTO crediting_dealteam (tenant_id, deal_id, close_date, place, role, participant_id, weight)
SELECT %(tenant)s, %(base)s + i, %(first)s::date + (i %% %(days)s)::int, place, (ARRAY['ae', 'se'])[place + 1], CASE place
    WHEN 0 THEN (%(sellers)s::bigint[])[1 + i * 31 %% cardinality(%(sellers)s::bigint[])]
    ELSE (%(helpers)s::bigint[])[1 + i * 17 %% cardinality(%(helpers)s::bigint[])] END, 1
FROM generate_series(1, %(deals)s) i, generate_series(0, 1) place;
SELECT setval(pg_get_serial_sequence('crediting_deal', 'id'), max(id)) FROM crediting_deal;
SELECT setval(pg_get_serial_sequence('crediting_dealrevision', 'id'), max(id)) FROM crediting_deal;
VACUUM ANALYZE crediting_deal;
VACUUM ANALYZE crediting_dealteam
