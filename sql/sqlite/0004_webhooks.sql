-- Webhooks: events with their bodies beside them, how they fail, who works on which object, and what
-- is known of subscriptions.

CREATE TABLE fm_event (
    sender TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    object TEXT NOT NULL,
    digest BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status = 'ok' OR status = 'ignored' OR status = 'pending'
        OR status = 'working' OR status = 'retry' OR status = 'dead'),
    received_at INTEGER NOT NULL,
    processed_at INTEGER,
    due_at INTEGER,
    attempts INTEGER NOT NULL,
    token INTEGER NOT NULL,
    credited INTEGER NOT NULL,
    code TEXT,
    error TEXT,
    bodies INTEGER NOT NULL,
    PRIMARY KEY (sender, id),
    CHECK ((due_at IS NOT NULL) = (status = 'pending' OR status = 'working' OR status = 'retry')),
    CHECK ((processed_at IS NOT NULL) = (status IN ('ok', 'ignored')))
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_event_due ON fm_event (due_at, sender, id) WHERE due_at IS NOT NULL;
CREATE INDEX fm_event_open ON fm_event (sender, object, created, id) WHERE due_at IS NOT NULL;
CREATE INDEX fm_event_ended ON fm_event (processed_at, sender, id) WHERE processed_at IS NOT NULL;
CREATE INDEX fm_event_dead ON fm_event (received_at, sender, id) WHERE status = 'dead';

-- Rows of up to half a MiB: in a tree ordered by its key, each would stand in the way of the others.
CREATE TABLE fm_event_payload (
    sender TEXT NOT NULL,
    id TEXT NOT NULL,
    digest BLOB NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (sender, id, digest)
) STRICT;
CREATE TRIGGER fm_event_payload_no_update BEFORE UPDATE ON fm_event_payload
BEGIN SELECT RAISE(ABORT, 'payloads never change'); END;

CREATE TABLE fm_event_failure (
    sender TEXT NOT NULL,
    id TEXT NOT NULL,
    failure_count INTEGER NOT NULL CHECK (failure_count > 0),
    last_failure INTEGER NOT NULL,
    error_message TEXT NOT NULL,
    next_retry INTEGER,
    max_retries INTEGER NOT NULL,
    note TEXT,
    over_at INTEGER,
    PRIMARY KEY (sender, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_event_failure_over ON fm_event_failure (over_at, sender, id) WHERE over_at IS NOT NULL;

CREATE TABLE fm_event_lane (
    sender TEXT NOT NULL,
    object TEXT NOT NULL,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (sender, object)
) STRICT, WITHOUT ROWID;

-- What is known under a payment's names beside what it bought: which of them its credits stand under,
-- which invoice it paid, refunds that came before it.
CREATE TABLE fm_payment (
    reference TEXT NOT NULL PRIMARY KEY,
    credited_as TEXT,
    pays TEXT,
    refunded INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    disputed INTEGER NOT NULL CHECK (disputed >= 0),
    CHECK (0 <= refunded AND refunded <= charged)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_subscription (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT,
    item TEXT,
    status TEXT CHECK (status = 'incomplete' OR status = 'trialing' OR status = 'active'
        OR status = 'past_due' OR status = 'unpaid' OR status = 'paused'
        OR status = 'incomplete_expired' OR status = 'canceled'),
    price TEXT,
    period_end INTEGER,
    cancel_at_period_end INTEGER NOT NULL,
    told_at INTEGER,
    told_rank INTEGER NOT NULL,
    told_by TEXT NOT NULL,
    paid_at INTEGER,
    failed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_subscription_account ON fm_subscription (account, id) WHERE account IS NOT NULL;
CREATE INDEX fm_subscription_item ON fm_subscription (item, id) WHERE item IS NOT NULL;

CREATE VIEW stripe_events AS
SELECT e.id, e.kind AS type, p.payload,
       CASE WHEN e.status IN ('ok', 'ignored') THEN 'ok'
            WHEN e.status IN ('retry', 'dead') THEN 'error' ELSE 'pending' END AS status,
       e.status AS detail, e.attempts, e.credited, e.code, e.error,
       e.received_at AS received_at_us,
       strftime('%Y-%m-%dT%H:%M:%S', e.received_at / 1000000, 'unixepoch')
           || printf('.%06dZ', e.received_at % 1000000) AS received_at,
       e.processed_at AS processed_at_us,
       strftime('%Y-%m-%dT%H:%M:%S', e.processed_at / 1000000, 'unixepoch')
           || printf('.%06dZ', e.processed_at % 1000000) AS processed_at
FROM fm_event e
JOIN fm_event_payload p ON p.sender = e.sender AND p.id = e.id AND p.digest = e.digest
WHERE e.sender = 'stripe';

CREATE VIEW webhook_failures AS
SELECT sender || ':' || id AS id, sender, id AS event_id, failure_count, error_message, max_retries, note,
       last_failure AS last_failure_us,
       strftime('%Y-%m-%dT%H:%M:%S', last_failure / 1000000, 'unixepoch')
           || printf('.%06dZ', last_failure % 1000000) AS last_failure,
       next_retry AS next_retry_us,
       strftime('%Y-%m-%dT%H:%M:%S', next_retry / 1000000, 'unixepoch')
           || printf('.%06dZ', next_retry % 1000000) AS next_retry
FROM fm_event_failure;

-- What waits and what is dead, and what ended within the last hour.
CREATE VIEW v_webhook_dashboard AS
SELECT status, count(*) AS events, min(received_at) AS oldest_received_at_us, max(attempts) AS most_attempts
FROM (
    SELECT status, received_at, attempts FROM fm_event WHERE due_at IS NOT NULL
    UNION ALL
    SELECT status, received_at, attempts FROM fm_event WHERE status = 'dead'
    UNION ALL
    SELECT status, received_at, attempts FROM fm_event
    WHERE processed_at > CAST(unixepoch('subsec') * 1000000 AS INTEGER) - 3600000000
) recent
GROUP BY status ORDER BY status;

CREATE VIEW subscriptions AS
SELECT id, account AS user_id, item, status, price, cancel_at_period_end,
       period_end AS period_end_us,
       strftime('%Y-%m-%dT%H:%M:%S', period_end / 1000000, 'unixepoch')
           || printf('.%06dZ', period_end % 1000000) AS period_end
FROM fm_subscription;
