"""Imagen: Google's ``:predict`` for pictures, of the Developer API and of Vertex AI.

Must not know which models exist, who serves them or what they cost.
"""

from .dialect import ImagenDialect

__all__ = ["ImagenDialect"]
