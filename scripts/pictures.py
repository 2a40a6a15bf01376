"""Makes the pictures of the README anew from real runs: what a terminal shows, and a contact sheet. Needs Chromium.

Both runs are answered by the simulator. Nothing in the pictures is written by hand.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH, HEIGHT = 1120, 1000
COLUMNS = 100
MOST_BYTES = 300_000

PROMPT = "a red kite over the moor"
ROWS = """prompt,style
a red kite over the moor,ink
the face of somebody famous [sim:prohibited],oil
a lighthouse in a storm,watercolour
a fox asleep in the snow,woodcut
a night train crossing a viaduct,ink
a bowl of lemons on a blue cloth,oil
an old observatory above the clouds,watercolour
"""
TERMINAL = (
    ("generate", PROMPT, "-n", "4", "--size", "2K", "--aspect-ratio", "16:9", "-o", "kite"),
    ("batch", "prompts.csv", "--prompt", "{prompt}, {style}", "-n", "2", "-o", "run"),
)
THEME = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (207, 34, 46),
        (17, 99, 41),
        (77, 45, 0),
        (9, 105, 218),
        (130, 80, 223),
        (27, 124, 131),
        (110, 119, 129),
    ],
)


def environment() -> dict[str, str]:
    """Without keys, settings and addresses of whoever runs this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAVENDISH_")}
    kept = {name: value for name, value in kept.items() if not name.endswith("_API_KEY")}
    return {**kept, "COLUMNS": str(COLUMNS), "XDG_CONFIG_HOME": os.devnull}


def run(folder: Path, arguments: tuple[str, ...]) -> str:
    """What a command says, stdout and stderr in the order in which they came."""
    command = [sys.executable, "-m", "cavendish", *arguments]
    ran = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
    )
    return ran.stdout


def terminal(folder: Path) -> str:
    """Both commands and their output as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for number, arguments in enumerate(TERMINAL):
        if number:
            console.print()
        console.print(Text(f"$ cavendish {shlex.join(arguments)}", style="bold"))
        console.print(Text(run(folder, arguments).rstrip()))
    drawn = console.export_svg(title="cavendish", theme=THEME, unique_id="cavendish-run")
    # Rich names a font that would be fetched from elsewhere; any monospaced one does.
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"error: no browser among {', '.join(BROWSERS)}")
    return found


def photograph(page: Path, target: Path) -> None:
    """The page as the browser shows it."""
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=10000", f"--screenshot={target}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with Image.open(target) as shot:
        shot.convert("RGB").save(target, optimize=True)


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "prompts.csv").write_text(ROWS, encoding="utf-8")
        (OUT / "run.svg").write_text(terminal(folder), encoding="utf-8", newline="\n")
        photograph(folder / "run" / "index.html", OUT / "sheet.png")
    size = (OUT / "sheet.png").stat().st_size
    print(f"{OUT / 'run.svg'}\n{OUT / 'sheet.png'}: {size:,} bytes")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
