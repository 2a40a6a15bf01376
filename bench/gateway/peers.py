"""Peers: the gateways, each as its own manual sets it up to be fast, with one worker and nothing kept.

Variables name the folders where ``bench/peers/gateways.sh`` put them.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..measure import ROOT, PeerFailed, PeerMissing
from ..ours import OURS
from ..upstream import MODEL
from .load import Target
from .standin import OPENAI_MODEL

LITELLM, PORTKEY, FERROGW = "BENCH_PEER_LITELLM", "BENCH_PEER_PORTKEY", "BENCH_PEER_FERROGW"
DIRECT = "straight to the upstream"
OURS_NAME = "cavendish"

START_S = 90.0
END_S = 10.0

MOST_MB = 10_000
"""A gateway that holds more is ended: the machine has others to serve."""

PROMPT = "a red kite over the moor %08d"
IMAGES = json.dumps({"model": OPENAI_MODEL, "prompt": PROMPT, "n": 1})
GEMINI = json.dumps(
    {
        "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
        "generationConfig": {"responseModalities": ["IMAGE"]},
    }
)
IMAGES_PATH = "/v1/images/generations"
GEMINI_PATH = f"/v1beta/models/{MODEL}:generateContent"
BEARER = {"Authorization": "Bearer sk-none"}
GOOGLE_KEY = {"x-goog-api-key": "none"}

LIMITS = "\nrequests_per_minute = 100000000\nimages_per_minute = 100000000\ntokens_per_minute = 1000000000000\n"
SETTINGS = f"""
[endpoints.openai]
base_url = "{{url}}/v1"
tier = "bench"

[endpoints.google]
base_url = "{{url}}"
tier = "bench"

[offers."openai/{OPENAI_MODEL}".tiers.bench]{LIMITS}
[offers."google/{MODEL}".tiers.bench]{LIMITS}
"""
"""What a user writes who knows that there is no limit; all else is as it comes."""

LITELLM_CONFIG = f"""
model_list:
  - model_name: {OPENAI_MODEL}
    litellm_params:
      model: openai/{OPENAI_MODEL}
      api_base: {{url}}/v1
      api_key: sk-none
    model_info:
      mode: image_generation
litellm_settings:
  set_verbose: false
  request_timeout: 600
  telemetry: false
"""

FERROGW_CONFIG = "strategy: {mode: single}\ntargets: [{virtual_key: openai}]\n"


@dataclass(frozen=True)
class Start:
    """What starts a gateway, and how it is asked."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=lambda: BEARER)
    path: str = IMAGES_PATH
    body: str = IMAGES


@dataclass(frozen=True)
class Gateway:
    """One of those compared. ``start`` is given the upstream's address, a port, and a folder of its own.

    Without it, this is the upstream asked by the clients themselves.
    """

    key: str
    name: str
    start: Callable[[str, int, Path], Start] | None


@dataclass(frozen=True)
class Server:
    """A gateway that answers, or the upstream itself, which has no process here."""

    gateway: Gateway
    target: Target
    pid: int = 0


def _ours(url: str, port: int, folder: Path) -> Start:
    config = folder / "config.toml"
    config.write_text(SETTINGS.format(url=url), encoding="utf-8")
    environment = {
        "CAVENDISH_CONFIG": str(config),
        "CAVENDISH_STATE": str(folder / "state"),
        "OPENAI_API_KEY": "sk-none",
        "GEMINI_API_KEY": "none",
    }
    return Start((*OURS, "serve", "--port", str(port)), environment)


def _ours_gemini(url: str, port: int, folder: Path) -> Start:
    return replace(_ours(url, port, folder), headers=GOOGLE_KEY, path=GEMINI_PATH, body=GEMINI)


def _litellm(url: str, port: int, folder: Path) -> Start:
    program = installed(LITELLM, "bin/litellm")
    config = folder / "config.yaml"
    config.write_text(LITELLM_CONFIG.format(url=url), encoding="utf-8")
    # It does not start without a key of its own; there is no database behind it.
    key = f"sk-{secrets.token_hex(32)}"
    environment = {
        "LITELLM_MASTER_KEY": key,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    command = (program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    return Start(command, environment, {"Authorization": f"Bearer {key}"})


def _portkey(url: str, port: int, folder: Path) -> Start:
    package = Path(installed(PORTKEY, "node_modules/@portkey-ai/gateway/build/start-server.js"))
    node = installed(PORTKEY, "node_modules/.bin/node")
    headers = {**BEARER, "x-portkey-provider": "openai", "x-portkey-custom-host": f"{url}/v1"}
    return Start((node, str(package), f"--port={port}", "--headless"), {"NODE_ENV": "production"}, headers)


def _ferrogw(url: str, port: int, folder: Path) -> Start:
    config = folder / "config.yaml"
    config.write_text(FERROGW_CONFIG, encoding="utf-8")
    environment = {
        "GATEWAY_CONFIG": str(config),
        "PORT": str(port),
        "OPENAI_API_KEY": "sk-none",
        "OPENAI_BASE_URL": f"{url}/v1",
        "LOG_LEVEL": "error",
        "ALLOW_UNAUTHENTICATED_PROXY": "true",
        "FERRO_MODEL_CATALOG_TIMEOUT": "0",
        "RATE_LIMIT_RPS": "0",
    }
    return Start((installed(FERROGW, "bin/ferrogw"), "serve"), environment)


def _ferrogw_pass(url: str, port: int, folder: Path) -> Start:
    """By a route that it does not read: bytes go through as they are."""
    return replace(_ferrogw(url, port, folder), path="/v1/images/edits")


GATEWAYS = (
    Gateway("direct", DIRECT, None),
    Gateway("ours", OURS_NAME, _ours),
    Gateway("ours-gemini", "cavendish, Google's doors", _ours_gemini),
    Gateway("litellm", "LiteLLM", _litellm),
    Gateway("portkey", "Portkey", _portkey),
    Gateway("ferrogw", "ferrogw (Go)", _ferrogw),
    Gateway("ferrogw-pass", "ferrogw (Go), passed through unread", _ferrogw_pass),
)


def installed(variable: str, path: str) -> str:
    """A program of a peer. Raises ``PeerMissing``."""
    program = Path(os.environ.get(variable, "")) / path
    if not os.environ.get(variable) or not program.exists():
        raise PeerMissing(f"{variable} names no folder with {path}; bench/peers/gateways.sh makes one")
    return str(program)


@contextlib.contextmanager
def serving(gateway: Gateway, url: str, folder: Path) -> Iterator[Server]:
    """A gateway before the upstream at ``url``, once its port answers."""
    if gateway.start is None:
        yield Server(gateway, Target(f"{url}{IMAGES_PATH}", IMAGES, BEARER))
        return
    folder.mkdir(exist_ok=True)
    port = free_port()
    start = gateway.start(url, port, folder)
    said = folder / "said"
    environment = {**_bare(), "HOME": str(folder), **start.environment}
    with said.open("wb") as out:
        process = subprocess.Popen(
            start.command, stdout=out, stderr=out, cwd=folder, env=environment, start_new_session=True
        )
    try:
        _wait(gateway, process, port, said)
        yield Server(gateway, Target(f"http://127.0.0.1:{port}{start.path}", start.body, start.headers), process.pid)
    finally:
        _end(process)


def _bare() -> dict[str, str]:
    """Nobody's settings and keys. Ours is found where it is."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT / "src")}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def _wait(gateway: Gateway, process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise PeerFailed(f"{gateway.name} does not answer: {said.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and all below it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
