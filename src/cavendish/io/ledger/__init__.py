"""The books of a run: SQLite in the run folder, and a double in memory with the same contract."""
