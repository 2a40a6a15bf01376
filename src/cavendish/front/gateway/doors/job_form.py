"""JobForm: what ``POST /v1/jobs`` takes: a request for pictures in our own words, and how its end is to be told.

::

    {"model": "nano-banana-2", "prompt": "a red kite", "n": 20, "size": "2K", "aspect_ratio": "3:2",
     "references": ["data:image/png;base64,...", {"url": "https://...", "use": "style"}],
     "seed": 7, "thinking": "high", "grounding": ["web"], "metadata": {"order": "17"},
     "webhook": {"url": "https://...", "secret": "whsec_..."}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ....model.call import Call, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Notice, Use
from ....wire.data_uri import read_picture
from ....wire.message import WireRequest, WireResponse
from ....wire.openai_error import error_object, error_status, fault_in
from ....wire.passed_on import passed_on
from ....wire.reading import entries_of, flag, integer, mapping, number, text, word
from ..webhooks.signing import secret_of

NAME: Final = "jobs"

_WORDS: Final = ("size", "aspect_ratio", "system", "quality", "output_format")
_KNOWN: Final = frozenset(
    {
        *("model", "prompt", "n", "references", "seed", "temperature", "thinking", "include_thoughts", "grounding"),
        *("extra", "strict", "webhook", "metadata", *_WORDS),
    }
)
_GROUNDINGS: Final = ("web", "image")
MAX_METADATA: Final = 16
MAX_METADATA_KEY: Final = 64
MAX_METADATA_VALUE: Final = 512
MAX_URL: Final = 2048


class Unreadable(ValueError):
    """The body is not one that we take; ``param`` is the member at fault."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class JobCall(Open):
    """A job that is asked for. ``webhook``: where to tell its end, and the secret to sign that with."""

    strict: bool = False
    webhook: Mapping[str, str] = field(default_factory=dict[str, str])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class JobForm:
    """Implements ``wire.Dialect``: the half of it that a server needs."""

    max_n: int

    @property
    def name(self) -> str:
        """``jobs``."""
        return NAME

    def read_call(self, request: WireRequest) -> JobCall | Fault:
        """What a client asks for. Never raises."""
        try:
            return read_job(request.body, self.max_n)
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, f"{error.param}: {error}", reason="invalid_value", status=400)

    def write_call(self, call: Call) -> WireRequest:
        """Nobody but clients asks so: there is no provider behind it."""
        raise ValueError(f"jobs are asked for by clients alone: {type(call).__name__}")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:  # noqa: ARG002 - as dialects are called
        """Nothing: what cannot be said is refused."""
        return ()

    def read_reply(self, response: WireResponse, call: Call) -> Reply:  # noqa: ARG002 - as dialects are called
        """Nobody but clients is answered so."""
        return Fault(FaultKind.MALFORMED, "jobs are answered to clients alone", status=response.status)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:  # noqa: ARG002 - as dialects are called
        """A refusal: what came of a job is told by its page."""
        fault = fault_in(reply)
        return WireResponse(error_status(fault), body={"error": error_object(fault)})


def read_job(body: Any, max_n: int) -> JobCall:
    """The job that a body asks for. Raises ``Unreadable``."""
    if not isinstance(body, Mapping):
        raise Unreadable("must be a JSON object", "body")
    said = cast("Mapping[str, Any]", body)
    for name in said:
        if name not in _KNOWN:
            raise Unreadable("there is no such member; what only one model knows goes into extra", str(name)[:64])
    for name in ("model", "prompt"):
        if not text(said, name).strip():
            raise Unreadable("must be some words", name)
    return JobCall(
        _request(said, max_n),
        strict=flag(said, "strict"),
        webhook=_webhook(said),
        metadata=_metadata(said),
    )


def _request(said: Mapping[str, Any], max_n: int) -> ImageRequest:
    words: dict[str, Any] = {name: _word(said, name) for name in _WORDS}
    thinking = _word(said, "thinking")
    return ImageRequest.of(
        text(said, "prompt"),
        text(said, "model").strip(),
        tuple(_references(said)),
        n=_count(said, max_n),
        seed=_number(said, "seed", integer),
        temperature=_number(said, "temperature", number),
        thinking=thinking.lower() if thinking else None,
        include_thoughts=flag(said, "include_thoughts"),
        grounding=tuple(_grounding(said)),
        extra=_extra(said),
        **words,
    )


def _count(said: Mapping[str, Any], max_n: int) -> int:
    count = 1 if said.get("n") is None else integer(said, "n")
    if count is None or not 1 <= count <= max_n:
        raise Unreadable(f"must be a whole number from 1 to {max_n}", "n")
    return count


def _word(said: Mapping[str, Any], name: str) -> str | None:
    found = said.get(name)
    if found is not None and not isinstance(found, str):
        raise Unreadable("must be a string", name)
    return found.strip() or None if found else None


def _number(said: Mapping[str, Any], name: str, read: Any) -> Any:
    found = read(said, name)
    if found is None and said.get(name) is not None:
        raise Unreadable("must be a number", name)
    return found


def _grounding(said: Mapping[str, Any]) -> Iterator[Any]:
    found = said.get("grounding")
    if found is None or isinstance(found, bool):
        yield from ("web",) if found else ()
        return
    for name in entries_of(found) or (found,):
        if name not in _GROUNDINGS:
            raise Unreadable("must be true, or a list of 'web' and 'image'", "grounding")
        yield name


def _references(said: Mapping[str, Any]) -> Iterator[Image]:
    found = said.get("references")
    for value in entries_of(found) or (() if found is None else (found,)):
        named = mapping({"of": value}, "of")
        picture = read_picture(named.get("url", named.get("data")) if named else value)
        use = word(named, "use", Use)
        if picture is None or (named.get("use") is not None and use is None):
            raise Unreadable("must be data URLs or addresses, or objects with url and use", "references")
        yield Image(blob=picture.blob, uri=picture.uri, media_type=picture.media_type, use=use)


def _extra(said: Mapping[str, Any]) -> dict[str, Any]:
    extra = mapping(said, "extra")
    try:
        return passed_on(extra, tuple(extra))
    except ValueError as error:
        raise Unreadable(str(error), "extra") from error


def _metadata(said: Mapping[str, Any]) -> dict[str, str]:
    found = mapping(said, "metadata")
    if said.get("metadata") is not None and not isinstance(said.get("metadata"), Mapping):
        raise Unreadable("must be an object of strings", "metadata")
    for key, value in found.items():
        if not isinstance(value, str) or len(key) > MAX_METADATA_KEY or len(value) > MAX_METADATA_VALUE:
            bounds = f"names up to {MAX_METADATA_KEY}, values up to {MAX_METADATA_VALUE} characters"
            raise Unreadable(f"must be an object of strings, {bounds}", "metadata")
    if len(found) > MAX_METADATA:
        raise Unreadable(f"must have at most {MAX_METADATA} members", "metadata")
    return dict(found)


def _webhook(said: Mapping[str, Any]) -> dict[str, str]:
    if said.get("webhook") is None:
        return {}
    found = mapping(said, "webhook")
    url, secret = text(found, "url").strip(), text(found, "secret").strip()
    if not url.lower().startswith(("https://", "http://")) or len(url) > MAX_URL:
        raise Unreadable("must be an http or https address", "webhook.url")
    if secret_of(secret) is None:
        raise Unreadable("must be whsec_ and the base64 of 24 to 64 bytes", "webhook.secret")
    return {"url": url, "secret": secret}
