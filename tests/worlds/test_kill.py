"""Kill -9: the real command line over loopback, killed again and again, and in the end complete.

Nothing that arrived is lost, nothing is bought twice but what was in flight at a kill, and the books agree with the
simulator's.
"""

import random
import signal
from dataclasses import replace

import pytest

from cavendish.catalog.cards import Latency
from cavendish.model.money import nusd
from cavendish.sim.faults import Mishap
from cavendish.sim.profile import load_profile
from tests.worlds.programs import Simulator, begin, look

pytestmark = [pytest.mark.worlds, pytest.mark.timeout(180)]

ROWS = 80
CONCURRENCY = 8
KILLS = 4
DEAREST = nusd("0.20")
"""More than one call of the default model can cost, drafts included."""


@pytest.fixture
def simulator():
    """Calls that take a moment, some of which go wrong."""
    faults = {
        Mishap.NO_IMAGE: 0.02,
        Mishap.DROPPED: 0.02,
        Mishap.CUT: 0.03,
        Mishap.OVERLOADED: 0.02,
        Mishap.DRAFTS: 0.05,
        Mishap.THOUGHTS: 0.05,
    }
    simulator = Simulator(replace(load_profile("fast"), latency={"any": Latency(0.08, 0.2)}, faults=faults))
    yield simulator
    simulator.close()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_killed_again_and_again_and_complete_in_the_end(simulator, tmp_path, seed):
    dice = random.Random(seed)
    rows, folder = tmp_path / "rows.csv", tmp_path / "run"
    rows.write_text("prompt\n" + "\n".join(f"a kite over hill {i % 30}" for i in range(ROWS)) + "\n", "utf-8")
    command = ("batch", rows, "-o", folder, "--via", "sim", "-p", CONCURRENCY, "--quiet")
    kills = 0
    for _ in range(KILLS):
        program = begin(simulator, *command)
        simulator.wait_for(simulator.stats["requests"] + dice.randint(1, ROWS // KILLS), program)
        program.send_signal(signal.SIGKILL)
        program.communicate()
        kills += program.returncode == -signal.SIGKILL
    last = begin(simulator, *command)
    said = last.communicate(timeout=120)
    assert last.returncode == 0, said
    assert kills >= KILLS - 1
    left = look(folder, ROWS)
    stats = simulator.stats
    cut = sum(stats["refused"].get(word, 0) for word in ("dropped", "cut"))
    assert left.unknown <= kills * CONCURRENCY + cut, "lost: what was in flight at a kill, or on a line that broke"
    assert stats["pictures"] <= left.delivered + left.unknown, "bought again: what was lost, and nothing else"
    assert left.billed_nusd <= stats["billed_nusd"] <= left.billed_nusd + left.unknown * DEAREST

    again = begin(simulator, *command)
    again.communicate(timeout=120)
    assert again.returncode == 0
    assert simulator.stats["requests"] == stats["requests"], "what is complete is not asked for again"


def test_interrupted_politely_nothing_at_all_is_lost(simulator, tmp_path):
    folder = tmp_path / "run"
    command = ("generate", "a kite", "-n", 60, "-o", folder, "--via", "sim", "-p", CONCURRENCY, "--quiet")
    program = begin(simulator, *command)
    simulator.wait_for(20, program)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=60)
    assert program.returncode == 130
    last = begin(simulator, "resume", folder, "--quiet")
    said = last.communicate(timeout=120)
    assert last.returncode == 0, said
    left = look(folder, 60)
    stats = simulator.stats
    assert left.unknown <= sum(stats["refused"].get(word, 0) for word in ("dropped", "cut"))
    assert stats["pictures"] <= left.delivered + left.unknown
