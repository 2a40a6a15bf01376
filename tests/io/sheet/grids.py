"""Grids drawn for the tests: cells of chequers that no two share, gutters of any colour and width, and noise."""

import io
import random
from dataclasses import dataclass, field

from PIL import Image, ImageChops

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawing:
    """A sheet: the pixels of a cell's sides, of gutters and of the margin around it all."""

    rows: int
    columns: int
    cell: tuple[int, int] = (96, 96)
    gutter: int = 6
    margin: int = 6
    colour: tuple[int, int, int] = (255, 255, 255)
    noise: int = 0
    seed: int = 0
    jitter: int = 0
    frame: int = 0
    empty: tuple[int, ...] = ()
    twins: tuple[int, int] | None = None
    boxes: list[Box] = field(default_factory=list, compare=False)

    def image(self) -> Image.Image:
        dice = random.Random(self.seed)
        across = _spans(self.columns, self.cell[0], self, dice)
        down = _spans(self.rows, self.cell[1], self, dice)
        sheet = Image.new("RGB", (across[-1][1] + self.margin, down[-1][1] + self.margin), self.colour)
        if self.frame:
            frame = Image.new("RGB", sheet.size, tuple(255 - band for band in self.colour))
            inner = sheet.crop((self.frame, self.frame, sheet.width - self.frame, sheet.height - self.frame))
            frame.paste(inner, (self.frame, self.frame))
            sheet = frame
        self.boxes[:] = [(left, top, right, bottom) for top, bottom in down for left, right in across]
        for number, box in enumerate(self.boxes, 1):
            if number in self.empty:
                continue
            look = self.twins[0] if self.twins and number == self.twins[1] else number
            size = box[2] - box[0], box[3] - box[1]
            sheet.paste(chequers(size, f"{self.seed} {look}", self.colour), box)
        return noisy(sheet, self.noise, self.seed) if self.noise else sheet

    def png(self) -> bytes:
        return encoded(self.image())


def _spans(count, side, drawing, dice):
    spans = []
    at = drawing.margin
    for _ in range(count):
        end = at + side + dice.randint(-drawing.jitter, drawing.jitter)
        spans.append((at, end))
        at = end + drawing.gutter
    return spans


def chequers(size, seed, away_from=(255, 255, 255)) -> Image.Image:
    """A picture of 6 by 6 fields, each of a colour that is far from the gutters'."""
    dice = random.Random(seed)

    def colour():
        while True:
            found = tuple(dice.randrange(256) for _ in range(3))
            if max(abs(a - b) for a, b in zip(found, away_from, strict=True)) > 80:
                return found

    fields = bytes(band for _ in range(36) for band in colour())
    return Image.frombytes("RGB", (6, 6), fields).resize(size, Image.Resampling.NEAREST)


def noisy(image, amount, seed) -> Image.Image:
    """Each pixel a little off, as after a lossy codec."""
    small = random.Random(seed).randbytes(64 * 64 * 3)
    grain = Image.frombytes("RGB", (64, 64), bytes(byte % (2 * amount + 1) for byte in small))
    tiles = Image.new("RGB", image.size)
    for top in range(0, image.height, 64):
        for left in range(0, image.width, 64):
            tiles.paste(grain, (left, top))
    return ImageChops.add(image, tiles, offset=-amount)


def encoded(image, kind="PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(data) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image
