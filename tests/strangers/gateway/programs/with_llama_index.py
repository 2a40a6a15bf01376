"""LlamaIndex, as its users write it."""

from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell
from google.genai import types
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.llms.google_genai import GoogleGenAI

model = GoogleGenAI(
    model="gemini-3.1-flash-image",
    api_key=KEY,
    http_options=types.HttpOptions(base_url=GATEWAY),
    generation_config=types.GenerateContentConfig(response_modalities=["IMAGE"]),
)


def drawn(answer):
    return [block.resolve_image().read() for block in answer.message.blocks if isinstance(block, ImageBlock)]


fact("chat")(lambda: pictures(drawn(model.chat([ChatMessage(PROMPT)]))))


@fact("conversation")
def _():
    talk = [ChatMessage(PROMPT)]
    first = model.chat(talk)
    second = model.chat([*talk, first.message, ChatMessage("make it night")])
    return pictures(drawn(first) + drawn(second))


@fact("edit")
def _():
    image = drawn(model.chat([ChatMessage(PROMPT)]))[0]
    return pictures(drawn(model.chat([ChatMessage(blocks=[TextBlock(text="at night"), ImageBlock(image=image)])])))


fact("refused")(lambda: model.chat([ChatMessage("a kite [sim:image_safety]")]))
tell()
