-- Soft delete: items, the names of the living, and who depends on whom.

CREATE TABLE fm_item (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'live' OR state = 'deleted' OR state = 'purged'),
    version INTEGER NOT NULL,
    scope TEXT,
    name TEXT,
    used_by INTEGER NOT NULL CHECK (used_by >= 0),
    users TEXT NOT NULL,
    parts INTEGER NOT NULL CHECK (parts >= 0),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT,
    deletion_reason TEXT,
    batch BLOB,
    purge_at INTEGER,
    held_at INTEGER,
    held_reason TEXT,
    purged_at INTEGER,
    CHECK ((purged_at IS NOT NULL) = (state = 'purged')),
    CHECK ((deleted_at IS NULL) = (state = 'live'))
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_item_purge ON fm_item (purge_at, id) WHERE state = 'deleted';
CREATE INDEX fm_item_deleted ON fm_item (deleted_at, id) WHERE state = 'deleted';
CREATE INDEX fm_item_batch ON fm_item (batch, id) WHERE batch IS NOT NULL;

-- What went together, while any of it is deleted.
CREATE TABLE fm_deletion (
    batch BLOB NOT NULL PRIMARY KEY,
    item TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count > 0),
    held INTEGER NOT NULL CHECK (held >= 0),
    purged INTEGER NOT NULL CHECK (purged >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_name (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

-- Under an item: the live things that use it, and then its live parts.
CREATE TABLE fm_item_link (
    item TEXT NOT NULL,
    is_part INTEGER NOT NULL CHECK (is_part = 0 OR is_part = 1),
    by TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (item, is_part, by)
) STRICT, WITHOUT ROWID;
-- Under an item: what it depends on, live or not.
CREATE TABLE fm_item_need (
    by TEXT NOT NULL,
    item TEXT NOT NULL,
    relation TEXT NOT NULL CHECK (relation = 'uses' OR relation = 'part_of'),
    PRIMARY KEY (by, item)
) STRICT, WITHOUT ROWID;

-- When cleanup ran last, and since when it doubts its clock. One row.
CREATE TABLE fm_cleanup (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    ran_at INTEGER NOT NULL,
    doubts_since INTEGER
) STRICT, WITHOUT ROWID;

CREATE VIEW v_items_deleted AS
SELECT id, kind, substr(id, length(kind) + 2) AS item_id, label AS title, deleted_by, deletion_reason,
       deleted_at AS deleted_at_us, strftime('%Y-%m-%dT%H:%M:%S', deleted_at / 1000000, 'unixepoch')
           || printf('.%06dZ', deleted_at % 1000000) AS deleted_at,
       purge_at AS purge_at_us, strftime('%Y-%m-%dT%H:%M:%S', purge_at / 1000000, 'unixepoch')
           || printf('.%06dZ', purge_at % 1000000) AS purge_at,
       held_at IS NOT NULL AS is_held, held_reason
FROM fm_item WHERE state = 'deleted';
CREATE VIEW v_neurons_deleted AS SELECT * FROM v_items_deleted WHERE kind = 'neuron';
CREATE VIEW v_bundles_deleted AS SELECT * FROM v_items_deleted WHERE kind = 'bundle';
CREATE VIEW v_media_shares_deleted AS SELECT * FROM v_items_deleted WHERE kind = 'media_share';
-- What users may see.
CREATE VIEW v_items_live AS
SELECT id, kind, substr(id, length(kind) + 2) AS item_id, label AS title, scope, name, used_by, users, parts,
       created_at AS created_at_us, strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at
FROM fm_item WHERE state = 'live';

-- Every admin's act on anything: an account, an endpoint, an item, an event.
CREATE VIEW audit_trail AS
SELECT subject, seq, actor, action, reason,
       at AS at_us, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
           || printf('.%06dZ', at % 1000000) AS at
FROM fm_audit;
