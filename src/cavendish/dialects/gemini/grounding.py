"""groundingMetadata: the searches behind a picture and the pages they found, both ways.

Google's guide calls the page of a found picture ``uri``, the SDK's type ``sourceUri``: both are read, the SDK's is
written. An answer with picture search was never recorded; its form is that of google-genai 3.4.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...model.call import GroundingNote, Source, Support
from ...wire.reading import as_number, count, items, mapping, text, text_of


def read_grounding(candidate: Any) -> GroundingNote | None:
    """What a candidate's grounding says, ``None`` when it says nothing."""
    metadata = mapping(candidate, "groundingMetadata")
    found = [(i, source) for i, chunk in enumerate(items(metadata, "groundingChunks")) if (source := _source(chunk))]
    places = {chunk: place for place, (chunk, _) in enumerate(found)}
    note = GroundingNote(
        web_queries=_queries(metadata, "webSearchQueries"),
        image_queries=_queries(metadata, "imageSearchQueries"),
        sources=tuple(source for _, source in found),
        attribution=text(mapping(metadata, "searchEntryPoint"), "renderedContent"),
        supports=tuple(s for entry in items(metadata, "groundingSupports") if (s := _support(entry, places))),
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


def _support(entry: Any, places: Mapping[int, int]) -> Support | None:
    """``places``: where the sources of the chunks stand; chunks that say nothing have none."""
    segment = mapping(entry, "segment")
    chunks = [as_number(value) for value in items(entry, "groundingChunkIndices")]
    scores = [as_number(value) for value in items(entry, "confidenceScores")]
    kept = [i for i, chunk in enumerate(chunks) if chunk in places]
    sources = tuple(places[int(chunks[i] or 0)] for i in kept)
    if not sources:
        return None
    return Support(
        text=text(segment, "text"),
        sources=sources,
        start=count(segment, "startIndex"),
        end=count(segment, "endIndex"),
        part=count(segment, "partIndex"),
        scores=tuple(scores[i] or 0.0 for i in kept) if len(scores) == len(chunks) else (),
    )


def write_grounding(note: GroundingNote) -> dict[str, Any]:
    """The grounding of a candidate."""
    written: dict[str, Any] = {
        "imageSearchQueries": list(note.image_queries),
        "webSearchQueries": list(note.web_queries),
        "groundingChunks": [_chunk(source) for source in note.sources],
        "groundingSupports": [_written_support(support) for support in note.supports],
        "searchEntryPoint": {"renderedContent": note.attribution} if note.attribution else None,
    }
    return {name: value for name, value in written.items() if value}


def _chunk(source: Source) -> dict[str, Any]:
    if source.picture:
        page = {"sourceUri": source.page, "imageUri": source.picture, "title": source.title, "domain": source.domain}
        return {"image": _said(page)}
    return {"web": _said({"uri": source.page, "title": source.title, "domain": source.domain})}


def _written_support(support: Support) -> dict[str, Any]:
    segment: dict[str, Any] = {
        "partIndex": support.part,
        "startIndex": support.start,
        "endIndex": support.end,
        "text": support.text,
    }
    written: dict[str, Any] = {
        "segment": {name: value for name, value in segment.items() if value},
        "groundingChunkIndices": list(support.sources),
    }
    return {**written, "confidenceScores": list(support.scores)} if support.scores else written


def _said(entry: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in entry.items() if value}
