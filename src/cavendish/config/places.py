"""Places: where this user's files belong on this system."""

from __future__ import annotations

from pathlib import Path


def user_state() -> Path:
    """The folder of this user's state, whether it exists or not."""
    import platformdirs  # noqa: PLC0415 - not needed when the folder is named

    return Path(platformdirs.user_state_dir("cavendish", appauthor=False))
