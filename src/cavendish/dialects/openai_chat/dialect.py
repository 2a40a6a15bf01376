"""OpenaiChatDialect: chat/completions of relays and of OpenRouter, for models that draw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from ...model.call import Call, Done, Fetch, Open, Reply
from ...model.fault import Fault, FaultKind
from ...model.request import Notice
from ...wire.fetched import read_fetch, read_fetched, write_fetched, write_unfetched
from ...wire.message import WireRequest, WireResponse
from ...wire.openai_error import fault_in, no_such_path, write_error
from .asked import read_body
from .asking import left_out, write_open
from .messages import Unreadable
from .reply import read_answer
from .said import is_refusal, write_done, write_refused
from .spelling import Answers, History, Spelling, Thinking, Where

_PATH: Final = re.compile(r"(?:https?://[^/?#]+)?(?:/[\w./-]{0,200})?/chat/completions")


@dataclass(frozen=True, slots=True)
class OpenaiChatDialect:
    """OpenAI's chat format with pictures. Paths are relative to a base URL that ends in the version.

    ``size_in`` and ``ratio_in`` say where the size and the ratio go: ``image_config`` (OpenRouter), ``google`` for
    ``extra_body.google.image_config`` (new-api and its kin), ``top`` for members of the body, ``suffix`` of the model's
    id (sizes alone), or ``none``. ``thinking_in``: ``effort`` for ``reasoning_effort``, ``google`` for
    ``extra_body.google.thinking_config``, or ``none``. ``history``: where a model's pictures of earlier turns go:
    ``images`` beside its words, ``markdown`` among them, or with the next turn of the ``user``. ``modalities``: whether
    pictures must be asked for. ``members`` names further members of a body that an endpoint's servers know.
    ``answers``: where the pictures of an answer are written. All of these places are read whatever the options are.

    There are no stored jobs, so a ``Poll`` or ``Cancel`` cannot be written (``ValueError``), and is never read.
    """

    size_in: Where = "image_config"
    ratio_in: Where = "image_config"
    thinking_in: Thinking = "effort"
    history: History = "images"
    modalities: bool = False
    members: Sequence[str] = ()
    answers: Answers = "images"

    def __post_init__(self) -> None:
        self._spelling.check()
        if self.answers not in get_args(Answers):
            raise TypeError(f"answers: no such way: {self.answers!r}")

    @property
    def name(self) -> str:
        """``openai_chat``."""
        return "openai_chat"

    @property
    def _spelling(self) -> Spelling:
        return Spelling(self.size_in, self.ratio_in, self.thinking_in, self.history, self.modalities)

    def write_call(self, call: Call) -> WireRequest:
        """The call as it goes over the wire. Raises ``ValueError`` for a ``Poll`` or ``Cancel``."""
        match call:
            case Open():
                return write_open(call, self._spelling, self.members)
            case Fetch(url):
                return WireRequest("GET", url)
            case _:
                raise ValueError(f"a chat has no stored jobs: {type(call).__name__} cannot be said")

    def unsupported(self, call: Call) -> tuple[Notice, ...]:
        """What this format has no way to say: searches, quality, the use of a reference, thought signatures."""
        return left_out(call.request, self._spelling, self.members) if isinstance(call, Open) else ()

    def read_reply(self, response: WireResponse, call: Call) -> Done | Fault:
        """What the answer means. Never raises."""
        return read_answer(response, call) if isinstance(call, Open) else read_fetched(response)

    def read_call(self, request: WireRequest) -> Open | Fetch | Fault:
        """What a client asks for; a request that OpenAI would refuse is the fault of that refusal. Never raises."""
        if request.method.upper() == "GET":
            return read_fetch(request)
        if request.method.upper() != "POST" or not _PATH.fullmatch(request.path):
            return no_such_path(request)
        try:
            return read_body(request.body, self._spelling)
        except Unreadable as error:
            return Fault(FaultKind.INVALID_REQUEST, str(error), reason=error.code, status=400)

    def write_reply(self, reply: Reply, call: Call) -> WireResponse:
        """The reply as a chat says it, in events when the call is streamed.

        A stream that fails at once is answered with the plain error.
        """
        if isinstance(call, Fetch):
            return write_fetched(reply) if isinstance(reply, Done) else write_unfetched(fault_in(reply))
        stream = isinstance(call, Open) and call.stream
        if isinstance(reply, Done) and reply.pictures:
            return write_done(reply, self.answers, stream=stream)
        fault = fault_in(reply)
        return write_refused(fault, stream=stream) if is_refusal(fault) else write_error(fault)
