"""A picture of openai's by a line that breaks once: the SDK asks again by itself."""

import base64

import openai
from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell

client = openai.OpenAI(api_key=KEY, base_url=f"{GATEWAY}/v1")


@fact("one")
def _():
    answer = client.images.generate(model="nano-banana-2", prompt=f"{PROMPT} [sim:bytes=300000]")
    return pictures([base64.b64decode(item.b64_json) for item in answer.data])


tell()
