"""Schema: the tables of a ledger, and how an older file becomes one of today.

``attempts`` and ``slots`` say how things stand, ``events`` (append only) how they came to it. An ``edition`` is one
state of the run's input: a slot that the newest one does not hold is history, bought and kept, but counted no more.
What must never be is forbidden by the database itself: two live attempts of one slot (beside a hedge), two slots with
one file.
"""

from __future__ import annotations

APPLICATION_ID = int.from_bytes(b"cvnd")
"""Stands in the head of the file, so that no other program's database is taken for a ledger, or made one."""

MIGRATIONS: tuple[str, ...] = (
    f"""
    PRAGMA application_id = {APPLICATION_ID};
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE requests (form TEXT PRIMARY KEY, request TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE slots (
        id TEXT PRIMARY KEY,
        form TEXT NOT NULL,
        key TEXT NOT NULL,
        row INTEGER NOT NULL,
        ordinal INTEGER NOT NULL,
        edition INTEGER NOT NULL,
        columns TEXT,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'delivered', 'failed')),
        outcome TEXT,
        sha256 TEXT,
        file TEXT,
        CHECK ((state = 'open') = (outcome IS NULL)),
        CHECK ((state = 'delivered') = (file IS NOT NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX slots_by_row ON slots (row, ordinal);
    CREATE INDEX slots_of_form ON slots (form);
    CREATE INDEX unfinished_slots ON slots (row, ordinal, id) WHERE state != 'delivered';
    CREATE UNIQUE INDEX one_slot_a_file ON slots (file) WHERE file IS NOT NULL;
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY,
        slot_id TEXT NOT NULL REFERENCES slots (id),
        number INTEGER NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        wire_model TEXT NOT NULL,
        mode TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('intent', 'waiting', 'settled', 'unknown')),
        estimate_nusd INTEGER,
        cost_nusd INTEGER,
        charged TEXT NOT NULL CHECK (charged IN ('no', 'yes', 'unknown')),
        intent_at REAL NOT NULL,
        settled_at REAL,
        details TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attempts_of_slot ON attempts (slot_id);
    CREATE UNIQUE INDEX one_live_attempt_a_slot ON attempts (slot_id) WHERE state IN ('intent', 'waiting');
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        what TEXT NOT NULL,
        attempt_id TEXT,
        slot_id TEXT NOT NULL
    ) STRICT;
    """,
    # Readers take all columns of an attempt in their order, so those of later versions stand behind the others.
    """
    ALTER TABLE attempts ADD COLUMN key TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN hedge INTEGER NOT NULL DEFAULT 0 CHECK (hedge IN (0, 1));
    DROP INDEX one_live_attempt_a_slot;
    CREATE UNIQUE INDEX one_live_attempt_a_slot ON attempts (slot_id, hedge) WHERE state IN ('intent', 'waiting');
    """,
)
"""One script for each version, applied in order; never changed once released, only added to."""

VERSION = len(MIGRATIONS)
