"""The documentation is run with what the commands are tested with: see `tests.commandline`."""

from tests.commandline import cavendish, sim, simulators
from tests.docs.gateways import serving

__all__ = ["cavendish", "serving", "sim", "simulators"]
