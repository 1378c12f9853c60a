-- The core's tables. Every column is described once more in the crate, where a test compares them.

-- Who owns how much; the freeze lies in the same row, so every command that owns it obeys at once.
CREATE TABLE fm_account (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    balance bigint NOT NULL,
    reserved bigint NOT NULL,
    version bigint NOT NULL,
    frozen_at bigint,
    frozen_until bigint,
    frozen_by text COLLATE "C",
    frozen_reason text COLLATE "C",
    created_at bigint NOT NULL,
    CHECK (reserved >= 0 AND reserved <= balance)
);

-- One side of each movement of credits; rows never change.
CREATE TABLE fm_entry (
    account text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    transfer bytea NOT NULL,
    kind text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    contra text COLLATE "C" NOT NULL,
    balance bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE TABLE fm_purchase (
    account text COLLATE "C" NOT NULL,
    id bytea NOT NULL,
    credits bigint NOT NULL,
    provider text COLLATE "C" NOT NULL,
    reference text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    metadata text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (account, id),
    CHECK (credits > 0 AND amount_minor >= 0 AND reference <> '')
);

-- The claim that makes a payment reference unique.
CREATE TABLE fm_purchase_ref (
    provider text COLLATE "C" NOT NULL,
    reference text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    purchase bytea NOT NULL,
    credits bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    PRIMARY KEY (provider, reference)
);

CREATE TABLE fm_reservation (
    account text COLLATE "C" NOT NULL,
    id bytea NOT NULL,
    amount bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    settled bigint NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    ended_at bigint,
    PRIMARY KEY (account, id),
    CHECK (state IN ('pending', 'settled', 'released', 'expired')),
    CHECK (settled >= 0 AND settled <= amount)
);
CREATE INDEX fm_reservation_due ON fm_reservation (expires_at, account, id)
    WHERE state = 'pending';

-- Idempotency keys and the first answers under them.
CREATE TABLE fm_once (
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE TABLE fm_limit_config (
    endpoint text COLLATE "C" NOT NULL PRIMARY KEY,
    rule text COLLATE "C" NOT NULL,
    tokens bigint NOT NULL,
    capacity bigint NOT NULL,
    period_us bigint NOT NULL,
    cost bigint NOT NULL,
    is_active bigint NOT NULL,
    updated_at bigint NOT NULL,
    CHECK (rule IN ('greedy', 'window')),
    CHECK (tokens > 0 AND period_us > 0 AND cost > 0 AND cost <= capacity)
);

CREATE TABLE fm_bucket (
    key text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    mark bigint NOT NULL,
    rest bigint NOT NULL,
    touched_at bigint NOT NULL,
    PRIMARY KEY (key, endpoint)
);
CREATE INDEX fm_bucket_idle ON fm_bucket (touched_at, key, endpoint);

CREATE TABLE fm_upload (
    account text COLLATE "C" NOT NULL,
    id bytea NOT NULL,
    status text COLLATE "C" NOT NULL,
    file_size_bytes bigint NOT NULL,
    credits bigint NOT NULL,
    share bytea,
    failure text COLLATE "C",
    created_at bigint NOT NULL,
    completed_at bigint,
    PRIMARY KEY (account, id),
    CHECK (status IN ('pending', 'complete', 'failed')),
    CHECK (file_size_bytes > 0 AND credits >= 0)
);
CREATE INDEX fm_upload_stuck ON fm_upload (created_at, account, id) WHERE status = 'pending';

CREATE TABLE fm_media_share (
    id bytea NOT NULL PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    upload bytea NOT NULL,
    media_type text COLLATE "C" NOT NULL,
    processing_status text COLLATE "C" NOT NULL,
    ipfs_cid text COLLATE "C" NOT NULL,
    thumbnail_cid text COLLATE "C",
    preview_cid text COLLATE "C",
    video_poster_cid text COLLATE "C",
    created_at bigint NOT NULL,
    deleted_at bigint,
    CHECK (media_type IN ('image', 'video')),
    CHECK (processing_status IN ('pending', 'processing', 'complete', 'failed'))
);
CREATE INDEX fm_media_share_feed ON fm_media_share (created_at, id) WHERE deleted_at IS NULL;

-- Every admin's act, chained per item; rows never change.
CREATE TABLE fm_audit_head (
    subject text COLLATE "C" NOT NULL PRIMARY KEY,
    length bigint NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE fm_audit (
    subject text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (subject, seq)
);

CREATE FUNCTION fm_never_changes() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% never changes', TG_TABLE_NAME; END $$;
CREATE TRIGGER fm_entry_no_change BEFORE UPDATE OR DELETE ON fm_entry
    FOR EACH ROW EXECUTE FUNCTION fm_never_changes();
CREATE TRIGGER fm_audit_no_change BEFORE UPDATE OR DELETE ON fm_audit
    FOR EACH ROW EXECUTE FUNCTION fm_never_changes();

-- Microseconds since 1970 as text, the same on every server.
CREATE FUNCTION fm_iso(micros bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT to_char(to_timestamp(micros / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
       || '.' || lpad((micros % 1000000)::text, 6, '0') || 'Z' $$;

-- What dashboards and operators read, under the documents' names. Times are microseconds since
-- 1970, and text beside them.
CREATE VIEW storage_account AS
SELECT id AS user_id, balance AS credits_balance, reserved AS credits_reserved, version,
       created_at AS created_at_us, fm_iso(created_at) AS created_at
FROM fm_account;

CREATE VIEW account_status AS
SELECT id AS user_id, (frozen_at IS NOT NULL AND (frozen_until IS NULL OR frozen_until
           > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))::int::bigint AS is_frozen, frozen_reason, frozen_by,
       frozen_at AS frozen_at_us, fm_iso(frozen_at) AS frozen_at,
       frozen_until AS frozen_until_us, fm_iso(frozen_until) AS frozen_until
FROM fm_account;

CREATE VIEW purchases AS
SELECT encode(id, 'hex') AS id, account AS user_id, credits, provider, reference AS payment_reference,
       amount_minor, currency, metadata, at AS created_at_us, fm_iso(at) AS created_at
FROM fm_purchase;

CREATE VIEW uploads AS
SELECT encode(id, 'hex') AS id, account AS user_id, status, file_size_bytes, credits,
       encode(share, 'hex') AS media_share_id, failure,
       created_at AS created_at_us, fm_iso(created_at) AS created_at,
       completed_at AS completed_at_us, fm_iso(completed_at) AS completed_at
FROM fm_upload;

CREATE VIEW media_shares AS
SELECT encode(id, 'hex') AS id, account AS user_id, encode(upload, 'hex') AS upload_id, media_type, processing_status,
       ipfs_cid, thumbnail_cid, preview_cid, video_poster_cid,
       created_at AS created_at_us, fm_iso(created_at) AS created_at,
       deleted_at AS deleted_at_us, fm_iso(deleted_at) AS deleted_at
FROM fm_media_share;

-- The feed's picture: the thumbnail, else the preview, else the poster, else for images the file.
CREATE VIEW media_shares_feed AS
SELECT encode(id, 'hex') AS id, account AS user_id, media_type, ipfs_cid, thumbnail_cid, preview_cid,
       video_poster_cid,
       coalesce(thumbnail_cid, preview_cid, video_poster_cid,
                CASE media_type WHEN 'image' THEN ipfs_cid END) AS display_cid,
       created_at AS created_at_us, fm_iso(created_at) AS created_at
FROM fm_media_share
WHERE deleted_at IS NULL;

CREATE VIEW rate_limit_config AS
SELECT endpoint, rule, tokens AS max_requests, capacity AS burst, period_us / 60000000 AS window_minutes,
       period_us, cost, is_active, updated_at AS updated_at_us, fm_iso(updated_at) AS updated_at
FROM fm_limit_config;

CREATE VIEW rate_limits AS
SELECT key AS user_id, endpoint, mark, rest, touched_at AS touched_at_us,
       fm_iso(touched_at) AS touched_at
FROM fm_bucket;
