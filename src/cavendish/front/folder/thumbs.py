"""Thumbs: small JPEG copies of pictures under ``.cavendish/thumbs/``, so that a sheet of hundreds opens at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...model.result import Picture
from .atomic import replacing

if TYPE_CHECKING:
    from PIL import Image

FOLDER = ".cavendish/thumbs"
EDGE_PIXELS = 480
"""The longer edge: a card is 240 pixels wide, and screens have two dots for each."""
QUALITY = 80
WORKERS = 2
"""Pillow decodes without the interpreter's lock; a 4K picture takes 60 MB while it is decoded."""
AHEAD = 16
"""Pictures that may be under way: bounds the memory and keeps the workers busy."""
MAX_PIXELS = 200_000_000
"""More than any model draws; beyond it, the picture stands for itself."""

T = TypeVar("T")


class Thumbs:
    """Makes thumbs beside the pictures of one run folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / FOLDER).mkdir(parents=True, exist_ok=True)

    def ensure(self, picture: Picture) -> str:
        """The thumb's path below the root, made if it is not there; the picture's own when it cannot be made."""
        name = f"{FOLDER}/{picture.blob.sha256[:32]}.jpg"
        target = self._root / name
        if target.exists():
            return name
        from PIL.Image import DecompressionBombError

        try:
            self._make(self._root / picture.blob.ref, target)
        except (OSError, ValueError, SyntaxError, DecompressionBombError):
            # What Pillow cannot read, a browser perhaps can.
            return picture.blob.ref
        return name

    def _make(self, source: Path, target: Path) -> None:
        from PIL import Image as Pillow
        from PIL import ImageOps

        with Pillow.open(source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("too many pixels")
            image.thumbnail((EDGE_PIXELS, EDGE_PIXELS), reducing_gap=2.0)
            # Turned when it is small: turning makes a copy, and a whole 4K picture is 67 MB.
            small = ImageOps.exif_transpose(image)
            with replacing(target, durable=False) as file:
                _on_white(small).save(file, "JPEG", quality=QUALITY)


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    from PIL import Image as Pillow

    clear = image.convert("RGBA")
    return Pillow.alpha_composite(Pillow.new("RGBA", clear.size, "white"), clear).convert("RGB")


def in_order(items: Iterable[T], work: Callable[[T], str]) -> Iterator[tuple[T, str]]:
    """Each item with the work's result, in order, with at most ``AHEAD`` under way."""
    with ThreadPoolExecutor(WORKERS, "thumbs") as pool:
        waiting: deque[tuple[T, Future[str]]] = deque()
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) >= AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
