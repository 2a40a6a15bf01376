"""ChatForm: chat/completions as the gateway answers it: n pictures as n choices, in lines that any client can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast

import pybase64

from ....dialects.openai_chat import OpenaiChatDialect
from ....dialects.openai_chat.messages import joined, write_images
from ....model.blob import Blob
from ....model.call import Call, Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Notice
from ....wire.message import Spilled, WireResponse
from ....wire.openai_error import error_object, fault_in, write_error
from ....wire.openai_usage import write_chat_usage
from ....wire.written import ReadBlob
from .sources import citations, sources_of

Shown = Literal["images", "pieces", "markdown", "both", "links"]
SHOWN: Final[tuple[Shown, ...]] = ("images", "pieces", "markdown", "both", "links")

PICTURES: Final = "x-cavendish-pictures"
"""The header in which a client says how it wants pictures."""

LINE_BYTES: Final = 48 * 1024
"""Of base64 in one event: readers that take a stream line by line often stop at 64 KiB."""

_READS_LONG_LINES: Final = re.compile(r"\b(?:Async)?OpenAI/|ai-sdk/|\bai/\d|litellm|openrouter", re.IGNORECASE)
"""Clients that are known to want each picture whole in one event, and to read lines of any length."""

Link = Callable[[Blob], str]
"""The address of a picture; empty when there is none."""


def no_link(_blob: Blob) -> str:
    """Where pictures have no addresses."""
    return ""


@dataclass(frozen=True, slots=True)
class ChatWish:
    """How a client wants its answer.

    ``images``: data URLs beside the words, in a stream each in one event; ``pieces``: in a stream cut into events of
    bounded length, their parts to be put together by ``index``; ``markdown``: data URLs among the words; ``both``;
    ``links``: addresses, beside the words and among them. ``notices`` are of what has no meaning here.
    """

    shown: Shown = "images"
    usage: bool = False
    created: int = 0
    notices: tuple[Notice, ...] = ()
    link: Link = field(default=no_link, repr=False)


@dataclass(frozen=True, slots=True)
class ChatCall(Open):
    """A call with how its answer is wanted."""

    wish: ChatWish = ChatWish()


@dataclass(frozen=True, slots=True)
class ChatForm(OpenaiChatDialect):
    """The dialect with the gateway's own manners: without any picture it is an error, whatever the model said."""

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """An answer: n choices; what is missing stands in a member beside them."""
        if not isinstance(reply, Done) or not reply.pictures:
            return write_error(in_openai_s_words(fault_in(reply)))
        wish = call.wish if isinstance(call, ChatCall) else ChatWish()
        form = replace(self, answers="images" if wish.shown in {"images", "pieces", "links"} else "both")
        plain = OpenaiChatDialect.write_reply(form, without_drafts(replace(reply, shortfall=())), Open(_NOTHING))
        body = plain.body | {"id": f"chatcmpl-{reply.response_id}", "created": wish.created}
        for choice, picture in zip(body["choices"], reply.pictures, strict=True):
            choice["finish_reason"] = "length" if choice["finish_reason"].lower() in _CUT_SHORT else "stop"
            _show(choice["message"], picture, wish)
        if cited := citations(reply.grounding):
            # A provider says it of one picture of an answer, and of all in the same words.
            pages = [{"type": "url_citation", "url_citation": page} for page in cited]
            body["choices"][0]["message"]["annotations"] = pages
        return replace(plain, body={**body, **sources_of(reply.grounding), **beside(reply)})


MODERATED: Final = frozenset({FaultKind.PROMPT_BLOCKED, FaultKind.PROHIBITED, FaultKind.IMAGE_SAFETY})
_CODE: Final = re.compile(r"[a-z][a-z_]{2,60}")
_CUT_SHORT: Final = frozenset({"length", "max_tokens"})
_NOTHING: Final = ImageRequest.of("", "")


def in_openai_s_words(fault: Fault) -> Fault:
    """The fault without a code that no client of OpenAI knows: what other providers say goes with the message."""
    own = _CODE.fullmatch(fault.reason) is not None and fault.kind not in MODERATED
    if own or not fault.reason:
        return fault
    message = fault.message or fault.kind.value.replace("_", " ")
    return fault.having(reason="", message=message if fault.reason in message else f"{message} ({fault.reason})")


def without_drafts(reply: Done) -> Done:
    """The reply with the pictures that were asked for alone: who counts the pictures of an answer counts right."""
    kept = [i for i, part in enumerate(reply.parts) if i in reply.finals or not isinstance(part, Image)]
    parts = tuple(reply.parts[i] for i in kept)
    return replace(reply, parts=parts, finals=tuple(place for place, i in enumerate(kept) if i in reply.finals))


def beside(reply: Done, *, missing: bool = True) -> dict[str, Any]:
    """What a body says beside its pictures: what is ``missing`` and why, and what could not be honoured."""
    told: dict[str, Any] = {}
    if missing and reply.shortfall:
        told["missing"] = [error_object(in_openai_s_words(fault)) for fault in reply.shortfall]
    if reply.notices:
        told["notices"] = [{"code": n.code, "message": n.text, "param": n.field} for n in reply.notices]
    return {"cavendish": {"job": reply.response_id, **told}} if told else {}


def _show(message: dict[str, Any], picture: Image, wish: ChatWish) -> None:
    """Put the picture where the client looks for it. Words are never left empty where it has an address."""
    link = wish.link(picture.blob) if picture.blob else picture.uri or ""
    if wish.shown == "markdown":
        del message["images"]
    if not link:
        return
    if wish.shown == "links":
        message["images"] = write_images([Image(uri=link)])
    words = message["content"]
    if isinstance(words, str) and (wish.shown in {"links", "pieces"} or not words):
        message["content"] = f"{words}\n\n![image]({link})" if words else f"![image]({link})"


# --- in events -------------------------------------------------------------------------------------------------------


def events_of(body: Mapping[str, Any], index: int, wish: ChatWish, read: ReadBlob) -> Iterator[dict[str, Any]]:
    """One choice in events, no line of them longer than a bound unless the client wants it so."""
    common = {"id": body["id"], "object": "chat.completion.chunk", "created": body["created"], "model": body["model"]}
    choice = body["choices"][0]

    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**common, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}

    yield event({"role": "assistant", "content": ""})
    for delta in _deltas(choice["message"], wish, read):
        yield event(delta)
    # In an event that clients read anyway: one without any choice is more than some of them bear.
    told = [name for name in ("cavendish", "grounding") if name in body and (index == 0 or name == "grounding")]
    yield {**event({}, choice["finish_reason"]), **{name: body[name] for name in told}}


def usage_event(body: Mapping[str, Any], reply: Done) -> dict[str, Any]:
    """What all of it took, as the last event."""
    common = {"id": body["id"], "object": "chat.completion.chunk", "created": body["created"], "model": body["model"]}
    return {**common, "choices": [], "usage": write_chat_usage(reply.usage)}


def _deltas(message: Mapping[str, Any], wish: ChatWish, read: ReadBlob) -> Iterator[dict[str, Any]]:
    for words in _cut(message.get("reasoning", ""), read):
        yield {"reasoning": words}
    for words in _cut(message["content"], read):
        yield {"content": words}
    for entry in cast("Iterable[dict[str, Any]]", message.get("images", ())):
        url = entry["image_url"]["url"]
        if wish.shown != "pieces" or isinstance(url, str):
            yield {"images": [entry]}
            continue
        for part in _cut(url, read):
            yield {"images": [{**entry, "image_url": {"url": part}}]}
    if "annotations" in message:
        yield {"annotations": message["annotations"]}


def _cut(words: str | Spilled, read: ReadBlob) -> Iterator[str]:
    """A string in pieces of bounded length."""
    pieces = words.pieces if isinstance(words, Spilled) else (words,)
    held = ""
    for piece in joined(pieces):
        for text in _text_of(piece, read):
            held += text
            while len(held) >= LINE_BYTES:
                yield held[:LINE_BYTES]
                held = held[LINE_BYTES:]
    if held:
        yield held


def _text_of(piece: str | Blob, read: ReadBlob) -> Iterator[str]:
    if isinstance(piece, str):
        yield piece
        return
    rest = b""
    for chunk in read(piece):
        data = rest + bytes(chunk)
        whole = len(data) - len(data) % 3
        yield pybase64.b64encode(data[:whole]).decode()
        rest = data[whole:]
    yield pybase64.b64encode(rest).decode()


def shown_to(said: str, agent: str, *, stream: bool) -> Shown:
    """How a client wants pictures: as it says, else as it is known to."""
    word = said.strip().lower()
    if word in SHOWN:
        return word
    return "images" if not stream or _READS_LONG_LINES.search(agent) else "pieces"
