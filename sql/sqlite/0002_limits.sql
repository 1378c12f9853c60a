-- The rate limiter: where buckets live, what they were written under, what was asked, who changed what.

ALTER TABLE fm_limit_config ADD COLUMN align TEXT NOT NULL DEFAULT 'epoch'
    CHECK (align IN ('epoch', 'first'));
ALTER TABLE fm_limit_config ADD COLUMN home TEXT NOT NULL DEFAULT 'local'
    CHECK (home IN ('local', 'store'));
ALTER TABLE fm_limit_config ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
UPDATE fm_limit_config SET home = 'store' WHERE endpoint IN ('begin-upload', 'finalize-upload');

-- A bucket says under which policy it was written, so that another can carry it over. Those that
-- did not say so start afresh.
DELETE FROM fm_bucket;
ALTER TABLE fm_bucket ADD COLUMN rule TEXT NOT NULL DEFAULT 'greedy'
    CHECK (rule IN ('greedy', 'window'));
ALTER TABLE fm_bucket ADD COLUMN align TEXT NOT NULL DEFAULT 'epoch'
    CHECK (align IN ('epoch', 'first'));
ALTER TABLE fm_bucket ADD COLUMN parts INTEGER NOT NULL DEFAULT 1;
ALTER TABLE fm_bucket ADD COLUMN unit INTEGER NOT NULL DEFAULT 1;
ALTER TABLE fm_bucket ADD COLUMN full_units INTEGER NOT NULL DEFAULT 1;
ALTER TABLE fm_bucket ADD COLUMN period_us INTEGER NOT NULL DEFAULT 1;
DROP INDEX fm_bucket_idle;
CREATE INDEX fm_bucket_idle ON fm_bucket (touched_at, key, endpoint) WHERE rule = 'greedy';
CREATE INDEX fm_window_idle ON fm_bucket (touched_at, key, endpoint) WHERE rule = 'window';

CREATE INDEX fm_account_frozen ON fm_account (frozen_at, id) WHERE frozen_at IS NOT NULL;

-- What instances must hear of within a second: one head, and a numbered row a change.
CREATE TABLE fm_limit_change_head (
    id INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE fm_limit_change (
    head INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    instance BLOB,
    at INTEGER NOT NULL,
    PRIMARY KEY (head, seq),
    CHECK (kind = 'account' OR kind = 'endpoint' OR kind = 'reset')
) STRICT, WITHOUT ROWID;

-- Exact counters: a row an endpoint, a minute and an instance, which alone writes it.
CREATE TABLE fm_limit_minute (
    minute INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    instance BLOB NOT NULL,
    allowed INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (minute, endpoint, instance)
) STRICT, WITHOUT ROWID;

-- The busiest keys of each ten minutes, as each instance saw them.
CREATE TABLE fm_limit_top (
    slot INTEGER NOT NULL,
    key TEXT NOT NULL,
    instance BLOB NOT NULL,
    requests INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (slot, key, instance)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_limit_log (
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    id BLOB NOT NULL,
    endpoint TEXT NOT NULL,
    is_allowed INTEGER NOT NULL,
    reason TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    remaining INTEGER,
    PRIMARY KEY (key, at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_limit_log_at ON fm_limit_log (at, key, id);

-- Keys that are no accounts begin with the control character 1, which no account's id may hold.
DROP VIEW rate_limit_config;
CREATE VIEW rate_limit_config AS
SELECT endpoint, rule, tokens AS max_requests, capacity AS burst, period_us / 60000000 AS window_minutes,
       period_us, cost, is_active, align, home, version, updated_at AS updated_at_us,
       strftime('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch')
           || printf('.%06dZ', updated_at % 1000000) AS updated_at
FROM fm_limit_config;

DROP VIEW rate_limits;
CREATE VIEW rate_limits AS
SELECT CASE WHEN substr(key, 1, 1) <> char(1) THEN key END AS user_id,
       CASE WHEN substr(key, 1, 1) = char(1) THEN substr(key, 2) END AS anonymous,
       endpoint, rule, full_units / unit AS burst, mark, rest, touched_at AS touched_at_us,
       strftime('%Y-%m-%dT%H:%M:%S', touched_at / 1000000, 'unixepoch')
           || printf('.%06dZ', touched_at % 1000000) AS touched_at
FROM fm_bucket;

CREATE VIEW rate_limit_buckets AS SELECT * FROM rate_limits;

CREATE VIEW rate_limit_log AS
SELECT CASE WHEN substr(key, 1, 1) <> char(1) THEN key END AS user_id,
       CASE WHEN substr(key, 1, 1) = char(1) THEN substr(key, 2) END AS anonymous,
       endpoint, is_allowed, reason, tokens, remaining, at AS request_timestamp_us,
       strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
           || printf('.%06dZ', at % 1000000) AS request_timestamp
FROM fm_limit_log;

-- Over the last hour, to the minute.
CREATE VIEW v_rate_limit_dashboard AS
SELECT c.endpoint, c.is_active,
       coalesce(a.buckets, 0) AS active_buckets,
       coalesce(m.requests, 0) AS requests_last_hour,
       coalesce(m.refused, 0) AS blocked_last_hour,
       CASE WHEN m.requests > 0 THEN printf('%d.%02d', m.refused * 10000 / m.requests / 100, m.refused * 10000 / m.requests % 100) ELSE '0.00' END AS block_rate_percent
FROM fm_limit_config c
LEFT JOIN (
    SELECT endpoint, count(*) AS buckets FROM (
        SELECT endpoint FROM fm_bucket WHERE rule = 'greedy' AND touched_at > CAST(unixepoch('subsec') * 1000000 AS INTEGER) - 3600000000
        UNION ALL
        SELECT endpoint FROM fm_bucket WHERE rule = 'window' AND touched_at > CAST(unixepoch('subsec') * 1000000 AS INTEGER) - 3600000000
    ) recent GROUP BY endpoint
) a ON a.endpoint = c.endpoint
LEFT JOIN (
    SELECT endpoint, sum(allowed + refused) AS requests, sum(refused) AS refused
    FROM fm_limit_minute WHERE minute > CAST(unixepoch('subsec') * 1000000 AS INTEGER) / 60000000 - 60 GROUP BY endpoint
) m ON m.endpoint = c.endpoint;

CREATE VIEW v_rate_limit_top_users AS
SELECT CASE WHEN substr(key, 1, 1) <> char(1) THEN key END AS user_id,
       CASE WHEN substr(key, 1, 1) = char(1) THEN substr(key, 2) END AS anonymous,
       sum(requests) AS requests_last_hour, sum(refused) AS blocked_last_hour
FROM fm_limit_top WHERE slot > CAST(unixepoch('subsec') * 1000000 AS INTEGER) / 600000000 - 6
GROUP BY key ORDER BY sum(requests) DESC, key LIMIT 100;
