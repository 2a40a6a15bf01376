"""What holds for every test: no network, no blocked loop, nothing of the user's, and Hypothesis that repeats itself."""

import ipaddress
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import blockbuster
import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# --- Hypothesis -------------------------------------------------------------------------------------------------------

CI = bool(os.environ.get("CI"))

# Timing belongs in bench/, so no deadline, and no complaint of a busy machine that it makes examples slowly. CI finds
# the same examples each time; at a desk each run looks further.
STORE = None if CI else settings.get_profile("default").database
settings.register_profile(
    "default",
    max_examples=40,
    deadline=None,
    derandomize=CI,
    database=STORE,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# --- the network ------------------------------------------------------------------------------------------------------


class NetworkUsed(OSError):
    """A test tried to leave this machine."""


# What was tried since the last test ended. Kept apart from the exception, which code under test may well handle as
# one more connection error.
_left_machine: list[str] = []


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("utf-8", "replace")
    if not isinstance(host, str):
        return host is None
    name = host.rstrip(".").lower()
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


def _guard_network(event: str, args: tuple[object, ...]) -> None:
    # An audit hook sees every socket of the process, those of C libraries that use Python's too. It is called for every
    # audited event, so the common ones leave at the first comparison.
    if not event.startswith("socket."):
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = args[1]
        # A path is a Unix socket; None is a message on a socket already connected.
        host = address[0] if isinstance(address, tuple) and address else None
        used = host is not None and not _is_local(host)
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        # Looking up an address asks nobody.
        host = args[0]
        used = not _is_local(host) and not _is_address(host)
    else:
        return
    if used:
        _left_machine.append(f"{event} {host!r}")
        message = f"a test may not use the network: {event} {host!r}"
        raise NetworkUsed(message)


sys.addaudithook(_guard_network)


@pytest.fixture(autouse=True)
def network_guard() -> Iterator[list[str]]:
    """Fail a test that tried to reach another machine, even if the code under test swallowed the error.

    Gives the list of what was tried; the tests of the guard itself clear it.
    """
    _left_machine.clear()
    yield _left_machine
    if _left_machine:
        tried = ", ".join(dict.fromkeys(_left_machine))
        _left_machine.clear()
        pytest.fail(f"this test tried to use the network: {tried}")


# --- the event loop ---------------------------------------------------------------------------------------------------

_blocked: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _no_blocking_in_the_loop() -> Iterator[None]:
    # Only where cavendish is on the stack: a test may read its own files in passing. Threads have no running loop, so
    # what SQLite and the disk do there is free.
    with pytest.MonkeyPatch.context() as patch:
        original = blockbuster.BlockingError.__init__

        def record(self: blockbuster.BlockingError, func: str) -> None:
            _blocked.append(func)
            original(self, func)

        patch.setattr(blockbuster.BlockingError, "__init__", record)
        with blockbuster.blockbuster_ctx("cavendish") as guard:
            # The slowest call there is, and not among BlockBuster's own.
            for name in ("os.fsync", "os.fdatasync"):
                if hasattr(os, name.partition(".")[2]):
                    guard.functions[name] = blockbuster.BlockBusterFunction(None, name, scanned_modules="cavendish")
                    guard.functions[name].activate()
            for function in guard.functions.values():
                # A virtual loop does on the spot what is sent to a thread.
                function.can_block_in("cavendish/sim/loop.py", "run_in_executor")
                # A few rows and a few kilobytes, in the system's memory: quicker than waking a thread. Never a sync.
                if function not in (guard.functions["os.fsync"], guard.functions.get("os.fdatasync")):
                    function.can_block_in("cavendish/io/state/at_once.py", ("run", "close"))
                    function.can_block_in("cavendish/io/blobs/journaled.py", "_write")
            yield


@pytest.fixture(autouse=True)
def loop_guard() -> Iterator[list[str]]:
    """Fail a test in which cavendish blocked the event loop, even if a handler swallowed the error.

    Gives the list of the calls that did; the tests of the guard itself clear it.
    """
    _blocked.clear()
    yield _blocked
    if _blocked:
        calls = ", ".join(dict.fromkeys(_blocked))
        _blocked.clear()
        pytest.fail(f"a call blocked the event loop: {calls}")


# --- the user's own ---------------------------------------------------------------------------------------------------

_PRIVATE_PREFIXES = ("CAVENDISH_", "GOOGLE_", "GEMINI_", "OPENAI_", "AWS_", "AZURE_")
_PRIVATE_SUFFIXES = ("_API_KEY", "_TOKEN", "_SECRET", "_PROXY", "_BASE_URL", "_KEY")


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # pytest looks through all the folders that it made to number the next one: not for each of thousands of tests.
    root = tmp_path_factory.mktemp("homes")
    return map(root.joinpath, map(str, count()))


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    # No key that could spend money, no proxy that could carry it off, no settings or quota state of whoever runs this.
    # Programs that a test starts inherit it.
    for name in list(os.environ):
        upper = name.upper()
        if upper.startswith(_PRIVATE_PREFIXES) or upper.endswith(_PRIVATE_SUFFIXES):
            monkeypatch.delenv(name)
    home = next(_homes)
    home.mkdir()
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    # Where a system has no such variables.
    monkeypatch.setenv("CAVENDISH_STATE", str(home / "state" / "cavendish"))
