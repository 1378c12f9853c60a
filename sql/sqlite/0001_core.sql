-- The core's tables. Every column is described once more in the crate, where a test compares them.
--
-- Checks compare with one text after the other, here and in later scripts: for IN with more than two,
-- SQLite builds a tree anew for every row that it checks.

-- Who owns how much; the freeze lies in the same row, so every command that owns it obeys at once.
CREATE TABLE fm_account (
    id TEXT NOT NULL PRIMARY KEY,
    balance INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    version INTEGER NOT NULL,
    frozen_at INTEGER,
    frozen_until INTEGER,
    frozen_by TEXT,
    frozen_reason TEXT,
    created_at INTEGER NOT NULL,
    CHECK (reserved >= 0 AND reserved <= balance)
) STRICT, WITHOUT ROWID;

-- One side of each movement of credits; rows never change.
CREATE TABLE fm_entry (
    account TEXT NOT NULL,
    seq INTEGER NOT NULL,
    transfer BLOB NOT NULL,
    kind TEXT NOT NULL,
    amount INTEGER NOT NULL,
    contra TEXT NOT NULL,
    balance INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_purchase (
    account TEXT NOT NULL,
    id BLOB NOT NULL,
    credits INTEGER NOT NULL,
    provider TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    metadata TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    CHECK (credits > 0 AND amount_minor >= 0 AND reference <> '')
) STRICT, WITHOUT ROWID;

-- The claim that makes a payment reference unique.
CREATE TABLE fm_purchase_ref (
    provider TEXT NOT NULL,
    reference TEXT NOT NULL,
    account TEXT NOT NULL,
    purchase BLOB NOT NULL,
    credits INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    PRIMARY KEY (provider, reference)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_reservation (
    account TEXT NOT NULL,
    id BLOB NOT NULL,
    amount INTEGER NOT NULL,
    state TEXT NOT NULL,
    settled INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (account, id),
    CHECK (state = 'pending' OR state = 'settled' OR state = 'released' OR state = 'expired'),
    CHECK (settled >= 0 AND settled <= amount)
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_reservation_due ON fm_reservation (expires_at, account, id)
    WHERE state = 'pending';

-- Idempotency keys and the first answers under them.
CREATE TABLE fm_once (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    outcome TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_limit_config (
    endpoint TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    capacity INTEGER NOT NULL,
    period_us INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (rule IN ('greedy', 'window')),
    CHECK (tokens > 0 AND period_us > 0 AND cost > 0 AND cost <= capacity)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_bucket (
    key TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    mark INTEGER NOT NULL,
    rest INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    PRIMARY KEY (key, endpoint)
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_bucket_idle ON fm_bucket (touched_at, key, endpoint);

CREATE TABLE fm_upload (
    account TEXT NOT NULL,
    id BLOB NOT NULL,
    status TEXT NOT NULL,
    file_size_bytes INTEGER NOT NULL,
    credits INTEGER NOT NULL,
    share BLOB,
    failure TEXT,
    created_at INTEGER NOT NULL,
    completed_at INTEGER,
    PRIMARY KEY (account, id),
    CHECK (status = 'pending' OR status = 'complete' OR status = 'failed'),
    CHECK (file_size_bytes > 0 AND credits >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_upload_stuck ON fm_upload (created_at, account, id) WHERE status = 'pending';

CREATE TABLE fm_media_share (
    id BLOB NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    upload BLOB NOT NULL,
    media_type TEXT NOT NULL,
    processing_status TEXT NOT NULL,
    ipfs_cid TEXT NOT NULL,
    thumbnail_cid TEXT,
    preview_cid TEXT,
    video_poster_cid TEXT,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    CHECK (media_type IN ('image', 'video')),
    CHECK (processing_status = 'pending' OR processing_status = 'processing'
        OR processing_status = 'complete' OR processing_status = 'failed')
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_media_share_feed ON fm_media_share (created_at, id) WHERE deleted_at IS NULL;

-- Every admin's act, chained per item; rows never change.
CREATE TABLE fm_audit_head (
    subject TEXT NOT NULL PRIMARY KEY,
    length INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE fm_audit (
    subject TEXT NOT NULL,
    seq INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (subject, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER fm_entry_no_update BEFORE UPDATE ON fm_entry
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;
CREATE TRIGGER fm_entry_no_delete BEFORE DELETE ON fm_entry
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;
CREATE TRIGGER fm_audit_no_update BEFORE UPDATE ON fm_audit
BEGIN SELECT RAISE(ABORT, 'the audit never changes'); END;
CREATE TRIGGER fm_audit_no_delete BEFORE DELETE ON fm_audit
BEGIN SELECT RAISE(ABORT, 'the audit never changes'); END;

-- What dashboards and operators read, under the documents' names. Times are microseconds since
-- 1970, and text beside them.
CREATE VIEW storage_account AS
SELECT id AS user_id, balance AS credits_balance, reserved AS credits_reserved, version,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at
FROM fm_account;

CREATE VIEW account_status AS
SELECT id AS user_id, frozen_at IS NOT NULL AND (frozen_until IS NULL
           OR frozen_until > CAST(unixepoch('subsec') * 1000000 AS INTEGER)) AS is_frozen, frozen_reason, frozen_by,
       frozen_at AS frozen_at_us, strftime('%Y-%m-%dT%H:%M:%S', frozen_at / 1000000, 'unixepoch')
           || printf('.%06dZ', frozen_at % 1000000) AS frozen_at,
       frozen_until AS frozen_until_us, strftime('%Y-%m-%dT%H:%M:%S', frozen_until / 1000000, 'unixepoch')
           || printf('.%06dZ', frozen_until % 1000000) AS frozen_until
FROM fm_account;

CREATE VIEW purchases AS
SELECT lower(hex(id)) AS id, account AS user_id, credits, provider, reference AS payment_reference,
       amount_minor, currency, metadata, at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
           || printf('.%06dZ', at % 1000000) AS created_at
FROM fm_purchase;

CREATE VIEW uploads AS
SELECT lower(hex(id)) AS id, account AS user_id, status, file_size_bytes, credits,
       CASE WHEN share IS NOT NULL THEN lower(hex(share)) END AS media_share_id, failure,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at,
       completed_at AS completed_at_us, strftime('%Y-%m-%dT%H:%M:%S', completed_at / 1000000, 'unixepoch')
           || printf('.%06dZ', completed_at % 1000000) AS completed_at
FROM fm_upload;

CREATE VIEW media_shares AS
SELECT lower(hex(id)) AS id, account AS user_id, lower(hex(upload)) AS upload_id, media_type, processing_status,
       ipfs_cid, thumbnail_cid, preview_cid, video_poster_cid,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at,
       deleted_at AS deleted_at_us, strftime('%Y-%m-%dT%H:%M:%S', deleted_at / 1000000, 'unixepoch')
           || printf('.%06dZ', deleted_at % 1000000) AS deleted_at
FROM fm_media_share;

-- The feed's picture: the thumbnail, else the preview, else the poster, else for images the file.
CREATE VIEW media_shares_feed AS
SELECT lower(hex(id)) AS id, account AS user_id, media_type, ipfs_cid, thumbnail_cid, preview_cid,
       video_poster_cid,
       coalesce(thumbnail_cid, preview_cid, video_poster_cid,
                CASE media_type WHEN 'image' THEN ipfs_cid END) AS display_cid,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at
FROM fm_media_share
WHERE deleted_at IS NULL;

CREATE VIEW rate_limit_config AS
SELECT endpoint, rule, tokens AS max_requests, capacity AS burst, period_us / 60000000 AS window_minutes,
       period_us, cost, is_active, updated_at AS updated_at_us, strftime('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch')
           || printf('.%06dZ', updated_at % 1000000) AS updated_at
FROM fm_limit_config;

CREATE VIEW rate_limits AS
SELECT key AS user_id, endpoint, mark, rest, touched_at AS touched_at_us,
       strftime('%Y-%m-%dT%H:%M:%S', touched_at / 1000000, 'unixepoch')
           || printf('.%06dZ', touched_at % 1000000) AS touched_at
FROM fm_bucket;
