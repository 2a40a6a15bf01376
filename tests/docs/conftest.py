"""The documentation is run with what the commands are tested with: see `tests.commandline`."""

from tests.commandline import cavendish, sim, simulators

__all__ = ["cavendish", "sim", "simulators"]
