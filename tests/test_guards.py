"""The guards of conftest.py are guards: each is seen to catch what it is there for."""

import asyncio
import os
import socket
import time
import types
from pathlib import Path

import blockbuster
import pytest

import cavendish


def in_cavendish(source: str) -> types.FunctionType:
    """A function `f` whose code claims to stand in the package: BlockBuster goes by the file name of the frame."""
    assert cavendish.__file__
    namespace: dict[str, object] = {"os": os, "time": time}
    exec(compile(source, str(Path(cavendish.__file__).with_name("pretended.py")), "exec"), namespace)
    function = namespace["f"]
    assert isinstance(function, types.FunctionType)
    return function


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443)])
def test_a_connection_to_another_machine_is_stopped_and_remembered(address, network_guard):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(OSError, match="may not use the network"):
        sock.connect(address)
    assert len(network_guard) == 1
    network_guard.clear()


def test_a_name_is_not_looked_up(network_guard):
    with pytest.raises(OSError, match="may not use the network"):
        socket.create_connection(("images.example", 443))
    assert network_guard == ["socket.getaddrinfo 'images.example'"]
    network_guard.clear()


async def test_asyncio_is_guarded_too(network_guard):
    with pytest.raises(OSError, match="may not use the network"):
        await asyncio.open_connection("192.0.2.1", 443)
    network_guard.clear()


async def test_this_machine_can_be_reached(network_guard):
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert network_guard == []


@pytest.mark.parametrize("body", ["time.sleep(0)", "os.fsync(0)", "os.listdir('.')"])
async def test_a_blocking_call_in_the_loop_is_stopped_and_remembered(body, loop_guard):
    with pytest.raises(blockbuster.BlockingError):
        in_cavendish(f"def f(): {body}")()
    assert len(loop_guard) == 1
    loop_guard.clear()


async def test_a_thread_may_block(loop_guard):
    await asyncio.to_thread(in_cavendish("def f(): time.sleep(0)"))
    assert loop_guard == []


def test_a_guard_fails_the_test_even_if_the_error_is_swallowed(pytester):
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyprojecttoml("[tool.pytest]\nasyncio_mode = 'auto'\n")
    pytester.makepyfile(
        """
        import contextlib
        import socket

        def test_swallow():
            with contextlib.suppress(OSError):
                socket.create_connection(("192.0.2.1", 443), timeout=1)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*tried to use the network*192.0.2.1*"])


def test_keys_are_hidden():
    assert not [name for name in os.environ if name.endswith("_API_KEY")]


def test_the_home_folder_is_not_the_users():
    assert Path.home().parent.name.startswith("homes")
