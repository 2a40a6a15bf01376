"""Talking: doors through which conversations come, with what their clients could not keep put back into them."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from ....catalog.fit import insist
from ....io.desk.signed import Signed
from ....model.fault import Fault
from ....model.request import ImageRequest, Role, Text
from ....wire.dialect import Dialect
from ...routes import Routes
from ..batches.files import Files
from ..jobs.desk import Desk
from ..talks.recall import Album, Recall, drawn, whole_ones, with_own_names
from ..transit.intake import Intake
from ..wants import Asked, Refused
from .door import Door
from .wishes import in_its_words, lifted


class Talking(Door):
    """A door through which conversations come whose format has no place for thought signatures.

    ``files`` are what requests may refer to.
    """

    def __init__(self, dialect: Dialect, desk: Desk, intake: Intake, files: Files, *, ending: bytes = b"") -> None:
        super().__init__(dialect, desk, intake, ending=ending)
        self._files = files

    async def prepared(self, request: web.Request, asked: Asked) -> Asked:
        """What is asked, with the pictures of files and the signatures of earlier pictures.

        Raises ``CavendishError``.
        """
        asked = await super().prepared(request, asked)
        if _is_words(asked.request):
            return self.worded(asked, self.desk.routes())
        found = await self._files.referenced(asked.request, asked.caller)
        if isinstance(found, Fault):
            raise Refused(found)
        desk = self.desk
        album = Album(desk.books, desk.links, asked.caller, desk.links.base(request), desk.clock.now())
        placed = await album.placed(found)
        brought = await desk.brought(await self.with_own_names(found, placed.request))
        return await self._recalled(replace(asked, request=brought, notices=(*asked.notices, *placed.notices)))

    async def _recalled(self, asked: Asked) -> Asked:
        routes = self.desk.routes()
        asked = self.worded(asked, routes)
        if not self.forgets(asked.request, routes):
            return asked
        known = await Signed(self.desk.books).find(asked.caller, drawn(asked.request.turns))
        carried = Recall(routes, await whole_ones(known, self.desk.blobs)).recalled(asked.request)
        if asked.strict:
            insist(carried.notices)
        request = await self.with_own_names(asked.request, carried.request)
        return replace(asked, request=request, notices=(*asked.notices, *carried.notices))

    async def with_own_names(self, before: ImageRequest, after: ImageRequest) -> ImageRequest:
        """The request with files of its own, also of what was put into it since."""
        return await with_own_names(self.desk.blobs, before, after, self.desk.fresh_id())

    def worded(self, asked: Asked, routes: Routes) -> Asked:
        """What is asked, in the words of its model."""
        return in_its_words(replace(asked, request=lifted(asked.request)), routes)

    def forgets(self, request: ImageRequest, routes: Routes) -> bool:  # noqa: ARG002 - other doors look at it
        """Whether something may be missing in a conversation, so that it is compared with what is known of it."""
        return True


def _is_words(request: ImageRequest) -> bool:
    """Whether there is nothing in a request but what a user says: no picture to find, and nothing to remember."""
    turns = request.turns
    return len(turns) == 1 and turns[0].role is Role.USER and all(isinstance(part, Text) for part in turns[0].parts)
