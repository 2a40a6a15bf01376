"""gemimg's command, as its users call it."""

import os
import subprocess
import sys
from pathlib import Path

from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell

COMMAND = Path(sys.executable).with_name("gemimg")


def run(*words, output, key=KEY, **variables):
    told = ("--api-key", key, "--model", "gemini-3.1-flash-image", "-f", "-o", output)
    environment = {**os.environ, **variables}
    done = subprocess.run([COMMAND, *words, *told], env=environment, capture_output=True, text=True, check=False)
    if not Path(output).exists():
        raise RuntimeError(done.stdout + done.stderr)
    return pictures([Path(output).read_bytes()])


fact("one")(lambda: run(PROMPT, "--base-url", GATEWAY, "--aspect-ratio", "16:9", output="one.png"))
fact("by the variable")(lambda: run(PROMPT, output="two.png", GOOGLE_GEMINI_BASE_URL=GATEWAY))
fact("edit")(lambda: run("make it night", "-i", "one.png", "--base-url", GATEWAY, output="three.png"))
fact("wrong key")(lambda: run(PROMPT, "--base-url", GATEWAY, output="four.png", key="wrong"))
tell()
