"""What a gateway remembers does not grow with the requests that it has served."""

from typing import Any

import aiohttp

from cavendish.front.gateway.app import Gateway
from cavendish.front.gateway.jobs import desk as desk_module
from cavendish.front.gateway.jobs.bounded import Bounded


def test_the_oldest_makes_room() -> None:
    known: Bounded[str, int] = Bounded(2)
    known["a"], known["b"] = 1, 2
    known["a"] = 3
    known["c"] = 4
    assert known == {"b": 2, "c": 4}


def held(thing: object, seen: set[int], depth: int = 0) -> dict[str, int]:
    """How much each collection holds that a part of the gateway has, at any depth within our own classes."""
    found: dict[str, int] = {}
    if id(thing) in seen or depth > 6:
        return found
    seen.add(id(thing))
    for name, value in getattr(thing, "__dict__", {}).items():
        if isinstance(value, dict | list | set) or type(value).__name__ in {"deque", "Counter", "defaultdict"}:
            found[f"{type(thing).__name__}.{name}"] = len(value)  # pyright: ignore[reportUnknownArgumentType]
        if type(value).__module__.startswith("cavendish.front.gateway") or type(value).__module__.startswith(
            "cavendish.io"
        ):
            found |= held(value, seen, depth + 1)
    return found


async def test_a_desk_holds_no_more_after_many_requests(gateway: Gateway) -> None:
    desk: Any = gateway._desk
    async with aiohttp.ClientSession() as line:

        async def ask(number: int) -> None:
            body = {"model": "nano-banana-2", "prompt": f"kite {number}"}
            async with line.post(f"{gateway.url}/v1/images/generations", json=body) as answer:
                assert answer.status == 200
                await answer.read()

        for number in range(4):
            await ask(number)
        await desk.blobs._sync()
        before = held(desk, set())
        for number in range(4, 24):
            await ask(number)
        await desk.blobs._sync()
        after = held(desk, set())
    grown = {name: (before.get(name, 0), count) for name, count in after.items() if count > before.get(name, 0) + 5}
    assert grown == {}
    assert len(after) > 10
    assert desk._lanes._most == desk_module.MOST_LANES
