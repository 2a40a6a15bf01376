"""OpenAI's Images API in both directions: generations, edits and streams, and the servers that speak like it.

Must not know which models exist, who serves them or what they cost.
"""

from .dialect import OpenaiImagesDialect

__all__ = ["OpenaiImagesDialect"]
