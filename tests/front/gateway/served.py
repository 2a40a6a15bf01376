"""A gateway and its simulator on a loop of their own, asked from outside: so that Hypothesis can stop and go on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from yarl import URL

from cavendish.front.build import Setup
from cavendish.front.gateway.app import Gateway, GatewayOptions
from cavendish.sim.server import start_server
from tests.front.conftest import running_loop

MODEL = "nano-banana-2"


@dataclass(frozen=True)
class Came:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "")

    @property
    def page(self) -> Any:
        return orjson.loads(self.content)


class Served:
    def __init__(self, do: Any, folder: Path) -> None:
        self.do = do
        self.folder = folder
        self.upstream = do(start_server("fast", mode="tiny"))
        setup = Setup(
            {"endpoints.sim.base_url": self.upstream.url, "endpoints.sim.rpm": "100000", "state": str(folder / "state")}
        )
        self.gateway = Gateway(setup, GatewayOptions(folder / "store", port=0, grace_s=1.0))
        do(self.gateway.open())
        self.session = do(self._session())
        self.document = self.ask("GET", "/openapi.json").page

    async def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))

    @property
    def bought(self) -> int:
        """Requests that the provider has had."""
        return self.upstream.sim.stats(0.0, 0.0)["requests"]

    def ask(
        self, method: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None, *, raw: bool = False
    ) -> Came:
        """``raw``: the path goes as it is."""
        return self.do(self._asked(method, URL(self.gateway.url + path, encoded=raw), body, headers or {}))

    async def _asked(self, method: str, url: URL, body: Any, headers: Mapping[str, str]) -> Came:
        async with self.session.request(method, url, data=body, headers=headers) as answer:
            return Came(answer.status, answer.headers.copy(), await answer.read())

    def tell(self, path: str, body: object, **headers: str) -> Came:
        """POST of JSON."""
        data = BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
        return self.ask("POST", path, data, {"Content-Type": "application/json", **headers})

    def close(self) -> None:
        for part in (self.session, self.gateway, self.upstream):
            self.do(part.close())


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    with running_loop() as do:
        made = Served(do, folder)
        try:
            yield made
        finally:
            made.close()
