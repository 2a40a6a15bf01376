"""groundingMetadata: the searches behind a picture and the pages they found, both ways.

Google's guide calls the page of a found picture ``uri``, the SDK's type ``sourceUri``: both are read, the SDK's is
written. An answer with picture search was never recorded; its form is that of google-genai 3.4.0.
"""

from __future__ import annotations

from typing import Any

from ...model.call import GroundingNote, Source
from ...wire.reading import items, mapping, text, text_of


def read_grounding(candidate: Any) -> GroundingNote | None:
    """What a candidate's grounding says, ``None`` when it says nothing."""
    metadata = mapping(candidate, "groundingMetadata")
    note = GroundingNote(
        web_queries=_queries(metadata, "webSearchQueries"),
        image_queries=_queries(metadata, "imageSearchQueries"),
        sources=tuple(s for chunk in items(metadata, "groundingChunks") if (s := _source(chunk))),
        attribution=text(mapping(metadata, "searchEntryPoint"), "renderedContent"),
    )
    return None if note == GroundingNote() else note


def _queries(metadata: Any, name: str) -> tuple[str, ...]:
    return tuple(words for query in items(metadata, name) if (words := text_of(query)))


def _source(chunk: Any) -> Source | None:
    if image := mapping(chunk, "image"):
        page = text(image, "sourceUri") or text(image, "uri")
        source = Source(page, text(image, "title"), text(image, "imageUri"), text(image, "domain"))
    else:
        page = mapping(chunk, "web") or mapping(chunk, "retrievedContext") or mapping(chunk, "maps")
        source = Source(text(page, "uri"), text(page, "title"), "", text(page, "domain"))
    return source if source.page or source.picture else None


def write_grounding(note: GroundingNote) -> dict[str, Any]:
    """The grounding of a candidate."""
    written: dict[str, Any] = {
        "imageSearchQueries": list(note.image_queries),
        "webSearchQueries": list(note.web_queries),
        "groundingChunks": [_chunk(source) for source in note.sources],
        "searchEntryPoint": {"renderedContent": note.attribution} if note.attribution else None,
    }
    return {name: value for name, value in written.items() if value}


def _chunk(source: Source) -> dict[str, Any]:
    if source.picture:
        page = {"sourceUri": source.page, "imageUri": source.picture, "title": source.title, "domain": source.domain}
        return {"image": _said(page)}
    return {"web": _said({"uri": source.page, "title": source.title, "domain": source.domain})}


def _said(entry: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in entry.items() if value}
