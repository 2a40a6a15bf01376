"""What the commands are run with: see `tests.commandline`."""

from tests.commandline import cavendish, sim, simulators

__all__ = ["cavendish", "sim", "simulators"]
