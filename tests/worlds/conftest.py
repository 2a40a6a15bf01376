"""Which worlds are played: those of a test, or the one that ``--world-seed`` or ``CAVENDISH_WORLD_SEED`` names.

The option is known when this folder is named: ``pytest tests/worlds --world-seed=123``.
"""

import os

SEED_VARIABLE = "CAVENDISH_WORLD_SEED"


def pytest_addoption(parser):
    parser.addoption("--world-seed", type=int, help="play the world of this seed alone")


def pytest_generate_tests(metafunc):
    """A test that takes ``seeds`` is run once for each of its module's ``CHUNKS[test name]``."""
    if "seeds" not in metafunc.fixturenames:
        return
    chunks = metafunc.module.CHUNKS[metafunc.function.__name__]
    chosen = metafunc.config.getoption("--world-seed", None)
    if chosen is None and SEED_VARIABLE in os.environ:
        chosen = int(os.environ[SEED_VARIABLE])
    if chosen is not None:
        chunks = (range(chosen, chosen + 1),)
    metafunc.parametrize("seeds", chunks, ids=[f"{chunk.start}-{chunk.stop - 1}" for chunk in chunks])
