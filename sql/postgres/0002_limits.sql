-- The rate limiter: where buckets live, what they were written under, what was asked, who changed what.

ALTER TABLE fm_limit_config ADD COLUMN align text COLLATE "C" NOT NULL DEFAULT 'epoch'
    CHECK (align IN ('epoch', 'first'));
ALTER TABLE fm_limit_config ADD COLUMN home text COLLATE "C" NOT NULL DEFAULT 'local'
    CHECK (home IN ('local', 'store'));
ALTER TABLE fm_limit_config ADD COLUMN version bigint NOT NULL DEFAULT 1;
UPDATE fm_limit_config SET home = 'store' WHERE endpoint IN ('begin-upload', 'finalize-upload');

-- A bucket says under which policy it was written, so that another can carry it over. Those that
-- did not say so start afresh.
DELETE FROM fm_bucket;
ALTER TABLE fm_bucket ADD COLUMN rule text COLLATE "C" NOT NULL DEFAULT 'greedy'
    CHECK (rule IN ('greedy', 'window'));
ALTER TABLE fm_bucket ADD COLUMN align text COLLATE "C" NOT NULL DEFAULT 'epoch'
    CHECK (align IN ('epoch', 'first'));
ALTER TABLE fm_bucket ADD COLUMN parts bigint NOT NULL DEFAULT 1;
ALTER TABLE fm_bucket ADD COLUMN unit bigint NOT NULL DEFAULT 1;
ALTER TABLE fm_bucket ADD COLUMN full_units bigint NOT NULL DEFAULT 1;
ALTER TABLE fm_bucket ADD COLUMN period_us bigint NOT NULL DEFAULT 1;
DROP INDEX fm_bucket_idle;
CREATE INDEX fm_bucket_idle ON fm_bucket (touched_at, key, endpoint) WHERE rule = 'greedy';
CREATE INDEX fm_window_idle ON fm_bucket (touched_at, key, endpoint) WHERE rule = 'window';

CREATE INDEX fm_account_frozen ON fm_account (frozen_at, id) WHERE frozen_at IS NOT NULL;

-- What instances must hear of within a second: one head, and a numbered row a change.
CREATE TABLE fm_limit_change_head (
    id bigint NOT NULL PRIMARY KEY,
    last bigint NOT NULL
);
CREATE TABLE fm_limit_change (
    head bigint NOT NULL,
    seq bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    instance bytea,
    at bigint NOT NULL,
    PRIMARY KEY (head, seq),
    CHECK (kind IN ('account', 'endpoint', 'reset'))
);

-- Exact counters: a row an endpoint, a minute and an instance, which alone writes it.
CREATE TABLE fm_limit_minute (
    minute bigint NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    instance bytea NOT NULL,
    allowed bigint NOT NULL,
    refused bigint NOT NULL,
    PRIMARY KEY (minute, endpoint, instance)
);

-- The busiest keys of each ten minutes, as each instance saw them.
CREATE TABLE fm_limit_top (
    slot bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    instance bytea NOT NULL,
    requests bigint NOT NULL,
    refused bigint NOT NULL,
    PRIMARY KEY (slot, key, instance)
);

CREATE TABLE fm_limit_log (
    key text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    id bytea NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    is_allowed bigint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    tokens bigint NOT NULL,
    remaining bigint,
    PRIMARY KEY (key, at, id)
);
CREATE INDEX fm_limit_log_at ON fm_limit_log (at, key, id);

-- Keys that are no accounts begin with the control character 1, which no account's id may hold.
DROP VIEW rate_limit_config;
CREATE VIEW rate_limit_config AS
SELECT endpoint, rule, tokens AS max_requests, capacity AS burst, period_us / 60000000 AS window_minutes,
       period_us, cost, is_active, align, home, version, updated_at AS updated_at_us,
       fm_iso(updated_at) AS updated_at
FROM fm_limit_config;

DROP VIEW rate_limits;
CREATE VIEW rate_limits AS
SELECT CASE WHEN substr(key, 1, 1) <> chr(1) THEN key END AS user_id,
       CASE WHEN substr(key, 1, 1) = chr(1) THEN substr(key, 2) END AS anonymous,
       endpoint, rule, full_units / unit AS burst, mark, rest, touched_at AS touched_at_us,
       fm_iso(touched_at) AS touched_at
FROM fm_bucket;

CREATE VIEW rate_limit_buckets AS SELECT * FROM rate_limits;

CREATE VIEW rate_limit_log AS
SELECT CASE WHEN substr(key, 1, 1) <> chr(1) THEN key END AS user_id,
       CASE WHEN substr(key, 1, 1) = chr(1) THEN substr(key, 2) END AS anonymous,
       endpoint, is_allowed, reason, tokens, remaining, at AS request_timestamp_us,
       fm_iso(at) AS request_timestamp
FROM fm_limit_log;

-- Over the last hour, to the minute.
CREATE VIEW v_rate_limit_dashboard AS
SELECT c.endpoint, c.is_active,
       coalesce(a.buckets, 0) AS active_buckets,
       coalesce(m.requests, 0) AS requests_last_hour,
       coalesce(m.refused, 0) AS blocked_last_hour,
       CASE WHEN m.requests > 0 THEN (m.refused * 10000 / m.requests / 100)::text
           || '.' || lpad((m.refused * 10000 / m.requests % 100)::text, 2, '0') ELSE '0.00' END AS block_rate_percent
FROM fm_limit_config c
LEFT JOIN (
    SELECT endpoint, count(*) AS buckets FROM (
        SELECT endpoint FROM fm_bucket WHERE rule = 'greedy' AND touched_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 3600000000
        UNION ALL
        SELECT endpoint FROM fm_bucket WHERE rule = 'window' AND touched_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 3600000000
    ) recent GROUP BY endpoint
) a ON a.endpoint = c.endpoint
LEFT JOIN (
    SELECT endpoint, sum(allowed + refused)::bigint AS requests, sum(refused)::bigint AS refused
    FROM fm_limit_minute WHERE minute > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint / 60000000 - 60 GROUP BY endpoint
) m ON m.endpoint = c.endpoint;

CREATE VIEW v_rate_limit_top_users AS
SELECT CASE WHEN substr(key, 1, 1) <> chr(1) THEN key END AS user_id,
       CASE WHEN substr(key, 1, 1) = chr(1) THEN substr(key, 2) END AS anonymous,
       sum(requests)::bigint AS requests_last_hour, sum(refused)::bigint AS blocked_last_hour
FROM fm_limit_top WHERE slot > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint / 600000000 - 6
GROUP BY key ORDER BY sum(requests)::bigint DESC, key LIMIT 100;
