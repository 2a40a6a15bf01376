"""Sessions against simulated systems over real HTTP, with an ear on what each system is told."""

from dataclasses import dataclass, field

import pytest

from cavendish import AsyncClient
from cavendish.model.call import Open
from cavendish.model.request import Image, ImageRequest, Role
from cavendish.sim.provider import SimProvider

KEY = "key-of-a-test"
PLACES = {
    "google": "",
    "apiyi": "/apiyi",
    "apiyi-chat": "/apiyi/v1",
    "openai": "/openai/v1",
    "bfl": "/bfl",
}
"""Endpoints, and where the simulator has them."""


@dataclass
class Wire:
    """The requests that arrived, as their receivers read them."""

    requests: list[ImageRequest] = field(default_factory=list)

    @property
    def last(self) -> ImageRequest:
        return self.requests[-1]

    def signatures(self, role=Role.MODEL):
        """Those of the last request, in order: small ones as they came, of large ones the hash of their bytes."""
        parts = [part for turn in self.last.turns if turn.role is role for part in turn.parts]
        found = [part.signature for part in parts if part.signature is not None]
        return [one if isinstance(one, str) else one.sha256 for one in found]

    def pictures(self, role=None):
        """The hashes of its pictures."""
        turns = [turn for turn in self.last.turns if role in {None, turn.role}]
        parts = [part for turn in turns for part in turn.parts if isinstance(part, Image)]
        return [part.blob.sha256 for part in parts if part.blob]


@pytest.fixture
def wire(monkeypatch):
    heard = Wire()
    handle = SimProvider.handle

    def listening(self, call, *rest, **named):
        if isinstance(call, Open):
            heard.requests.append(call.request)
        return handle(self, call, *rest, **named)

    monkeypatch.setattr(SimProvider, "handle", listening)
    return heard


def keys_for(url):
    """Settings with a key for each system."""
    return {
        f"endpoints.{name}.{what}": value
        for name, path in PLACES.items()
        for what, value in (("api_key", KEY), ("base_url", url + path))
    }


@pytest.fixture
async def client(server, wire):
    async with AsyncClient(settings=keys_for(server.url)) as client:
        yield client
