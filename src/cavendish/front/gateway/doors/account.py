"""The doors to what keys did, and to the keys: ``/v1/usage`` and ``/v1/keys``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson
from aiohttp import web

from ....errors import CavendishError, RequestError
from ....io.desk.allowance import Spent, spent_of
from ....io.desk.keys import KeyEntry, NoSuchKey, Role
from ....io.desk.use import used
from ....model.fault import Fault, FaultKind
from ....wire.openai_error import write_error
from ..jobs.desk import Desk
from ..keys.asking import key_of_wish, question_of, seconds
from ..keys.refusal import forbidden
from ..keys.shown import key_object, names_of_keys, use_csv, use_object
from ..transit.arriving import arriving
from ..wants import ANYBODY, fault_of
from .door import json_response

CSV: Final = "text/csv"
MAX_BODY: Final = 64 << 10


class Account:
    """Answers in OpenAI's form of errors. Who has no key asks as if it had an admin's for use, and for no key."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keeper = desk.keeper

    async def usage(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """Figures of use: one's own; an admin's key sees all, or that of ``?key=NAME``."""
        try:
            question = question_of(request.query, await self._whose_use(caller, request.query.get("of", "")))
            names = names_of_keys(await self._keeper.keys.all())
            lines = await self._desk.books.read(lambda link: used(link, question))
            if request.query.get("format") == "csv" or CSV in request.headers.get("Accept", ""):
                return web.Response(text=use_csv(lines, question, names), content_type=CSV)
            own = await self._standing(caller)
            return json_response({**use_object(lines, question, names), **({"key": own} if own else {})})
        except CavendishError as error:
            return refused(error)

    async def list(self, _request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """Every key."""
        try:
            await self._must_be_admin(caller)
            now = self._desk.clock.now()
            entries = await self._keeper.keys.all()
            return json_response({"object": "list", "data": [key_object(entry, now) for entry in entries]})
        except CavendishError as error:
            return refused(error)

    async def create(self, request: web.Request, _match: re.Match[str], caller: str) -> web.StreamResponse:
        """A new key; the answer has what its holder is to be given, this once."""
        try:
            await self._must_be_admin(caller)
            now, endpoints = self._desk.clock.now(), tuple(self._desk.routes().catalog.endpoints)
            entry = key_of_wish(await _body(request), now, endpoints)
            secret = await self._keeper.keys.create(entry)
            self._keeper.forget()
            return json_response({**key_object(entry, now), "key": secret.reveal()}, 201)
        except CavendishError as error:
            return refused(error)

    async def show(self, _request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """One key, and how its budget stands; everybody may see their own."""
        try:
            entry = await self._named(match["name"], caller)
            return json_response(await self._whole(entry))
        except CavendishError as error:
            return refused(error)

    async def revoke(self, _request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """The key opens nothing any more."""
        try:
            await self._must_be_admin(caller)
            entry = await self._keeper.keys.revoke(match["name"], self._desk.clock.now())
            self._keeper.forget()
            return json_response(await self._whole(await self._keeper.keys.named(entry.id)))
        except CavendishError as error:
            return refused(error)

    async def rotate(self, request: web.Request, match: re.Match[str], caller: str) -> web.StreamResponse:
        """A new secret for the key; its old one may be used for ``grace`` yet."""
        try:
            await self._must_be_admin(caller)
            grace = (await _body(request)).get("grace")
            grace_s = seconds("grace", grace) if grace else 0.0
            entry, secret = await self._keeper.keys.rotate(match["name"], self._desk.clock.now(), grace_s)
            self._keeper.forget()
            return json_response({**key_object(entry, self._desk.clock.now()), "key": secret.reveal()})
        except CavendishError as error:
            return refused(error)

    # --- who may ------------------------------------------------------------------------------------------------------

    async def _must_be_admin(self, caller: str) -> None:
        entry = await self._keeper.entry(caller)
        if entry is None:
            raise forbidden("the first key is made where the gateway runs: cavendish keys create NAME --role admin")
        if entry.role is not Role.ADMIN:
            raise forbidden("only a key with the role admin may see or change other keys")

    async def _whose_use(self, caller: str, name: str) -> str:
        """The id of the key whose use is shown; empty for all."""
        entry = await self._keeper.entry(caller)
        if entry is None or entry.role is Role.ADMIN:
            return (await self._keeper.keys.named(name)).id if name else ""
        if name not in {"", entry.name, entry.id}:
            raise forbidden("only a key with the role admin may see the use of other keys")
        return entry.id

    async def _named(self, name: str, caller: str) -> KeyEntry:
        own = await self._keeper.entry(caller)
        if own is not None and name in {own.name, own.id, "self"}:
            return await self._keeper.keys.named(own.id)
        await self._must_be_admin(caller)
        return await self._keeper.keys.named(name)

    async def _whole(self, entry: KeyEntry) -> dict[str, Any]:
        now, calendar = self._desk.clock.now(), self._desk.books.calendar
        spent: Spent = await self._desk.books.read(lambda link: spent_of(link, entry, calendar, now))
        return key_object(entry, now, spent)

    async def _standing(self, caller: str) -> Mapping[str, Any] | None:
        """The caller's own key, in an answer about its use."""
        entry = None if caller == ANYBODY else await self._keeper.entry(caller)
        return None if entry is None else await self._whole(entry)


async def _body(request: web.Request) -> dict[str, Any]:
    """A small JSON object; nothing is one without anything in it. Raises ``RequestError``."""
    body = b""
    async for piece in arriving(request):
        body += piece
        if len(body) > MAX_BODY:
            raise RequestError("the body is too large")
    try:
        value: Any = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise RequestError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise RequestError("the body is no JSON object")
    return dict(cast("dict[str, Any]", value))


def refused(error: CavendishError) -> web.Response:
    """An error as OpenAI has it."""
    fault = fault_of(error)
    if isinstance(error, NoSuchKey):
        fault = Fault(FaultKind.MODEL_NOT_FOUND, error.message, status=404, reason="key_not_found")
    written = write_error(fault)
    return json_response(written.body, written.status)
