-- Tables for the conformance suite only.
CREATE TABLE fm_probe_parent (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    label TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE fm_probe_child (
    parent TEXT NOT NULL,
    id INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    note TEXT,
    data BLOB,
    PRIMARY KEY (parent, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fm_probe_child_weight ON fm_probe_child (weight, parent, id);
CREATE INDEX fm_probe_child_noted ON fm_probe_child (parent, weight, id) WHERE note IS NOT NULL;
CREATE INDEX fm_probe_child_red ON fm_probe_child (weight, parent, id) WHERE note = 'red';

CREATE TABLE fm_probe_cell (
    id BLOB NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    CHECK (count <> -1313)
) STRICT, WITHOUT ROWID;

CREATE VIEW probe_cells AS SELECT count, count * 0.5 AS half FROM fm_probe_cell;
