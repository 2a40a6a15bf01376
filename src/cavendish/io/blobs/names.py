"""Names of files: readable, the same on every system, and never a way out of the folder."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from ...model.result import Slot

KEY_LENGTH = 60
SLUG_LENGTH = 48
"""With key, ordinal, suffix and extension a name stays under 130 characters: half of what file systems take."""

ROW_DIGITS = 4

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
_PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def slug(text: str, length: int) -> str:
    """ASCII letters, digits and hyphens, cut at a word where one ends near enough; may be empty.

    No dot is left in it, so it is no device name on Windows, no hidden file and no path.
    """
    # A prompt may be megabytes long, and only its beginning can show.
    plain = unicodedata.normalize("NFKD", text[: 4 * length]).encode("ascii", "ignore").decode()
    words = _UNSAFE.sub("-", plain).strip("-")
    if len(words) <= length:
        return words
    cut = words[:length]
    head, _, _ = cut.rpartition("-")
    return (head if len(head) > length // 2 and words[length] != "-" else cut).strip("-")


def stem(slot: Slot) -> str:
    """The name of a slot's picture without extension: ``0001-a-red-kite-1``; rows and ordinals count from 1 here."""
    key = slug(slot.key, KEY_LENGTH)
    words = slug(slot.request.prompt, SLUG_LENGTH).lower()
    if key.isdigit():
        key = key.zfill(ROW_DIGITS)
    elif not key or words.startswith(key.lower()[:SLUG_LENGTH]):
        # No key of its own, or the prompt over again.
        key = f"{slot.row + 1:0{ROW_DIGITS}d}"
    return "-".join(piece for piece in (key, words, str(slot.ordinal + 1)) if piece)


def file_id(attempt_id: str) -> str:
    """An attempt's id as part of a file name: itself where that is safe, else its hash."""
    if _PLAIN_ID.fullmatch(attempt_id):
        return attempt_id
    return "x" + hashlib.sha256(attempt_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_inside(ref: str) -> bool:
    """Whether a ref names something below the folder by its form alone: relative, downwards, one spelling."""
    return not any(sign in ref for sign in "\\:\0") and not any(step in {"", ".", ".."} for step in ref.split("/"))
