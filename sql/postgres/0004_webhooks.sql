-- Webhooks: events with their bodies beside them, how they fail, who works on which object, and what
-- is known of subscriptions.

CREATE TABLE fm_event (
    sender text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    object text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'working', 'retry', 'ok', 'ignored', 'dead')),
    received_at bigint NOT NULL,
    processed_at bigint,
    due_at bigint,
    attempts bigint NOT NULL,
    token bigint NOT NULL,
    credited bigint NOT NULL,
    code text COLLATE "C",
    error text COLLATE "C",
    bodies bigint NOT NULL,
    PRIMARY KEY (sender, id),
    CHECK ((due_at IS NOT NULL) = (status IN ('pending', 'working', 'retry'))),
    CHECK ((processed_at IS NOT NULL) = (status IN ('ok', 'ignored')))
);
CREATE INDEX fm_event_due ON fm_event (due_at, sender, id) WHERE due_at IS NOT NULL;
CREATE INDEX fm_event_open ON fm_event (sender, object, created, id) WHERE due_at IS NOT NULL;
CREATE INDEX fm_event_ended ON fm_event (processed_at, sender, id) WHERE processed_at IS NOT NULL;
CREATE INDEX fm_event_dead ON fm_event (received_at, sender, id) WHERE status = 'dead';

-- Bodies of up to half a MiB, which never change.
CREATE TABLE fm_event_payload (
    sender text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    payload text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (sender, id, digest)
);
CREATE TRIGGER fm_event_payload_no_update BEFORE UPDATE ON fm_event_payload
    FOR EACH ROW EXECUTE FUNCTION fm_never_changes();

CREATE TABLE fm_event_failure (
    sender text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    failure_count bigint NOT NULL CHECK (failure_count > 0),
    last_failure bigint NOT NULL,
    error_message text COLLATE "C" NOT NULL,
    next_retry bigint,
    max_retries bigint NOT NULL,
    note text COLLATE "C",
    over_at bigint,
    PRIMARY KEY (sender, id)
);
CREATE INDEX fm_event_failure_over ON fm_event_failure (over_at, sender, id) WHERE over_at IS NOT NULL;

CREATE TABLE fm_event_lane (
    sender text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    holder text COLLATE "C" NOT NULL,
    until bigint NOT NULL,
    PRIMARY KEY (sender, object)
);

-- What is known under a payment's names beside what it bought: which of them its credits stand under,
-- which invoice it paid, refunds that came before it.
CREATE TABLE fm_payment (
    reference text COLLATE "C" NOT NULL PRIMARY KEY,
    credited_as text COLLATE "C",
    pays text COLLATE "C",
    refunded bigint NOT NULL,
    charged bigint NOT NULL,
    disputed bigint NOT NULL CHECK (disputed >= 0),
    CHECK (0 <= refunded AND refunded <= charged)
);

CREATE TABLE fm_subscription (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    account text COLLATE "C",
    item text COLLATE "C",
    status text COLLATE "C" CHECK (status IN ('incomplete', 'trialing', 'active', 'past_due', 'unpaid', 'paused',
        'incomplete_expired', 'canceled')),
    price text COLLATE "C",
    period_end bigint,
    cancel_at_period_end bigint NOT NULL,
    told_at bigint,
    told_rank bigint NOT NULL,
    told_by text COLLATE "C" NOT NULL,
    paid_at bigint,
    failed_at bigint
);
CREATE INDEX fm_subscription_account ON fm_subscription (account, id) WHERE account IS NOT NULL;
CREATE INDEX fm_subscription_item ON fm_subscription (item, id) WHERE item IS NOT NULL;

CREATE VIEW stripe_events AS
SELECT e.id, e.kind AS type, p.payload,
       CASE WHEN e.status IN ('ok', 'ignored') THEN 'ok'
            WHEN e.status IN ('retry', 'dead') THEN 'error' ELSE 'pending' END AS status,
       e.status AS detail, e.attempts, e.credited, e.code, e.error,
       e.received_at AS received_at_us,
       fm_iso(e.received_at) AS received_at,
       e.processed_at AS processed_at_us,
       fm_iso(e.processed_at) AS processed_at
FROM fm_event e
JOIN fm_event_payload p ON p.sender = e.sender AND p.id = e.id AND p.digest = e.digest
WHERE e.sender = 'stripe';

CREATE VIEW webhook_failures AS
SELECT sender || ':' || id AS id, sender, id AS event_id, failure_count, error_message, max_retries, note,
       last_failure AS last_failure_us,
       fm_iso(last_failure) AS last_failure,
       next_retry AS next_retry_us,
       fm_iso(next_retry) AS next_retry
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
    WHERE processed_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 3600000000
) recent
GROUP BY status ORDER BY status;

CREATE VIEW subscriptions AS
SELECT id, account AS user_id, item, status, price, cancel_at_period_end,
       period_end AS period_end_us,
       fm_iso(period_end) AS period_end
FROM fm_subscription;
