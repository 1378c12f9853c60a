-- Soft delete: items, the names of the living, and who depends on whom.

CREATE TABLE fm_item (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state = 'live' OR state = 'deleted' OR state = 'purged'),
    version bigint NOT NULL,
    scope text COLLATE "C",
    name text COLLATE "C",
    used_by bigint NOT NULL CHECK (used_by >= 0),
    users text COLLATE "C" NOT NULL,
    parts bigint NOT NULL CHECK (parts >= 0),
    created_at bigint NOT NULL,
    deleted_at bigint,
    deleted_by text COLLATE "C",
    deletion_reason text COLLATE "C",
    batch bytea,
    purge_at bigint,
    held_at bigint,
    held_reason text COLLATE "C",
    purged_at bigint,
    CHECK ((purged_at IS NOT NULL) = (state = 'purged')),
    CHECK ((deleted_at IS NULL) = (state = 'live'))
);
CREATE INDEX fm_item_purge ON fm_item (purge_at, id) WHERE state = 'deleted';
CREATE INDEX fm_item_deleted ON fm_item (deleted_at, id) WHERE state = 'deleted';
CREATE INDEX fm_item_batch ON fm_item (batch, id) WHERE batch IS NOT NULL;

-- What went together, while any of it is deleted.
CREATE TABLE fm_deletion (
    batch bytea NOT NULL PRIMARY KEY,
    item text COLLATE "C" NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    held bigint NOT NULL CHECK (held >= 0),
    purged bigint NOT NULL CHECK (purged >= 0)
);

CREATE TABLE fm_name (
    scope text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, name)
);

-- Under an item: the live things that use it, and then its live parts.
CREATE TABLE fm_item_link (
    item text COLLATE "C" NOT NULL,
    is_part bigint NOT NULL CHECK (is_part = 0 OR is_part = 1),
    by text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    PRIMARY KEY (item, is_part, by)
);
-- Under an item: what it depends on, live or not.
CREATE TABLE fm_item_need (
    by text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    relation text COLLATE "C" NOT NULL CHECK (relation = 'uses' OR relation = 'part_of'),
    PRIMARY KEY (by, item)
);

-- When cleanup ran last, and since when it doubts its clock. One row.
CREATE TABLE fm_cleanup (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    ran_at bigint NOT NULL,
    doubts_since bigint
);

CREATE VIEW v_items_deleted AS
SELECT id, kind, substr(id, length(kind) + 2) AS item_id, label AS title, deleted_by, deletion_reason,
       deleted_at AS deleted_at_us, fm_iso(deleted_at) AS deleted_at,
       purge_at AS purge_at_us, fm_iso(purge_at) AS purge_at,
       (held_at IS NOT NULL)::int::bigint AS is_held, held_reason
FROM fm_item WHERE state = 'deleted';
CREATE VIEW v_neurons_deleted AS SELECT * FROM v_items_deleted WHERE kind = 'neuron';
CREATE VIEW v_bundles_deleted AS SELECT * FROM v_items_deleted WHERE kind = 'bundle';
CREATE VIEW v_media_shares_deleted AS SELECT * FROM v_items_deleted WHERE kind = 'media_share';
-- What users may see.
CREATE VIEW v_items_live AS
SELECT id, kind, substr(id, length(kind) + 2) AS item_id, label AS title, scope, name, used_by, users, parts,
       created_at AS created_at_us, fm_iso(created_at) AS created_at
FROM fm_item WHERE state = 'live';

-- Every admin's act on anything: an account, an endpoint, an item, an event.
CREATE VIEW audit_trail AS
SELECT subject, seq, actor, action, reason,
       at AS at_us, fm_iso(at) AS at
FROM fm_audit;
