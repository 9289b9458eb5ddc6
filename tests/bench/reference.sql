-- The same figures by set-based SQL, under the same walls and into the same tables, which it may take to be empty: one window
-- over all credits, marginal tiers in whole numbers, rounded half up. Quotas are multiples of 10, so that 1.3 of one is whole,
-- rates are hundredths, and January 2025 is the open period. Rows lie in the order of the unique keys: their indexes grow quickest so.
CREATE TEMPORARY TABLE line ON COMMIT DROP AS
WITH credit AS (
    SELECT d.id AS deal_id, d.revision_id, d.event_time, d.external_id, d.close_date, t.participant_id, t.role, t.place AS split,
        m.pay_group_id, a.plan_id, v.id AS plan_version_id, e.key AS source,
        date_trunc('quarter', d.close_date)::date AS quarter,
        CASE t.role WHEN 'ae' THEN d.amount_minor ELSE (d.amount_minor + 1) / 2 END AS amount
    FROM crediting_deal d
    JOIN crediting_hookendpoint e ON e.id = d.endpoint_id
    JOIN crediting_dealteam t ON t.deal_id = d.id
    JOIN people_participant m ON m.id = t.participant_id
    JOIN plans_planassignment a ON a.participant_id = t.participant_id AND a.starts_on <= d.close_date
        AND (a.ends_on IS NULL OR d.close_date < a.ends_on)
    JOIN plans_planversion v ON v.plan_id = a.plan_id AND v.state = 'published' AND v.starts_on <= d.close_date
        AND (v.ends_on IS NULL OR d.close_date < v.ends_on)
    WHERE d.stage = 'won' AND d.amount_minor IS NOT NULL AND d.close_date IS NOT NULL
), running AS (
    SELECT c.*, q.amount_minor AS quota, row_number() OVER inorder AS position, sum(c.amount) OVER inorder::bigint AS after
    FROM credit c JOIN plans_quota q ON q.participant_id = c.participant_id AND q.key = 'bookings' AND q.starts_on = c.quarter
    WINDOW inorder AS (PARTITION BY c.participant_id, c.quarter
        ORDER BY c.close_date, c.event_time, c.source COLLATE "C", c.external_id COLLATE "C", c.split
        ROWS UNBOUNDED PRECEDING)
)
SELECT r.*, after - amount AS before,
    (8 * (least(after, quota) - least(after - amount, quota))
    + 12 * (greatest(least(after, quota * 13 / 10) - quota, 0) - greatest(least(after - amount, quota * 13 / 10) - quota, 0))
    + 15 * (greatest(after - quota * 13 / 10, 0) - greatest(after - amount - quota * 13 / 10, 0)) + 50) / 100 AS earned
FROM running r ORDER BY participant_id, deal_id;
INSERT INTO crediting_credit (tenant_id, participant_id, fact, deal_id, plan_id, rule, role, split, pay_group_id, revision,
    plan_version_id, credit_class, kind, held, credit_date, pot_minor, amount_minor, currency)
SELECT current_setting('app.tenant')::bigint, participant_id, deal_id, deal_id, plan_id, 'won-deals', role, split, pay_group_id, revision_id,
    plan_version_id, 'bookings', 0, 0, close_date, amount, amount, 'USD' FROM line;
INSERT INTO payouts_earning (tenant_id, participant_id, fact, deal_id, origin, period, line_kind, plan_id, rule, role, split,
    component, pay_group_id, plan_version_id, credit_date, period_starts_on, credit_minor, position, before_minor, after_minor, quota_minor,
    tier_before, tier_after, band, rounded_minor, earned_minor, review_minor, waiting, currency)
SELECT current_setting('app.tenant')::bigint, participant_id, deal_id, deal_id, 0, date '1970-01-01', 0, plan_id, 'won-deals', role,
    split, 'commission', pay_group_id,
    plan_version_id, close_date, quarter, amount, position, before, after, quota,
    CASE WHEN before >= quota * 13 / 10 THEN 2 WHEN before >= quota THEN 1 ELSE 0 END,
    CASE WHEN after >= quota * 13 / 10 THEN 2 WHEN after >= quota THEN 1 ELSE 0 END, -1, earned, earned, 0, 0, 'USD' FROM line;
INSERT INTO payouts_tranche (tenant_id, participant_id, fact, deal_id, origin, period, line_kind, plan_id, rule, role, split,
    component, "index", part, pay_group_id, plan_version_id, credit_date, amount_minor, trigger, trigger_day, release_day, period_starts_on, state,
    currency)
SELECT current_setting('app.tenant')::bigint, participant_id, deal_id, deal_id, 0, date '1970-01-01', 0, plan_id, 'won-deals', role,
    split, 'commission', 0, 0, pay_group_id,
    plan_version_id, close_date, earned, 'credit_date', close_date, close_date, date_trunc('month', close_date)::date, 0, 'USD'
FROM line;
INSERT INTO payouts_attainment (tenant_id, participant_id, plan_id, component, starts_on, pay_group_id, plan_version_id,
    ends_on, quota_minor, total_minor, lines, earned_minor, currency, unit, value, result)
SELECT current_setting('app.tenant')::bigint, participant_id, plan_id, 'commission', quarter, min(pay_group_id), max(plan_version_id),
    (quarter + interval '3 months')::date, min(quota), sum(amount), count(*), sum(earned), 'USD', 'money', '', ''
FROM line GROUP BY participant_id, plan_id, quarter;
INSERT INTO payouts_payable (tenant_id, participant_id, fact, deal_id, origin, period, line_kind, plan_id, rule, role, split,
    component, "index", part, pay_group_id, period_starts_on, origin_starts_on, kind, plan_version_id, credit_date, amount_minor, posted_minor, currency)
SELECT current_setting('app.tenant')::bigint, participant_id, deal_id, deal_id, 0, date '1970-01-01', 0, plan_id, 'won-deals', role,
    split, 'commission', 0, 0, pay_group_id,
    date '2025-01-01', date '2025-01-01', 'release', plan_version_id, close_date, earned, 0, 'USD'
FROM line WHERE close_date < date '2025-02-01' AND earned <> 0;
INSERT INTO payouts_statement (tenant_id, participant_id, pay_group_id, period_starts_on, period_ends_on, run, state, revision,
    released_minor, adjustments_minor, payout_minor, lines, currency, digest, calculated_at, data_at)
SELECT current_setting('app.tenant')::bigint, participant_id, pay_group_id, date '2025-01-01', date '2025-02-01', 0, 'open', 1,
    coalesce(sum(earned), 0), 0, coalesce(sum(earned), 0), count(mark), 'USD',
    to_hex(coalesce(bit_xor(mark), 0)), now(), now()
FROM (
    SELECT participant_id, pay_group_id, NULL::bigint AS earned, NULL::bigint AS mark FROM line GROUP BY participant_id, pay_group_id
    UNION ALL
    SELECT participant_id, pay_group_id, earned, hash_record_extended(ROW(participant_id, deal_id, plan_id, 0, date '1970-01-01', 0,
        'commission'::text, split, 'won-deals'::text, role, 0, 0, 'release'::text, date '2025-01-01', earned, 'USD'::text), 0)
    FROM line WHERE close_date < date '2025-02-01' AND earned <> 0
) owed
GROUP BY participant_id, pay_group_id
