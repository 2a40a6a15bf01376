"""Queries: every statement that a ledger makes, by name."""

from __future__ import annotations

# One form may be written in several ways: a reference picture that was moved is the same picture.
PUT_REQUEST = """
    INSERT INTO requests (form, request) VALUES (:form, :request)
    ON CONFLICT (form) DO UPDATE SET request = excluded.request WHERE request != excluded.request
"""

KEEP_REQUEST = "UPDATE requests SET request = :request WHERE form = :form AND request != :request"

EDITION = "COALESCE((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'edition'), 0)"
"""The newest edition of the input."""

NEW_EDITION = f"INSERT OR REPLACE INTO meta VALUES ('edition', {EDITION} + 1)"

# A row may have moved in the input since the slot was begun.
PUT_SLOT = f"""
    INSERT INTO slots (id, form, key, row, ordinal, edition, columns)
    VALUES (:id, :form, :key, :row, :ordinal, {EDITION}, :columns)
    ON CONFLICT (id) DO UPDATE SET key = excluded.key, row = excluded.row, ordinal = excluded.ordinal,
        edition = excluded.edition, columns = excluded.columns
"""

KEEP_SLOT = f"""
    UPDATE slots SET key = :key, row = :row, ordinal = :ordinal, edition = {EDITION}, columns = :columns WHERE id = :id
"""

ADD_ATTEMPT = """
    INSERT INTO attempts (id, slot_id, number, endpoint, model, wire_model, mode, state, estimate_nusd, cost_nusd,
        charged, intent_at, settled_at, details, key, request_id, hedge)
    VALUES (:id, :slot_id, :number, :endpoint, :model, :wire_model, :mode, :state, :estimate_nusd, :cost_nusd,
        :charged, :intent_at, :settled_at, :details, :key, :request_id, :hedge)
"""

# A receipt is final.
MOVE_ATTEMPT = """
    UPDATE attempts SET state = :state, cost_nusd = :cost_nusd, charged = :charged, settled_at = :settled_at,
        details = :details, request_id = :request_id
    WHERE id = :id AND slot_id = :slot_id AND state IN ('intent', 'waiting')
"""

_OF_UNKNOWN_FATE = "id = :id AND charged = 'unknown' AND state IN ('settled', 'unknown')"

# Before the attempt itself is changed, so that what is known already leaves no second line in the log.
NOTE_FATE = f"""
    INSERT INTO events (at, what, attempt_id, slot_id)
    SELECT :at, 'reconciled', id, slot_id FROM attempts WHERE {_OF_UNKNOWN_FATE}
"""

SETTLE_FATE = f"UPDATE attempts SET charged = :charged, cost_nusd = :cost_nusd WHERE {_OF_UNKNOWN_FATE}"

END_SLOT = "UPDATE slots SET state = :state, outcome = :outcome, sha256 = :sha256, file = :file WHERE id = :id"

MUST_FIND = frozenset({MOVE_ATTEMPT, END_SLOT})
"""Statements that lose what they were to write when there is no such row."""

PUT_EVENT = "INSERT INTO events (at, what, attempt_id, slot_id) VALUES (:at, :what, :attempt_id, :slot_id)"

PUT_META = "INSERT INTO meta VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

PUT_SETTLED_ROWS = """
    INSERT INTO meta VALUES ('settled_rows', :rows)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
    WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)
"""

META = "SELECT value FROM meta WHERE name = ?"

_SLOT = f"""
    SELECT slots.id, slots.key, slots.row, slots.ordinal, requests.request, slots.columns, slots.state, slots.outcome,
        slots.edition = {EDITION}
    FROM slots JOIN requests ON requests.form = slots.form
"""

SLOT = _SLOT + "WHERE slots.id = ?"

OUTCOMES = (
    _SLOT
    + f"""
    WHERE slots.state != 'open' AND slots.edition = {EDITION} AND (slots.row, slots.ordinal, slots.id) > (?, ?, ?)
    ORDER BY slots.row, slots.ordinal, slots.id LIMIT ?
"""
)

UNFINISHED = (
    _SLOT
    + f"""
    WHERE slots.row < ? AND slots.state != 'delivered' AND slots.edition = {EDITION}
    ORDER BY slots.row, slots.ordinal, slots.id
"""
)

# All columns: a file of an older version, which is only looked at, has fewer.
_ATTEMPT = "SELECT * FROM attempts "

ATTEMPTS_OF_SLOT = _ATTEMPT + "WHERE slot_id = ? ORDER BY number, id"

ALL_ATTEMPTS = _ATTEMPT + "WHERE id > ? ORDER BY id LIMIT ?"

# The plus keeps SQLite from going through all attempts in the order of their ids, for the few that are open.
OPEN_ATTEMPTS = _ATTEMPT + "WHERE state IN ('intent', 'waiting') ORDER BY +id"

HASHES = "SELECT sha256 FROM slots WHERE form = ? AND sha256 IS NOT NULL"

HIGHEST_ORDINAL = f"""
    SELECT MAX(CAST(substr(id, length(form) + 2) AS INTEGER)) FROM slots
    WHERE form = ? AND row < ? AND edition = {EDITION}
"""

SLOT_COUNTS = f"""
    SELECT COALESCE(SUM(state = 'delivered'), 0), COALESCE(SUM(state = 'failed'), 0)
    FROM slots WHERE edition = {EDITION}
"""

ATTEMPT_SUMS = """
    SELECT COUNT(*),
        COALESCE(SUM(charged = 'yes'), 0),
        COALESCE(SUM(charged = 'no'), 0),
        COALESCE(SUM(charged = 'unknown' AND state IN ('settled', 'unknown')), 0),
        COALESCE(SUM(cost_nusd), 0),
        COALESCE(SUM(CASE WHEN charged <> 'no' AND cost_nusd IS NULL THEN estimate_nusd END), 0),
        COALESCE(SUM(state IN ('intent', 'waiting')), 0),
        COALESCE(SUM((charged = 'yes' AND cost_nusd IS NULL) OR (charged = 'unknown' AND estimate_nusd IS NULL)), 0)
    FROM attempts
"""

# A picture is counted once, with the first of its slot's attempts that brought it: a hedge may have brought it, too.
# Most slots have one attempt, which needs no looking.
_BROUGHT = "{0}.state = 'settled' AND {0}.charged = 'yes' AND json_extract({0}.details, '$.fault') IS NULL"

ATTEMPT_GROUPS = f"""
    SELECT CAST(attempts.intent_at / 900 AS INTEGER) AS quarter, attempts.endpoint, attempts.model, attempts.mode,
        json_extract(requests.request, '$.size') AS size,
        COUNT(*),
        SUM({_BROUGHT.format("attempts")} AND (attempts.number = 1 OR NOT EXISTS (
            SELECT 1 FROM attempts AS other
            WHERE other.slot_id = attempts.slot_id AND other.number < attempts.number AND {_BROUGHT.format("other")}
        ))),
        COALESCE(SUM(attempts.cost_nusd), 0),
        COALESCE(SUM(
            CASE WHEN attempts.cost_nusd IS NULL AND attempts.charged != 'no' THEN attempts.estimate_nusd END
        ), 0)
    FROM attempts JOIN slots ON slots.id = attempts.slot_id JOIN requests ON requests.form = slots.form
    GROUP BY 1, 2, 3, 4, 5
"""
