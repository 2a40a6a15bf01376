"""A gateway on a port, in a thread of its own, for what the documentation points at it."""

import asyncio
import threading

import pytest

from cavendish.front.build import Setup
from cavendish.front.gateway.app import Gateway, GatewayOptions


class Served:
    """One gateway at work."""

    def __init__(self, folder):
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._gateway = Gateway(Setup(), GatewayOptions(folder, port=0, grace_s=2.0))
        self._do(self._gateway.open())
        self.url = self._gateway.url

    def _live(self):
        with self._runner:
            self._loop.run_forever()

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self):
        self._do(self._gateway.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def serving(tmp_path, monkeypatch):
    """Opens a gateway where a page says `cavendish serve`, and has the SDKs find it."""
    opened = []

    def serve():
        if not opened:
            opened.append(Served(tmp_path / "gateway"))
            monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", opened[0].url)
            monkeypatch.setenv("OPENAI_BASE_URL", f"{opened[0].url}/v1")

    yield serve
    for gateway in opened:
        gateway.close()
