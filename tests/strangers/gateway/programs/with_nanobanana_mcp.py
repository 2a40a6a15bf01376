"""nanobanana-mcp-server, asked over its pipes as an assistant asks it."""

import asyncio
import os
import sys
from pathlib import Path

from facts import GATEWAY, KEY, PROMPT, fact, tell
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

FOLDER = Path("mcp-pictures").absolute()
VARIABLES = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": GATEWAY, "IMAGE_OUTPUT_DIR": str(FOLDER)}


async def asked(tool, **arguments):
    command = Path(sys.executable).with_name("nanobanana-mcp-server")
    server = StdioServerParameters(command=str(command), env={**os.environ, **VARIABLES})
    with open("mcp.log", "w") as log:
        async with stdio_client(server, errlog=log) as pipes, ClientSession(*pipes) as session:
            await session.initialize()
            return await session.call_tool(tool, arguments)


@fact("three")
def _():
    answer = asyncio.run(asked("generate_image", prompt=PROMPT, n=3))
    shown = [part.data for part in answer.content if part.type == "image"]
    return ["image", len(shown), len(set(shown))]


tell()
