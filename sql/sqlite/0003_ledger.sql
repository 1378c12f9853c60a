-- The ledger's history as a chain: entries that say the whole transfer, purchases and reservations
-- that say what came back of them, checkpoints; and media shares that may be drafts.

ALTER TABLE fm_account ADD COLUMN debt INTEGER NOT NULL DEFAULT 0 CHECK (debt >= 0);
ALTER TABLE fm_account ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fm_account ADD COLUMN head BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE fm_account ADD COLUMN moved_at INTEGER NOT NULL DEFAULT 0;

-- A whole transfer as one account saw it; rows never change. The balance gained `amount`, the
-- account owes `owed` more, and `contra` gave the difference.
ALTER TABLE fm_entry RENAME TO fm_entry_unchained;
CREATE TABLE fm_entry (
    account TEXT NOT NULL,
    seq INTEGER NOT NULL,
    transfer BLOB NOT NULL,
    original BLOB,
    kind TEXT NOT NULL,
    amount INTEGER NOT NULL,
    owed INTEGER NOT NULL,
    contra TEXT NOT NULL,
    balance INTEGER NOT NULL,
    debt INTEGER NOT NULL,
    event_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    detail BLOB,
    link BLOB NOT NULL,
    PRIMARY KEY (account, seq),
    CHECK (seq > 0 AND balance >= 0 AND debt >= 0),
    CHECK (kind = 'purchase' OR kind = 'upload' OR kind = 'settle' OR kind = 'return' OR kind = 'refund'
        OR kind = 'chargeback' OR kind = 'transfer')
) STRICT, WITHOUT ROWID;
-- No release wrote entries without links. A file that has some is refused here, and left as it was.
INSERT INTO fm_entry (account, seq, transfer, kind, amount, owed, contra, balance, debt, event_at, at, link)
SELECT account, seq, transfer, kind, amount, 0, contra, balance, 0, at, at, NULL FROM fm_entry_unchained;
DROP TABLE fm_entry_unchained;
CREATE TRIGGER fm_entry_no_update BEFORE UPDATE ON fm_entry
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;
CREATE TRIGGER fm_entry_no_delete BEFORE DELETE ON fm_entry
BEGIN SELECT RAISE(ABORT, 'entries never change'); END;

ALTER TABLE fm_purchase ADD COLUMN paid_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fm_purchase ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0
    CHECK (refunded >= 0 AND refunded <= credits);

ALTER TABLE fm_reservation ADD COLUMN origin TEXT NOT NULL DEFAULT 'host'
    CHECK (origin IN ('host', 'upload'));
ALTER TABLE fm_reservation ADD COLUMN returned INTEGER NOT NULL DEFAULT 0
    CHECK (returned >= 0 AND returned <= settled);
UPDATE fm_reservation SET origin = 'upload' WHERE EXISTS
    (SELECT 1 FROM fm_upload u WHERE u.account = fm_reservation.account AND u.id = fm_reservation.id);

-- One line of checkpoints, and how many entries an account had at each at which it had more than before.
CREATE TABLE fm_checkpoint_head (
    id INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL,
    run BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE fm_checkpoint (
    number INTEGER NOT NULL PRIMARY KEY,
    root BLOB NOT NULL,
    accounts INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE fm_checkpoint_mark (
    account TEXT NOT NULL,
    number INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

DROP VIEW media_shares_feed;
DROP VIEW media_shares;
ALTER TABLE fm_media_share ADD COLUMN state TEXT NOT NULL DEFAULT 'live'
    CHECK (state = 'draft' OR state = 'live' OR state = 'deleted');
ALTER TABLE fm_media_share ADD COLUMN waiting_since INTEGER;
ALTER TABLE fm_media_share ADD COLUMN given BLOB;
UPDATE fm_media_share SET state = 'deleted' WHERE deleted_at IS NOT NULL;
UPDATE fm_media_share SET waiting_since = created_at
    WHERE deleted_at IS NULL AND processing_status IN ('pending', 'processing');
DROP INDEX fm_media_share_feed;
CREATE INDEX fm_media_share_feed ON fm_media_share (created_at, id) WHERE state = 'live';
CREATE INDEX fm_media_share_waiting ON fm_media_share (waiting_since, id) WHERE waiting_since IS NOT NULL;

CREATE VIEW media_shares AS
SELECT lower(hex(id)) AS id, account AS user_id, lower(hex(upload)) AS upload_id, media_type, processing_status,
       ipfs_cid, thumbnail_cid, preview_cid, video_poster_cid, state,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at,
       deleted_at AS deleted_at_us, strftime('%Y-%m-%dT%H:%M:%S', deleted_at / 1000000, 'unixepoch')
           || printf('.%06dZ', deleted_at % 1000000) AS deleted_at
FROM fm_media_share;

-- The feed's picture: the thumbnail, else the preview, else the poster, else for images the file.
CREATE VIEW media_shares_feed AS
SELECT lower(hex(id)) AS id, account AS user_id, media_type, ipfs_cid, thumbnail_cid, preview_cid,
       video_poster_cid, processing_status,
       coalesce(thumbnail_cid, preview_cid, video_poster_cid,
                CASE media_type WHEN 'image' THEN ipfs_cid END) AS display_cid,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at
FROM fm_media_share
WHERE state = 'live';

DROP VIEW storage_account;
CREATE VIEW storage_account AS
SELECT id AS user_id, balance AS credits_balance, reserved AS credits_reserved,
       CASE WHEN balance - reserved > debt THEN balance - reserved - debt ELSE 0 END AS credits_available, debt AS credits_owed, version,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at
FROM fm_account;

DROP VIEW purchases;
CREATE VIEW purchases AS
SELECT lower(hex(id)) AS id, account AS user_id, credits, provider, reference AS payment_reference,
       amount_minor, currency, metadata, refunded AS credits_refunded,
       paid_at AS paid_at_us, strftime('%Y-%m-%dT%H:%M:%S', paid_at / 1000000, 'unixepoch')
           || printf('.%06dZ', paid_at % 1000000) AS paid_at,
       at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
           || printf('.%06dZ', at % 1000000) AS created_at
FROM fm_purchase;

-- Double entry, for auditors: every side of every transfer has a row, and each transfer sums to zero.
CREATE VIEW ledger_entries AS
SELECT lower(hex(transfer)) AS transfer, kind, 'account:' || account AS party, amount AS credits, at AS at_us
FROM fm_entry
UNION ALL
SELECT lower(hex(transfer)), kind, 'debt:' || account, -owed, at FROM fm_entry WHERE owed <> 0
UNION ALL
SELECT lower(hex(transfer)), kind, contra, owed - amount, at FROM fm_entry WHERE kind <> 'transfer';
