"""The client for programs without asyncio, and for notebooks."""

import gc
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest

from cavendish import Client, RequestError
from cavendish.model.fault import FaultKind


def settled(what):
    """Whether it comes true within a few seconds."""
    for _ in range(200):
        if what():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def make(far_server):
    def make(**options):
        return Client(via="sim", settings={"endpoints.sim.base_url": far_server.url}, **options)

    return make


def calls(server):
    return server.stats()["requests"]


def test_pictures_for_an_ordinary_program(make, far_server, tmp_path):
    with make() as client:
        result = client.generate("a kite", n=4, output=tmp_path)
    assert (len(result), calls(far_server)) == (4, 4)
    assert {picture.image().size for picture in result} == {(1024, 1024)}
    assert [picture.path.name for picture in result] == sorted(picture.path.name for picture in result)


def test_no_thread_is_left(make, tmp_path):
    before = set(threading.enumerate())
    with make() as client:
        client.generate("a kite", output=tmp_path)
        assert set(threading.enumerate()) - before
    assert set(threading.enumerate()) - before == set()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.generate("a kite", output=tmp_path)


def test_settings_that_cannot_be_leave_no_thread():
    before = set(threading.enumerate())
    with pytest.raises(RequestError, match="colour"):
        Client(colour="red")
    assert set(threading.enumerate()) - before == set()


def test_a_stream_gives_pictures_and_then_the_result(make, tmp_path):
    with make(concurrency=1) as client:
        stream = client.stream("a kite", n=3, output=tmp_path)
        with pytest.raises(RuntimeError, match="when all pictures"):
            _ = stream.result
        seen = [picture.sha256 for picture in stream]
        assert sorted(seen) == sorted(picture.sha256 for picture in stream.result)


def test_a_stream_that_is_closed_buys_no_more(make, far_server, tmp_path):
    with make(concurrency=1) as client, client.stream("a kite", n=60, output=tmp_path) as stream:
        next(stream)
        stream.close()
        bought = calls(far_server)
        assert len(stream.result) == bought < 60
        assert stream.result.stopped.kind is FaultKind.CANCELLED


def test_a_loop_that_is_left_in_the_middle_buys_no_more(make, far_server, tmp_path):
    with make(concurrency=1) as client:
        for _ in client.stream("a kite", n=60, output=tmp_path):
            break
        gc.collect()
        assert settled(lambda: not client._client._at_work)
        assert calls(far_server) < 60


def test_many_threads_may_share_a_client(make, far_server, tmp_path):
    results = {}
    with make() as client:

        def draw(name):
            results[name] = client.generate(f"a kite {name}", n=2, output=tmp_path / str(name))

        threads = [threading.Thread(target=draw, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(results[name]) for name in range(4)] == [2] * 4
    assert calls(far_server) == 8


def test_on_picture_hears_of_every_picture_but_cannot_call_the_client(make, tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("a kite\na cat\n")
    seen, refused = [], []
    with make() as client:

        def on_picture(picture):
            seen.append(picture.prompt)
            with pytest.raises(RuntimeError, match="on_picture") as caught:
                client.generate("a dog", output=tmp_path / "other")
            refused.append(caught.value)

        summary = client.batch(rows, output=tmp_path / "run", on_picture=on_picture)
    assert (sorted(seen), len(refused), summary.delivered) == (["a cat", "a kite"], 2, 2)


# --- programs -------------------------------------------------------------------------------------------------------

START = """
import asyncio
from cavendish import Client
make = lambda: Client(via="sim", settings={{"endpoints.sim.base_url": {url!r}}})
folder = {folder!r}
"""


@pytest.fixture
def program(far_server, tmp_path):
    """Starts a program of its own that was given a way to make a client, and a folder."""
    running = []

    def start(text):
        text = START.format(url=far_server.url, folder=str(tmp_path)) + text
        command = [sys.executable, "-W", "error", "-c", text]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


FORGETFUL = """
client = make()
print(len(client.generate("a kite", n=2, output=folder)))
"""
NOTEBOOK = """
async def cell():
    with make() as client:
        print(len(client.generate("a kite", n=2, output=folder)) + len(list(client.stream("a cat", n=2))))
asyncio.run(cell())
"""
PATIENT = """
with make() as client:
    client.generate("a kite [sim:latency=60]", n=3, concurrency=2, output=folder)
"""


@pytest.mark.parametrize("text, printed", [(FORGETFUL, "2\n"), (NOTEBOOK, "4\n")], ids=["never closed", "notebook"])
def test_it_needs_no_with_and_minds_no_loop(program, text, printed):
    process = program(text)
    assert (*process.communicate(timeout=50), process.returncode) == (printed, "", 0)


def test_ctrl_c_once_finishes_what_is_in_flight(program, make, far_server, tmp_path):
    process = program(PATIENT.replace("latency=60", "latency=2"))
    assert settled(lambda: far_server.stats()["in_flight"] == 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert err.strip().endswith("KeyboardInterrupt")
    with make() as client:
        result = client.generate("a kite [sim:latency=2]", n=3, output=tmp_path)
    assert (len(result), result.unknown_cost) == (3, 0)
    assert calls(far_server) == 3


def test_ctrl_c_twice_gives_up_what_is_in_flight_and_keeps_it_on_the_books(program, make, far_server, tmp_path):
    process = program(PATIENT)
    assert settled(lambda: far_server.stats()["in_flight"] == 2)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert err.strip().endswith("KeyboardInterrupt")
    assert "never" not in err
    with make() as client:
        result = client.generate("a kite [sim:latency=60]", n=3, output=tmp_path, max_cost=0)
    assert (len(result), result.stopped.kind) == (0, FaultKind.BUDGET)
    assert result.unknown_cost > 0
    assert calls(far_server) == 2


def test_without_with_it_can_be_closed_by_hand(make, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = make()
        assert len(client.generate("a kite", output=tmp_path)) == 1
        client.close()
        del client
        gc.collect()
