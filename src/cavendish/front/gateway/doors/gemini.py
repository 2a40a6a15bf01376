"""The door for Google's API: generateContent, streamGenerateContent, countTokens and predict, as all its SDKs ask."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

import orjson
from aiohttp import web

from ....dialects.gemini.asked import read_count
from ....dialects.gemini.usage import write_count
from ....errors import CavendishError
from ....model.call import Done, Open, Reply
from ....model.fault import Fault, FaultKind
from ....model.request import Image, ImageRequest, Role, Turn
from ....plan.estimate import input_tokens
from ...routes import Routes, dialect_of
from ...session.carry import Target
from ..jobs.answer import outward
from ..wants import Answer, Asked, Refused, fault_of
from .door import ANY, is_strict, json_response, missing_of
from .talking import Talking
from .wishes import in_its_words

_ESTIMATED: Final = {
    "code": "estimated",
    "text": "tokens are estimated by length: no provider was asked",
    "field": "totalTokens",
}


class GeminiDoor(Talking):
    """Google's wire format: each picture is a candidate."""

    async def prepared(self, request: web.Request, asked: Asked) -> Asked:
        """What is asked, as its model can be asked."""
        if fault := too_many(asked.request.n, self.desk.rules.max_n):
            raise Refused(fault)
        return await super().prepared(request, asked)

    def worded(self, asked: Asked, routes: Routes) -> Asked:
        """What is asked, in the words of its model."""
        return in_its_words(asked, routes)

    def forgets(self, request: ImageRequest, routes: Routes) -> bool:
        """Whether the model must be told otherwise what was said before: Google's clients mostly keep all of it."""
        if all(turn.role is Role.USER for turn in request.turns):
            return False
        resolved = routes.resolve(request.model)
        target = Target.common([Target.of(route, dialect_of(route)) for route in resolved])
        return not target.signs or (target.insists and any(map(_is_unsigned, request.turns)))

    def made(self, answer: Answer) -> Reply:
        """What came of a job: a candidate for each picture also where Google refused them all."""
        reply = super().made(answer)
        if not isinstance(reply, Fault) or reply.kind is FaultKind.PROMPT_BLOCKED or not self._is_an_answer(reply):
            return reply
        missing = tuple(map(outward, answer.faults))
        usage, notices = reply.usage, answer.notices
        return Done((), (), usage=usage, response_id=answer.job_id, shortfall=missing, notices=notices)

    def reply(self, answer: Answer, request: web.Request) -> Reply:
        """The reply; an error in any case to who asked for all or nothing."""
        reply = super().reply(answer, request)
        if not isinstance(reply, Fault) or not is_strict(request.headers) or not self._is_an_answer(reply):
            return reply
        told = missing_of(answer).message
        return Fault(FaultKind.INVALID_REQUEST, told, status=400, reason="FAILED_PRECONDITION", usage=reply.usage)

    def _is_an_answer(self, fault: Fault) -> bool:
        """Whether Google says this with status 200, which no client takes for an error."""
        return self.dialect.write_reply(fault, ANY).status == 200

    async def count(self, request: web.Request, match: re.Match[str], _caller: str) -> web.StreamResponse:
        """How many tokens a request comes to: an estimate, for nobody is asked."""
        own_id = self.desk.fresh_id()
        wire = await self.intake.read(request, request.path, own_id)
        self.intake.drop(own_id)
        asked = wire if isinstance(wire, Fault) else read_count(wire, unquote(match["model"]))
        if isinstance(asked, Fault):
            return await self.refuse(request, asked)
        try:
            card = self.desk.routes().resolve(asked.model)[0].card
        except CavendishError as error:
            return await self.refuse(request, fault_of(error))
        pictures = sum(isinstance(part, Image) for turn in asked.turns for part in turn.parts) * card.tokens.reference
        told = write_count(input_tokens(asked, card) - pictures, pictures)
        return json_response(told, headers={"x-cavendish-notices": orjson.dumps([_ESTIMATED]).decode()})

    def streams(self, request: web.Request) -> bool:
        """Google sends events to who asks for them with ``alt=sse``, and a JSON list to others."""
        return request.query.get("alt") == "sse"

    def piece(self, reply: Reply, call: Open, index: int) -> list[Any]:
        """The candidate's parts. How it ended is told at the end, with all others."""
        *said, _ending = self.dialect.write_reply(reply, call).body
        for event in said:
            for candidate in event["candidates"]:
                candidate["index"] = index
        return said

    def closing(self, reply: Reply, call: Open, sent: int) -> list[Any]:  # noqa: ARG002 - each was told its number
        """How each candidate ended, missing ones too, and the usage; an error of ours when it all broke."""
        if isinstance(reply, Done):
            return [self.dialect.write_reply(reply, call).body[-1]]
        return [self.dialect.write_reply(reply, replace(call, stream=False)).body]


def _is_unsigned(turn: Turn) -> bool:
    pictures = (part for part in turn.parts if isinstance(part, Image) and not part.thought)
    return turn.role is Role.MODEL and any(picture.signature is None for picture in pictures)


def too_many(n: int, most: int) -> Fault | None:
    """Why so many pictures cannot be asked for at once."""
    if n <= most:
        return None
    message = f"Invalid value at 'generation_config.candidate_count': at most {most} are made here, not {n}"
    return Fault(FaultKind.INVALID_REQUEST, message, reason="INVALID_ARGUMENT", status=400)
