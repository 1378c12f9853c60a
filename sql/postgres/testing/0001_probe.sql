-- Tables for the conformance suite only.
CREATE TABLE fm_probe_parent (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    version bigint NOT NULL,
    label text COLLATE "C"
);

CREATE TABLE fm_probe_child (
    parent text COLLATE "C" NOT NULL,
    id bigint NOT NULL,
    weight bigint NOT NULL,
    note text COLLATE "C",
    data bytea,
    PRIMARY KEY (parent, id)
);
CREATE INDEX fm_probe_child_weight ON fm_probe_child (weight, parent, id);
CREATE INDEX fm_probe_child_noted ON fm_probe_child (parent, weight, id) WHERE note IS NOT NULL;
CREATE INDEX fm_probe_child_red ON fm_probe_child (weight, parent, id) WHERE note = 'red';

CREATE TABLE fm_probe_cell (
    id bytea NOT NULL PRIMARY KEY,
    count bigint NOT NULL,
    CHECK (count <> -1313)
);

CREATE VIEW probe_cells AS SELECT count, (count * 0.5)::float8 AS half FROM fm_probe_cell;
