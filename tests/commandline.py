"""A simulator on a port, in a thread of its own, and a command line that is run as a person would."""

import asyncio
import json
import threading
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest

from cavendish.front.cli import main
from cavendish.sim.server import start_server


class Simulator:
    """One simulator; ``stats`` is what it says it did."""

    def __init__(self, profile: str) -> None:
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._server = self._do(start_server(profile))
        self.url = self._server.url

    def _live(self) -> None:
        # Leaving the runner cancels what is left.
        with self._runner:
            self._loop.run_forever()

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    @property
    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/stats") as reply:
            return json.load(reply)

    @property
    def calls(self) -> int:
        return self.stats["requests"]

    def close(self) -> None:
        self._do(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def simulators():
    """Makes simulators by profile, and ends them."""
    made: list[Simulator] = []

    def make(profile: str = "fast") -> Simulator:
        made.append(Simulator(profile))
        return made[-1]

    yield make
    for simulator in made:
        simulator.close()


@pytest.fixture
def sim(simulators, monkeypatch, tmp_path):
    """The simulator that answers when there is no key, and a current folder of the test's own."""
    simulator = simulators()
    monkeypatch.setenv("CAVENDISH_SIM_BASE_URL", simulator.url)
    monkeypatch.chdir(tmp_path)
    return simulator


@dataclass
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cavendish(capsys):
    """Runs a command."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run
