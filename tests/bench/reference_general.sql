-- What is right, by set-based SQL that knows no plan by heart: shares, classes, tiers (any number), rates, quotas' keys, measure
-- periods and currency are read from the plan versions, the open periods from pay groups and batches, in exact numerics. Each of
-- the views `right_…` holds what should stand in a table, in the order of its key; tests/bench/recompute.py merges it into that.
-- In SQL's favour: credit dates are close dates, all is released on them, and why figures moved is not recorded.
CREATE TEMPORARY TABLE share ON COMMIT DROP AS
SELECT v.id AS plan_version_id, v.plan_id, p.key AS plan, v.starts_on, v.ends_on, rule ->> 'key' AS rule,
    rule ->> 'class' AS credit_class, rule #>> '{when,all,0,value}' AS stage, who ->> 'role' AS role,
    rtrim(who ->> 'share', '%')::numeric / 100 AS share, document::jsonb ->> 'currency' AS currency
FROM plans_planversion v JOIN plans_plan p ON p.id = v.plan_id,
    jsonb_array_elements(document::jsonb -> 'credit_rules') rule, jsonb_array_elements(rule -> 'credit') who
WHERE v.state = 'published';
CREATE TEMPORARY TABLE scale ON COMMIT DROP AS
WITH tier AS (
    SELECT v.id AS plan_version_id, c ->> 'key' AS component, c ->> 'quota' AS quota_key, c_place, c -> 'credits' AS credits,
        CASE c #>> '{measure,every}' WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 END AS months,
        place, rtrim(t ->> 'from', '%')::numeric / 100 AS at, rtrim(t ->> 'rate', '%')::numeric / 100 AS rate
    FROM plans_planversion v, jsonb_array_elements(document::jsonb -> 'components') WITH ORDINALITY cs (c, c_place),
        jsonb_array_elements(c #> '{tiers,rates}') WITH ORDINALITY ts (t, place)
    WHERE v.state = 'published'
), stepped AS (
    SELECT *, (at - lag(at, 1, at) OVER up) * lag(rate, 1, rate) OVER up AS step FROM tier
    WINDOW up AS (PARTITION BY plan_version_id, component ORDER BY place)
), summed AS (
    SELECT *, sum(step) OVER (PARTITION BY plan_version_id, component ORDER BY place) AS base FROM stepped
)
SELECT row_number() OVER () AS scale, plan_version_id, component, c_place, credits, q.participant_id, q.starts_on, q.ends_on,
    q.amount_minor AS quota, array_agg(at * q.amount_minor ORDER BY place) AS limits,
    array_agg(base * q.amount_minor ORDER BY place) AS bases, array_agg(rate ORDER BY place) AS rates
FROM summed JOIN plans_quota q ON q.key = quota_key AND q.ends_on = q.starts_on + months * interval '1 month'
GROUP BY plan_version_id, component, c_place, credits, q.id;
ANALYZE share, scale;
CREATE TEMPORARY TABLE term ON COMMIT DROP AS
SELECT x.scale, x.c_place, x.participant_id, m.pay_group_id, s.role, s.stage, s.share, s.rule, s.credit_class, s.plan_id, s.plan,
    s.plan_version_id, s.currency, greatest(x.starts_on, s.starts_on, a.starts_on) AS starts_on,
    least(x.ends_on, s.ends_on, a.ends_on) AS ends_on
FROM scale x JOIN share s ON s.plan_version_id = x.plan_version_id
    AND x.credits -> 'classes' ? s.credit_class AND x.credits -> 'roles' ? s.role
JOIN plans_planassignment a ON a.participant_id = x.participant_id AND a.plan_id = s.plan_id
JOIN people_participant m ON m.id = x.participant_id;
ANALYZE term;
SET LOCAL enable_nestloop = off;
CREATE TEMPORARY TABLE line ON COMMIT DROP AS
WITH running AS (
    SELECT d.id AS deal_id, d.revision_id, d.external_id, d.close_date, e.key AS source, t.place AS split, x.*,
        round(d.amount_minor * x.share)::bigint AS amount, row_number() OVER inorder AS position,
        sum(round(d.amount_minor * x.share)) OVER inorder AS after
    FROM crediting_dealteam t
    JOIN crediting_deal d ON d.id = t.deal_id
    JOIN crediting_hookendpoint e ON e.id = d.endpoint_id
    JOIN (SELECT scale, participant_id, role, rule, stage, share, starts_on, ends_on FROM term) x
        ON x.participant_id = t.participant_id AND x.role = t.role AND x.stage = d.stage
        AND d.close_date >= x.starts_on AND d.close_date < x.ends_on
    WHERE d.amount_minor IS NOT NULL
    WINDOW inorder AS (PARTITION BY x.scale
        ORDER BY d.close_date, d.event_time, e.key COLLATE "C", d.external_id COLLATE "C", t.place ROWS UNBOUNDED PRECEDING)
), tiered AS (
    SELECT *, greatest(width_bucket(after, limits), 1) AS upper, greatest(width_bucket(after - amount, limits), 1) AS lower
    FROM running JOIN (
        SELECT x.scale, x.component, x.starts_on AS measured_from, x.ends_on AS measured_to, x.quota, x.limits, x.bases, x.rates, t.role,
            t.c_place, t.pay_group_id, t.plan_id, t.plan, t.plan_version_id, t.rule, t.credit_class, t.currency
        FROM scale x JOIN term t USING (scale)
    ) x USING (scale, role, rule)
)
SELECT deal_id, revision_id, external_id, close_date, source, participant_id, role, split, pay_group_id, plan_id, plan,
    plan_version_id, rule, credit_class, currency, amount, component, c_place, measured_from, measured_to, quota,
    position,
    (after - amount)::bigint AS before, after::bigint, lower - 1 AS tier_before, upper - 1 AS tier_after,
    round(bases[upper] + rates[upper] * (after - limits[upper])
        - bases[lower] - rates[lower] * (after - amount - limits[lower]))::bigint AS earned
FROM tiered ORDER BY participant_id, deal_id;
ANALYZE line;
CREATE TEMPORARY TABLE open ON COMMIT DROP AS
SELECT g.id AS pay_group_id, day::date AS starts_on, (day + interval '1 month')::date AS ends_on
FROM people_paygroup g CROSS JOIN LATERAL (
    SELECT min(day) AS day
    FROM generate_series(date_trunc('month', g.opens_on), date_trunc('month', now()) + interval '1 year', interval '1 month') day
    WHERE NOT EXISTS (SELECT FROM payouts_batch b
        WHERE b.pay_group_id = g.id AND b.run = 0 AND b.starts_on = day AND b.state NOT IN ('rejected', 'voided'))
) first_free;
CREATE TEMPORARY VIEW right_crediting_credit AS
SELECT participant_id, deal_id AS fact, deal_id, plan_id, rule, role, split, pay_group_id, revision_id AS revision, plan_version_id,
    credit_class, 0 AS kind, 0 AS held, close_date AS credit_date, amount AS pot_minor, amount AS amount_minor, currency
FROM line WHERE c_place = 1;
CREATE TEMPORARY VIEW right_payouts_earning AS
SELECT participant_id, deal_id AS fact, deal_id, plan_id, 0 AS origin, split, date '1970-01-01' AS period, 0 AS line_kind, component,
    rule, role, pay_group_id, plan_version_id, close_date AS credit_date, measured_from AS period_starts_on, amount AS credit_minor,
    position, before AS before_minor, after AS after_minor, quota AS quota_minor, tier_before, tier_after, -1 AS band,
    earned AS rounded_minor, earned AS earned_minor, 0 AS review_minor, 0 AS waiting, currency
FROM line;
CREATE TEMPORARY VIEW right_payouts_tranche AS
SELECT participant_id, deal_id AS fact, deal_id, plan_id, 0 AS origin, split, date '1970-01-01' AS period, 0 AS line_kind, component,
    rule, role, 0 AS index, 0 AS part, pay_group_id, plan_version_id, close_date AS credit_date, earned AS amount_minor,
    'credit_date' AS trigger, close_date AS trigger_day, close_date AS release_day,
    date_trunc('month', close_date)::date AS period_starts_on, 0 AS state, currency
FROM line;
CREATE TEMPORARY VIEW right_payouts_attainment AS
SELECT participant_id, plan_id, component, measured_from AS starts_on, plan_version_id, min(pay_group_id) AS pay_group_id,
    min(measured_to) AS ends_on, min(quota) AS quota_minor, sum(amount)::bigint AS total_minor, count(*)::int AS lines,
    sum(earned)::bigint AS earned_minor, min(currency) AS currency, 'money' AS unit, '' AS value, '' AS result
FROM line GROUP BY participant_id, plan_id, component, measured_from, plan_version_id;
CREATE TEMPORARY TABLE due ON COMMIT DROP AS
WITH released AS (
    SELECT t.participant_id, t.fact, t.plan_id, t.origin, t.split, t.period, t.line_kind, t.component, t.rule, t.role, t.index, t.part,
        t.deal_id, t.amount_minor, t.period_starts_on, t.plan_version_id, t.credit_date, t.currency
    FROM right_payouts_tranche t JOIN open o USING (pay_group_id) WHERE t.release_day < o.ends_on
), taken AS (
    SELECT l.participant_id, l.fact, l.plan_id, l.origin, l.split, l.period, l.line_kind, l.component, l.rule, l.role, l.index, l.part,
        sum(l.amount_minor)::bigint AS posted, max(l.deal_id) AS deal_id, max(l.origin_starts_on) AS origin_starts_on,
        max(l.plan_version_id) AS plan_version_id, max(l.credit_date) AS credit_date, max(l.currency) AS currency
    FROM payouts_batchline l JOIN payouts_batch b ON b.id = l.batch_id WHERE b.state NOT IN ('rejected', 'voided')
    GROUP BY l.participant_id, l.fact, l.plan_id, l.origin, l.split, l.period, l.line_kind, l.component, l.rule, l.role, l.index,
        l.part
), both_sides AS (
    SELECT participant_id, fact, plan_id, origin, split, period, line_kind, component, rule, role, index, part,
        coalesce(r.deal_id, x.deal_id) AS deal_id, coalesce(r.period_starts_on, x.origin_starts_on) AS origin_starts_on,
        coalesce(r.plan_version_id, x.plan_version_id) AS plan_version_id, coalesce(r.credit_date, x.credit_date) AS credit_date,
        coalesce(r.currency, x.currency) AS currency, coalesce(r.amount_minor, 0) - coalesce(x.posted, 0) AS amount_minor,
        coalesce(x.posted, 0) AS posted_minor, x.posted IS NOT NULL AS was_taken
    FROM released r FULL JOIN taken x
        USING (participant_id, fact, plan_id, origin, split, period, line_kind, component, rule, role, index, part)
)
SELECT s.participant_id, fact, plan_id, origin, split, period, line_kind, component, rule, role, index, part, deal_id, m.pay_group_id,
    o.starts_on AS period_starts_on, origin_starts_on, plan_version_id, credit_date, s.currency, amount_minor, posted_minor,
    CASE WHEN was_taken OR EXISTS (SELECT FROM payouts_batch b WHERE b.pay_group_id = m.pay_group_id AND b.run = 0
        AND b.starts_on = origin_starts_on AND b.state NOT IN ('rejected', 'voided')) THEN 'adjustment' ELSE 'release' END AS kind
FROM both_sides s JOIN people_participant m ON m.id = s.participant_id JOIN open o ON o.pay_group_id = m.pay_group_id
WHERE amount_minor <> 0;
CREATE TEMPORARY VIEW right_payouts_payable AS SELECT * FROM due;
CREATE TEMPORARY VIEW right_payouts_statement AS
SELECT participant_id, m.pay_group_id, o.starts_on AS period_starts_on, o.ends_on AS period_ends_on, 0 AS run, 'open' AS state,
    1 AS revision, coalesce(sum(amount_minor) FILTER (WHERE kind = 'release'), 0)::bigint AS released_minor,
    coalesce(sum(amount_minor) FILTER (WHERE kind <> 'release'), 0)::bigint AS adjustments_minor,
    coalesce(sum(amount_minor), 0)::bigint AS payout_minor, count(amount_minor)::int AS lines, m.currency,
    to_hex(coalesce(bit_xor(mark), 0)) AS digest,
    now() AS calculated_at, now() AS data_at
FROM (SELECT DISTINCT participant_id FROM line UNION SELECT participant_id FROM due) whose
JOIN people_participant m ON m.id = participant_id JOIN open o ON o.pay_group_id = m.pay_group_id
LEFT JOIN (
    SELECT u.participant_id, u.amount_minor, u.kind, hash_record_extended(ROW(u.participant_id, u.fact, u.plan_id, u.origin, u.period,
        u.line_kind, u.component, u.split, u.rule, u.role, u.index, u.part, u.kind, u.origin_starts_on, u.amount_minor, u.currency), 0) AS mark
    FROM due u
) owed USING (participant_id)
GROUP BY participant_id, m.pay_group_id, m.currency, o.starts_on, o.ends_on
