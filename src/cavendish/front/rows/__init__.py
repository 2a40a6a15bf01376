"""Rows: batch inputs (CSV, TSV, JSON Lines, JSON, text, Parquet, provider batch files) as streams of requests.

Memory does not grow with the file. A file of up to ``CHECKED_ROWS`` rows is read through once before its first row is
handed out, so that a mistake costs nothing; a longer one is checked as it is read, and a broken row then ends the run
cleanly, to be resumed when it is mended. Must not know engines, providers' addresses, keys or prices.
"""

from .intake import Intake
from .options import RowDefaults, RowOptions
from .source import CHECKED_ROWS, Row, RowSource, open_rows
from .template import parse_grid

__all__ = ["CHECKED_ROWS", "Intake", "Row", "RowDefaults", "RowOptions", "RowSource", "open_rows", "parse_grid"]
