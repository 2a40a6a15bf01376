"""Parts of the gateways' benchmark: what its upstream answers, how answers are read, judged, timed and summed up."""

import base64
import json
import os
import socket
import subprocess
import sys

import pytest

from bench import __main__ as command
from bench.gateway import bench, memory, peers
from bench.gateway.answers import Answer, serial
from bench.gateway.load import Found, Load, Target, Wish, percentile
from bench.gateway.rounds import SIZES, Result, Turn
from bench.gateway.standin import HEAD_LETTERS, OPENAI_MODEL, request_length, stand_in
from bench.gateway.tables import tables
from bench.measure import PeerFailed, PeerMissing
from bench.upstream import MODEL, Pictures
from cavendish.front.build import Setup

PICTURES = Pictures("tiny")
LETTERS = base64.b64encode(PICTURES.tail)


def picture(number=7):
    return base64.b64encode(PICTURES.head(number)) + LETTERS


def body(data=None):
    return b'{"created": 1, "data": [{"b64_json": "' + (data or picture()) + b'"}]}'


def response(content=None, status=200, more=b""):
    content = body() if content is None else content
    return b"HTTP/1.1 %d -\r\nContent-Length: %d\r\n%s\r\n" % (status, len(content), more) + content


def chunked(content=None, size=100):
    content = body() if content is None else content
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n"


def read(data, step, letters=LETTERS):
    answer = Answer(letters)
    for at in range(0, len(data), step):
        assert not answer.done
        answer.feed(memoryview(data)[at : at + step])
    return answer


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
@pytest.mark.parametrize("data", [response(), chunked(), chunked(size=1)], ids=["length", "chunks", "chunks of one"])
def test_an_answer_is_right_however_it_is_cut(data, step):
    answer = read(data, step)
    assert (answer.done, answer.fault, answer.picture.number, answer.closes) == (True, "", 7, False)


def test_an_answer_without_a_length_ends_with_its_line():
    answer = read(b"HTTP/1.1 200 OK\r\n\r\n" + body(), 50)
    assert answer.fault == "cut"
    answer.end()
    assert (answer.done, answer.fault, answer.closes) == (True, "", True)


@pytest.mark.parametrize(
    "data, fault",
    [
        (response(b"{}", 500), "status 500"),
        (response(b'{"data": []}'), "no whole picture"),
        (response(b" " * 70_000), "no picture"),
        (response(body(picture()[:-4])), "other letters"),
        (response(body(picture() + b"AAAA")), "more letters"),
        (response(body(picture().replace(LETTERS[-20:], b"A" * 20))), "other letters"),
        (response(body(b"iVBORw0KGgo" + picture()[11:].replace(b"Q29tbWVudA", b"A29tbWVudA", 1))), ""),
        (response(body(b"iVBORw0KGgo" + b"A" * (HEAD_LETTERS - 11) + LETTERS)), "another picture's head"),
        (response()[:-1], "cut"),
        (b"nonsense\r\n\r\n", "cut"),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(data, fault):
    assert Answer(LETTERS).fault == "cut"
    assert read(data, 64).fault == fault or not fault


def test_a_line_that_is_about_to_close_is_noticed():
    assert read(response(more=b"Connection: close\r\n"), 1000).closes


def test_numbers_are_read_from_the_heads_of_pictures():
    assert serial(picture(12_345)[:HEAD_LETTERS]) == 12_345
    assert serial(b"iVBORw0KGgo=") == serial(b"\xff") == 0


@pytest.mark.parametrize(
    "data, length",
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\n", 0),
        (b"GET / HTTP/1.1\r\n\r\nGET", 18),
        (b"POST / HTTP/1.1\r\ncontent-LENGTH:3\r\n\r\nab", 0),
        (b"POST / HTTP/1.1\r\ncontent-LENGTH:3\r\n\r\nabcd", 40),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n", 0),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 60),
    ],
)
def test_where_a_request_ends(data, length):
    assert request_length(data) == length


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with stand_in("tiny", tmp_path_factory.mktemp("upstream")) as running:
        yield running


def ask(upstream, path, *, clients=3, seconds=0.05, letters=None):
    target = Target(upstream.url + path, '{"n": %08d}', {"x-key": "none"})
    wish = Wish(target, "", clients, seconds, patience_s=5.0, first=1)
    return Load(wish, letters or upstream.letters.read_bytes()).run()


@pytest.mark.parametrize("path", [peers.IMAGES_PATH, peers.GEMINI_PATH])
def test_clients_get_pictures_of_their_own_and_the_upstream_counts_them(upstream, path):
    before = upstream.calls()
    found = ask(upstream, path)
    assert (found.faults, found.failed) == ({}, 0)
    assert found.done == len(found.latencies_ms) == upstream.calls() - before >= 3
    assert 0 < min(found.latencies_ms) / 1000 <= found.took_s


def test_wrong_answers_are_counted_and_not_timed(upstream):
    found = ask(upstream, peers.IMAGES_PATH, clients=1, seconds=0.0, letters=b"A" * 40)
    assert (found.done, found.faults, found.latencies_ms) == (0, {"other letters": 1}, [])


def test_who_is_not_done_in_time_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target(f"http://127.0.0.1:{silent.getsockname()[1]}/", "%08d")
        found = Load(Wish(target, "", clients=2, seconds=0.0, patience_s=0.02, first=1), LETTERS).run()
    assert (found.done, found.faults) == (0, {"unfinished": 2})
    assert found.took_s >= 0.02


def test_nobody_there_is_counted():
    wish = Wish(Target(f"http://127.0.0.1:{peers.free_port()}/", "%08d"), "", 2, 0.0, 1.0, 1)
    assert Load(wish, LETTERS).run().faults == {"no connection": 2}


def test_the_body_of_a_request_has_its_number_and_its_length():
    head, _, content = Target("http://h:1/p", '{"n": %08d}', {"a": "b"}).request(5).partition(b"\r\n\r\n")
    assert json.loads(content.replace(b"00000005", b"5")) == {"n": 5}
    assert head.startswith(b"POST /p HTTP/1.1\r\nHost: h:1\r\n")
    assert head.endswith(b"a: b\r\nContent-Length: %d" % len(content))


@pytest.mark.parametrize(
    "values, share, expected",
    [
        ([], 0.5, 0.0),
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 101)), 1.0, 100),
        (list(range(1, 1001)), 0.99, 990),
    ],
)
def test_percentiles_are_values_that_were_there(values, share, expected):
    assert percentile(values, share) == expected


HOLDS = "import sys, time; data = bytearray(b'x' * (int(sys.argv[1]) << 20)); print(1, flush=True); time.sleep(60)"


@pytest.fixture
def holder():
    """Starts a process that holds so many MB, and a child of it that does so, too."""
    shell = f'{sys.executable} -S -c "{HOLDS}" 30 & exec {sys.executable} -S -c "{HOLDS}" 40'
    with subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline()
        assert process.stdout.readline()
        yield process
        for pid in memory.tree(process.pid)[1:]:
            os.kill(pid, 9)
        process.kill()


def test_memory_is_that_of_a_process_and_all_below_it(holder):
    with memory.Watch(holder.pid, most_mb=10_000, every_s=0.001) as watch:
        assert len(memory.tree(holder.pid)) == 2
        assert 70 <= memory.held_mb(memory.tree(holder.pid)) < 120
    assert 70 <= watch.peak_mb < 120
    assert watch.peak_mb >= watch.begin_mb >= 70


def test_a_peak_between_two_samples_is_not_missed():
    peaks = "import sys; print(flush=True); sys.stdin.readline(); bytearray(64 << 20); print(flush=True); input()"
    command = [sys.executable, "-S", "-c", peaks]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        with memory.Watch(process.pid, most_mb=1_000_000, every_s=60.0) as watch:
            print(file=process.stdin, flush=True)
            process.stdout.readline()
        print(file=process.stdin, flush=True)
    assert watch.peak_mb >= watch.begin_mb + 60


def test_processor_time_is_measured_and_a_tree_that_has_ended_holds_nothing():
    with memory.Watch(os.getpid(), most_mb=1_000_000) as watch:
        sum(range(2_000_000))
    assert watch.cpu_s > 0
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    assert (memory.held_mb([gone.pid]), memory.cpu_s([gone.pid]), memory.tree(gone.pid)) == (0, 0, [gone.pid])


def test_what_holds_too_much_is_ended(holder):
    with memory.Watch(holder.pid, most_mb=1.0, every_s=0.001) as watch:
        assert holder.wait(10) == -9
    assert watch.killed


# --- peers ------------------------------------------------------------------------------------------------------------


def gateway_of(key):
    return next(gateway for gateway in peers.GATEWAYS if gateway.key == key)


def start_of(key, folder):
    start = gateway_of(key).start
    assert start
    return start("http://127.0.0.1:9", 1, folder)


def test_a_peer_that_is_not_installed_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.delenv(peers.PORTKEY, raising=False)
    monkeypatch.setenv(peers.LITELLM, str(tmp_path))
    for key, variable in (("portkey", peers.PORTKEY), ("litellm", peers.LITELLM)):
        with pytest.raises(PeerMissing, match=variable):
            start_of(key, tmp_path)


def test_a_gateway_that_does_not_start_is_told_with_what_it_said(tmp_path):
    def start(url, port, folder):
        return peers.Start((sys.executable, "-S", "-c", "raise SystemExit('no such thing')"))

    gateway = peers.Gateway("x", "X", start)
    with (
        pytest.raises(PeerFailed, match="X does not answer: no such thing"),
        peers.serving(gateway, "", tmp_path / "x"),
    ):
        pass


def test_settings_of_ours_are_read_and_lift_every_limit(tmp_path, monkeypatch):
    for name, value in start_of("ours", tmp_path).environment.items():
        monkeypatch.setenv(name, value)
    setup = Setup()
    for endpoint, model, url in (("openai", OPENAI_MODEL, "/v1"), ("google", MODEL, "")):
        settings = setup.settings.endpoints[endpoint]
        assert settings.base_url.value == f"http://127.0.0.1:9{url}"
        limits = setup.catalog.offer(endpoint, model).tiers[settings.tier.value]
        assert min(limits.requests_per_minute, limits.images_per_minute, limits.tokens_per_minute) >= 100_000_000


# --- tables -----------------------------------------------------------------------------------------------------------


def result(key, size, clients, per_s, peak_mb=50.0, faults=None):
    found = Found(per_s, 1.0, [1000 / per_s], faults or {})
    return Result(gateway_of(key), size, clients, [Turn(found, peak_mb, 40.0, 0.5, per_s)])


def test_tables_hold_rates_and_say_which_aims_are_missed():
    rates = {"direct": 1000, "ours": 200, "litellm": 25, "ferrogw": 100}
    results = [result(key, "tiny", 16, rate, 0.0 if key == "direct" else 50.0) for key, rate in rates.items()]
    results += [result(key, "2.4 MB", 8, rate, 160.0) for key, rate in rates.items()]
    tiny, pictures, held = tables(results)
    assert [row[0] for row in tiny.rows] == [peers.DIRECT, "cavendish", "LiteLLM", "ferrogw (Go)"]
    assert tiny.rows[1] == ("cavendish", "200", "4.00; 4.00", "2.50", "0")
    assert [budget.met for table in (tiny, pictures, held) for budget in table.budgets] == [False, True, False]
    assert "**missed**: ten times LiteLLM on tiny bodies; found 8.00× at tiny, 16 clients" in tiny.to_markdown()
    assert held.rows[1] == ("cavendish", "40", "160")


def test_faults_and_pictures_bought_twice_are_shown():
    results = [result("ours", "tiny", 1, 10, faults={"status 500": 2})]
    results[0].turns[0].found.done = 7
    assert tables(results)[0].rows[0][-1] == "2 status 500, 1 bought twice"


def test_a_gateway_that_finished_nothing_is_shown_as_such():
    nothing = result("ferrogw", "20 MB", 64, 1, faults={"unfinished": 64})
    nothing.turns[0].found.done = 0
    rates = tables([result("ours", "20 MB", 64, 5), nothing])[0]
    assert rates.rows[1] == ("ferrogw (Go)", "0.0", "–", "64 unfinished")
    assert [str(budget) for budget in rates.budgets] == [
        "met: ahead of the Go gateway on pictures; found all against none at 20 MB, 64 clients"
    ]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ours_answers_every_request_at_both_doors():
    found = tables_of(bench(quick=True, only=["ours", "ours-gemini", "tiny"]))
    assert set(found) == {peers.DIRECT, "cavendish", "cavendish, Google's doors"}
    assert all(figures[f"failed tiny {clients}"] == 0 for figures in found.values() for clients in (1, 16, 64))


def tables_of(found):
    return {name: figures for table in found for name, figures in table.figures.items()}


@pytest.mark.parametrize("arguments", [["reply", "--only", "ours"], ["gateway", "--only", "nobody"]])
def test_only_is_for_this_benchmark_and_its_own_words(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "direct, ours, ours-gemini" in capsys.readouterr().err
    assert {"tiny", "2.4", "20"} == set(SIZES) == set(command.words()[-3:])
