"""Hypothesis strategies for what a dialect says and hears: requests, calls, answers, faults.

They give what any wire format might be asked to carry. What a format cannot say, its laws take away again.
"""

from typing import Any

from hypothesis import strategies as st

from cavendish.model.blob import Blob
from cavendish.model.call import Done, GroundingNote, Open, Source
from cavendish.model.fault import Charged, Fault, FaultKind, Scope
from cavendish.model.request import Image, ImageRequest, Role, Text, Turn, Use
from cavendish.model.usage import Usage
from tests.wire.memory import Store

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP",
}

words = st.text(min_size=1, max_size=40)
tokens = st.integers(0, 4000)


PICTURES = Store()
"""Where the bytes of all pictures are."""


def _kept(media_type: str, rest: bytes) -> Blob:
    return PICTURES.blob(HEADS[media_type] + rest, media_type)


blobs = st.builds(_kept, st.sampled_from(sorted(HEADS)), st.binary(max_size=9))
uris = st.builds("https://files.example/{}".format, st.integers(0, 999))


# --- parts -----------------------------------------------------------------------------------------------------------

large_signatures = st.binary(max_size=9).map(lambda rest: PICTURES.blob(bytes(2000) + rest, "application/octet-stream"))
signatures = st.one_of(
    st.none(), st.sampled_from(["QUFB", "c2ln--__", "skip_thought_signature_validator"]), large_signatures
)


texts = st.builds(Text, words, st.booleans(), signatures)


@st.composite
def images(draw: st.DrawFn, *, thought: bool | None = None, uses: bool = False) -> Image:
    """A picture: bytes of which the sender may have said what they are, or an address."""
    further: dict[str, Any] = {
        "thought": draw(st.booleans()) if thought is None else thought,
        "signature": draw(signatures),
        "use": draw(st.none() | st.sampled_from(Use)) if uses else None,
        "media_type": draw(st.none() | st.sampled_from(sorted(HEADS))),
    }
    return Image(blob=draw(blobs), **further) if draw(st.booleans()) else Image(uri=draw(uris), **further)


turns = st.builds(
    Turn,
    st.sampled_from(Role),
    st.lists(texts | images(uses=True), max_size=4).map(tuple),
)


# --- requests --------------------------------------------------------------------------------------------------------


NO_EXTRAS: st.SearchStrategy[dict[str, Any]] = st.just({})


def requests(extras: st.SearchStrategy[dict[str, Any]] = NO_EXTRAS) -> st.SearchStrategy[ImageRequest]:
    """``extras``: members that only one format knows."""
    return st.builds(
        ImageRequest,
        turns=st.lists(turns, min_size=1, max_size=3).map(tuple),
        model=st.text(st.sampled_from("abz019.-_@ /:?#%é"), min_size=1, max_size=20),
        n=st.integers(1, 10),
        size=st.none() | st.sampled_from(["512", "1K", "2K", "4K", "1024x1536", "9K"]),
        aspect_ratio=st.none() | st.sampled_from(["1:1", "16:9", "8:1", "7:5"]),
        system=st.none() | st.text(max_size=20),
        thinking=st.none() | st.sampled_from(["minimal", "medium", "high", "unheard"]),
        include_thoughts=st.booleans(),
        modalities=st.none() | st.sampled_from([("IMAGE",), ("TEXT", "IMAGE"), ("IMAGE", "TEXT"), ("TEXT",)]),
        grounding=st.sampled_from([(), ("web",), ("image",), ("web", "image")]),
        seed=st.none() | st.integers(-(2**31), 2**31 - 1),
        temperature=st.none() | st.floats(0, 2),
        quality=st.none() | st.sampled_from(["low", "high"]),
        output_format=st.none() | st.sampled_from(["png", "jpeg", "webp"]),
        extra=extras,
    )


def opens(extras: st.SearchStrategy[dict[str, Any]] = NO_EXTRAS) -> st.SearchStrategy[Open]:
    return st.builds(Open, requests(extras), st.booleans())


# --- answers ---------------------------------------------------------------------------------------------------------

usages = st.builds(
    lambda text_in, image_in, cached, image, said, thought: Usage(
        text_in + image_in, image_in, cached, image, said, thought
    ),
    *[tokens] * 6,
)
sources = st.builds(
    Source, page=uris, title=st.text(max_size=9), picture=st.just("") | uris, domain=st.text(max_size=9)
)
queries = st.lists(words, max_size=3).map(tuple)
groundings = st.builds(
    GroundingNote, queries, queries, st.lists(sources, max_size=3).map(tuple), st.text(max_size=20)
).filter(lambda note: note != GroundingNote())


@st.composite
def dones(draw: st.DrawFn, finishes: st.SearchStrategy[str], shortfalls: st.SearchStrategy[Fault]) -> Done:
    """An answer: before each final picture words, thoughts and drafts, after the last one words and thoughts."""
    besides = texts | images(thought=True)
    before = st.lists(besides | images(thought=False), max_size=3)
    parts: list[Any] = []
    finals: list[int] = []
    for _ in range(draw(st.integers(1, 3))):
        parts += draw(before)
        finals.append(len(parts))
        parts.append(draw(images(thought=False)))
    return Done(
        parts=(*parts, *draw(st.lists(besides, max_size=2))),
        finals=tuple(finals),
        usage=draw(usages),
        finish=draw(finishes),
        answered_by=draw(st.text(max_size=9)),
        response_id=draw(st.text(max_size=9)),
        grounding=draw(st.none() | groundings),
        shortfall=tuple(draw(st.lists(shortfalls, max_size=2))),
    )


# --- faults ----------------------------------------------------------------------------------------------------------

waits = st.none() | st.integers(0, 100_000_000).map(lambda ms: ms / 1000)


faults = st.builds(
    Fault,
    kind=st.sampled_from(FaultKind),
    message=st.text(max_size=40),
    charged=st.sampled_from(Charged),
    scope=st.sampled_from(Scope),
    retry_after_s=waits,
    reason=st.text(max_size=12) | st.sampled_from(["RESOURCE_EXHAUSTED", "API_KEY_INVALID", "model_not_found"]),
    status=st.sampled_from([0, 200, 400, 401, 403, 404, 413, 429, 499, 500, 502, 503, 504]),
    limit=st.just("") | st.sampled_from(["GenerateRequestsPerDayPerProjectPerModel", "SpendPerTenMinutes", "rpm"]),
    limit_value=st.none() | st.integers(0, 10_000),
    text=st.text(max_size=40),
    usage=usages,
)
