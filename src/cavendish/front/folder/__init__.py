"""What a run folder shows: ``metadata.jsonl``, ``failures.jsonl``, the contact sheet ``index.html``, and the summary.

All of it is drawn from outcomes in the order of their rows, one at a time, and can be drawn again at any moment: the
ledger is the truth, this is its picture. Must not know engines, networks or settings.
"""

from .books import Written, write_books
from .live import LiveBooks
from .summary import RunFacts, Summary, summarise

__all__ = ["LiveBooks", "RunFacts", "Summary", "Written", "summarise", "write_books"]
