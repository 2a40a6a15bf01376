"""Ctrl-C and kill: the first lets what is in flight end, the second ends at once, and both can be resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def start(*arguments):
    command = [sys.executable, "-m", "cavendish", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def wait_for_calls(sim, count):
    for _ in range(600):
        if sim.calls >= count:
            return
        time.sleep(0.05)
    pytest.fail("the run made no calls")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_finishes_what_is_in_flight(sim, cavendish, number):
    Path("p.csv").write_text(
        "prompt\n" + "".join(f"picture {i} [sim:latency=0.3]\n" for i in range(60)), encoding="utf-8"
    )
    process = start("batch", "p.csv", "-o", "run", "-p", 3)
    wait_for_calls(sim, 3)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "cavendish resume run" in said
    made = sim.stats
    status = cavendish("status", "run", "--json").json
    assert made["pictures"] == status["delivered"]
    assert 0 < status["left"] < 60
    assert status["unknown_attempts"] == 0


def test_twice_ends_at_once_and_tells_what_is_unknown(sim, cavendish):
    Path("p.csv").write_text(
        "prompt\n" + "".join(f"picture {i} [sim:latency=30]\n" for i in range(6)), encoding="utf-8"
    )
    process = start("batch", "p.csv", "-o", "run", "-p", 2)
    wait_for_calls(sim, 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - began < 20
    status = cavendish("status", "run", "--json").json
    assert (status["delivered"], status["left"]) == (0, 6)
    assert status["unknown_attempts"] == 2
