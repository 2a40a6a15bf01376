"""Google's errors, both ways: what Gemini's and Imagen's APIs have in common.

Must not know any dialect.
"""

from .error_reply import error_object, write_error
from .errors import read_google_error
from .statuses import http_status
from .waits import read_wait

__all__ = ["error_object", "http_status", "read_google_error", "read_wait", "write_error"]
