"""Schema: the tables of the book of spending, and every statement that is made on them."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        folder TEXT NOT NULL,
        machine TEXT NOT NULL,
        title TEXT NOT NULL,
        begun REAL NOT NULL,
        simulated INTEGER NOT NULL,
        owner TEXT NOT NULL,
        beat_s REAL NOT NULL
    ) STRICT;
    CREATE TABLE sums (
        run TEXT NOT NULL,
        day TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        mode TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        pictures INTEGER NOT NULL,
        billed_nusd INTEGER NOT NULL,
        unknown_nusd INTEGER NOT NULL,
        listed INTEGER NOT NULL,
        listed_nusd INTEGER NOT NULL,
        PRIMARY KEY (run, day, endpoint, model, mode)
    ) STRICT;
    CREATE INDEX sums_by_day ON sums (day);
    CREATE TABLE holds (
        run TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        day TEXT NOT NULL,
        nusd INTEGER NOT NULL,
        PRIMARY KEY (run, endpoint, day)
    ) STRICT;
    """,
)
"""One script for each version, applied in order; never changed once released, only added to."""

PUT_RUN = """
    INSERT INTO runs (id, folder, machine, title, begun, simulated, owner, beat_s)
    VALUES (:id, :folder, :machine, :title, :begun, :simulated, :owner, :beat_s)
    ON CONFLICT (id) DO UPDATE SET folder = excluded.folder, machine = excluded.machine, title = excluded.title,
        owner = excluded.owner, beat_s = excluded.beat_s
"""

BEAT = "UPDATE runs SET beat_s = :beat_s WHERE id = :run"
DISOWN = "UPDATE runs SET owner = '' WHERE id = :run"

RUNS = "SELECT id, folder, machine, title, begun, simulated, owner, beat_s FROM runs ORDER BY begun, id"

PUT_SUM = """
    INSERT INTO sums (run, day, endpoint, model, mode, attempts, pictures, billed_nusd, unknown_nusd, listed,
        listed_nusd)
    VALUES (:run, :day, :endpoint, :model, :mode, :attempts, :pictures, :billed_nusd, :unknown_nusd, :listed,
        :listed_nusd)
    ON CONFLICT (run, day, endpoint, model, mode) DO UPDATE SET attempts = excluded.attempts,
        pictures = excluded.pictures, billed_nusd = excluded.billed_nusd, unknown_nusd = excluded.unknown_nusd,
        listed = excluded.listed, listed_nusd = excluded.listed_nusd
"""

# What a ledger did not hold is added to what the book knows of it.
ADD_UNKNOWN = """
    INSERT INTO sums (run, day, endpoint, model, mode, attempts, pictures, billed_nusd, unknown_nusd, listed,
        listed_nusd)
    VALUES (:run, :day, :endpoint, '', '', 0, 0, 0, :nusd, 0, 0)
    ON CONFLICT (run, day, endpoint, model, mode) DO UPDATE SET unknown_nusd = sums.unknown_nusd + excluded.unknown_nusd
"""

CLEAR_SUMS = "DELETE FROM sums WHERE run = :run"
CLEAR_HOLDS = "DELETE FROM holds WHERE run = :run"
CLEAR_HOLD = "DELETE FROM holds WHERE run = :run AND endpoint = :endpoint AND day = :day"

PUT_HOLD = """
    INSERT INTO holds (run, endpoint, day, nusd) VALUES (:run, :endpoint, :day, :nusd)
    ON CONFLICT (run, endpoint, day) DO UPDATE SET nusd = excluded.nusd
"""

SPENT = """
    SELECT COALESCE(SUM(billed_nusd + unknown_nusd), 0) FROM sums
    WHERE day >= :first AND (:endpoint = '' OR endpoint = :endpoint)
"""

HELD = """
    SELECT holds.run, holds.endpoint, holds.day, holds.nusd, runs.beat_s FROM holds JOIN runs ON runs.id = holds.run
    WHERE holds.day >= :first
"""

ALL_SUMS = """
    SELECT run, day, endpoint, model, mode, attempts, pictures, billed_nusd, unknown_nusd, listed, listed_nusd
    FROM sums WHERE day >= :first ORDER BY day, endpoint, model, mode, run
"""

SUMS_OF_RUN = """
    SELECT day, endpoint, model, mode, attempts, pictures, billed_nusd, unknown_nusd, listed, listed_nusd
    FROM sums WHERE run = :run
"""
