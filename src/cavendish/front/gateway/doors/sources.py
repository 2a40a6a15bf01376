"""Sources: where the facts of a grounded picture came from, as OpenAI's formats say it and where they cannot."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ....model.call import GroundingNote


def sources_of(note: GroundingNote | None) -> dict[str, Any]:
    """A member for beside an answer, with what its provider obliges to show; none where nothing was searched."""
    if note is None:
        return {}
    told = {name: value for name, value in asdict(note).items() if value and name != "supports"}
    return {"grounding": told} if told else {}


def citations(note: GroundingNote | None) -> list[dict[str, Any]]:
    """The pages as citations. They are of the picture, so none of the words is theirs."""
    pages = note.sources if note else ()
    return [{"url": source.page, "title": source.title, "start_index": 0, "end_index": 0} for source in pages]
