"""Load: clients that ask one picture after another, and look at every letter of what they get.

``python -m bench.gateway.load`` reads a wish as a line of JSON, carries it out, and prints what it found as another.
One loop over ``epoll``, so that asking takes little of what the gateway needs.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..measure import ROOT, PeerFailed
from .answers import Answer

READ_BYTES = 1 << 20
CONNECT_S = 10.0


@dataclass(frozen=True)
class Target:
    """Where and how to ask. ``body`` holds ``%08d`` where each request has its own number."""

    url: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, number: int) -> bytes:
        parts = urlsplit(self.url)
        body = (self.body % number).encode()
        lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@dataclass(frozen=True)
class Wish:
    """After ``seconds`` nobody begins another request; who is not done ``patience_s`` later is given up."""

    target: Target
    letters: str
    clients: int
    seconds: float
    patience_s: float
    first: int


@dataclass
class Found:
    """What came. ``faults``: how many answers were wrong, by what was wrong; ``took_s``: until the last answer came or
    was given up.
    """

    done: int
    took_s: float
    latencies_ms: list[float]
    faults: dict[str, int]

    @property
    def failed(self) -> int:
        return sum(self.faults.values())


class Client:
    """Has one line open and one request on it."""

    def __init__(self, target: Target, letters: bytes) -> None:
        self._target, self._letters = target, letters
        parts = urlsplit(target.url)
        self.sock = socket.create_connection((parts.hostname, parts.port), CONNECT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.answer = Answer(letters)
        self.asked_at = 0.0

    def ask(self, number: int) -> None:
        self.answer = Answer(self._letters)
        self.asked_at = time.perf_counter()
        self.sock.sendall(self._target.request(number))


class Load:
    """Carries out one wish."""

    def __init__(self, wish: Wish, letters: bytes) -> None:
        self._wish, self._letters = wish, letters
        self._numbers = count(wish.first)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._seen: set[int] = set()
        self._faults: Counter[str] = Counter()
        self._latencies_ms: list[float] = []

    def run(self) -> Found:
        idle = [client for _ in range(self._wish.clients) if (client := self._connect())]
        began = last = time.perf_counter()
        self._until = began + self._wish.seconds
        for client in idle:
            self._begin(client)
        give_up = self._until + self._wish.patience_s
        while self._clients and (now := time.perf_counter()) < give_up:
            for number, _ in self._poll.poll(give_up - now):
                if self._read(self._clients[number]):
                    last = time.perf_counter()
        if self._clients:
            self._faults["unfinished"] += len(self._clients)
            last = time.perf_counter()
        for client in self._clients.values():
            client.sock.close()
        return Found(len(self._latencies_ms), last - began, self._latencies_ms, dict(self._faults))

    def _connect(self) -> Client | None:
        try:
            return Client(self._wish.target, self._letters)
        except OSError:
            self._faults["no connection"] += 1
            return None

    def _begin(self, client: Client) -> None:
        """Ask, and listen."""
        client.ask(next(self._numbers))
        self._clients[client.sock.fileno()] = client
        self._poll.register(client.sock, select.EPOLLIN)

    def _read(self, client: Client) -> bool:
        """Take what there is. True when an answer is complete."""
        try:
            length = client.sock.recv_into(self._buffer)
        except ConnectionError:
            length = 0
        if length:
            client.answer.feed(self._buffer[:length])
        else:
            client.answer.end()
        if length and not client.answer.done:
            return False
        self._settle(client)
        return True

    def _settle(self, client: Client) -> None:
        now = time.perf_counter()
        answer = client.answer
        if fault := answer.fault or ("given twice" if answer.picture.number in self._seen else ""):
            self._faults[fault] += 1
        else:
            self._latencies_ms.append((now - client.asked_at) * 1000)
        self._seen.add(answer.picture.number)
        if now < self._until and not answer.closes:
            client.ask(next(self._numbers))
            return
        self._poll.unregister(client.sock)
        del self._clients[client.sock.fileno()]
        client.sock.close()
        if now < self._until and (fresh := self._connect()):
            self._begin(fresh)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all is not above. Of none: 0."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)] if ordered else 0.0


# --- from outside -----------------------------------------------------------------------------------------------------


class Loader:
    """A process that carries out wishes, one after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._first = 1

    def run(self, target: Target, letters: Path, clients: int, seconds: float, patience_s: float = 0.0) -> Found:
        """Never asks for the same picture twice."""
        wish = Wish(target, str(letters), clients, seconds, patience_s, self._first)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(wish)) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        if not told:
            raise PeerFailed("the clients have ended; what they said stands above")
        found = Found(**json.loads(told))
        self._first += found.done + found.failed
        return found


@contextmanager
def loader() -> Iterator[Loader]:
    command = [sys.executable, "-m", "bench.gateway.load"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) as process:
        try:
            yield Loader(process)
        finally:
            process.terminate()


def main() -> None:
    files: dict[str, bytes] = {}
    for line in sys.stdin:
        told: dict[str, Any] = json.loads(line)
        wish = Wish(**{**told, "target": Target(**told["target"])})
        if wish.letters not in files:
            files = {wish.letters: Path(wish.letters).read_bytes()}
        gc.disable()
        found = Load(wish, files[wish.letters]).run()
        gc.enable()
        print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    main()
