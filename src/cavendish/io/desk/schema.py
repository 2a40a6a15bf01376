"""Schema: the tables of a gateway's books.

A job is one request of a client. ``form`` is the fingerprint of what was asked, ``token`` the client's own name for the
request (its ``Idempotency-Key``), ``owner`` the replica that works at it. Replicas show that they live by their beat.
Answers with thought signatures are found again by their picture in ``signed``; ``responses`` are those of OpenAI's
Responses API that a later request may go on from. A key (``keys``) is known by hashes of its secrets; what its jobs may
yet cost is in ``key_holds`` while they are at work, what they did cost in ``key_sums``.
"""

from __future__ import annotations

from .arrivals import ARRIVALS
from .batches import BATCHES
from .deliveries import DELIVERIES
from .job_lists import JOB_LISTS
from .secrets import SHARED_SECRETS
from .stored import STORED

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE owners (id TEXT PRIMARY KEY, beat_s REAL NOT NULL) STRICT;
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        caller TEXT NOT NULL,
        door TEXT NOT NULL,
        form TEXT NOT NULL,
        token TEXT,
        asked TEXT NOT NULL,
        state TEXT NOT NULL,
        begun_at REAL NOT NULL,
        ended_at REAL,
        lost INTEGER NOT NULL,
        told TEXT
    ) STRICT;
    CREATE UNIQUE INDEX one_job_a_token ON jobs (caller, token);
    CREATE INDEX open_jobs ON jobs (state, owner);
    CREATE INDEX jobs_of_form ON jobs (caller, form, begun_at);
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY,
        job TEXT NOT NULL,
        charged TEXT NOT NULL,
        cost_nusd INTEGER,
        estimate_nusd INTEGER,
        at REAL NOT NULL,
        entry TEXT NOT NULL
    ) STRICT;
    CREATE INDEX attempts_of_job ON attempts (job);
    CREATE TABLE outcomes (slot TEXT PRIMARY KEY, job TEXT NOT NULL, entry TEXT NOT NULL) STRICT;
    CREATE INDEX outcomes_of_job ON outcomes (job)
    """,
    """
    CREATE TABLE signed (
        caller TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        at REAL NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (caller, sha256)
    ) STRICT;
    CREATE INDEX signed_by_age ON signed (at);
    CREATE TABLE responses (
        id TEXT PRIMARY KEY,
        caller TEXT NOT NULL,
        job TEXT NOT NULL,
        at REAL NOT NULL,
        entry TEXT NOT NULL
    ) STRICT;
    CREATE INDEX responses_by_age ON responses (at)
    """,
    """
    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        rules TEXT NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL,
        revoked_at REAL
    ) STRICT;
    CREATE INDEX keys_by_name ON keys (name);
    CREATE TABLE key_secrets (
        digest TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        shown TEXT NOT NULL,
        made_at REAL NOT NULL,
        ends_at REAL
    ) STRICT;
    CREATE INDEX secrets_of_key ON key_secrets (holder);
    CREATE TABLE key_windows (holder TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;
    CREATE TABLE key_holds (job TEXT PRIMARY KEY, holder TEXT NOT NULL, nusd INTEGER NOT NULL) STRICT;
    CREATE INDEX holds_of_key ON key_holds (holder);
    CREATE TABLE key_sums (
        holder TEXT NOT NULL,
        day TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        mode TEXT NOT NULL,
        requests INTEGER NOT NULL,
        pictures INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        billed_nusd INTEGER NOT NULL,
        unknown_nusd INTEGER NOT NULL,
        PRIMARY KEY (holder, day, endpoint, model, mode)
    ) STRICT
    """,
    JOB_LISTS,
    DELIVERIES,
    SHARED_SECRETS,
    """
    ALTER TABLE owners ADD COLUMN place TEXT NOT NULL DEFAULT ''
    """,
    STORED,
    BATCHES,
    ARRIVALS,
)
