"""LiteLLM, by both of its providers, as its users write it."""

import base64
import io

import litellm
from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell

litellm.suppress_debug_info = True
GEMINI = {"model": "gemini/gemini-3.1-flash-image", "api_base": f"{GATEWAY}/v1beta", "api_key": KEY}
OPENAI = {"model": "openai/nano-banana-2", "api_base": f"{GATEWAY}/v1", "api_key": KEY}
ASKED = [{"role": "user", "content": PROMPT}]


def drawn(answer):
    return [base64.b64decode(item.b64_json) for item in answer.data]


def shown(answer):
    return [
        base64.b64decode(each["image_url"]["url"].partition(",")[2])
        for choice in answer.choices
        for each in choice.message.images
    ]


def streamed(way):
    found = []
    for chunk in litellm.completion(messages=ASKED, stream=True, **way):
        images = getattr(chunk.choices[0].delta, "images", None) or ()
        found += [base64.b64decode(each["image_url"]["url"].partition(",")[2]) for each in images]
    return pictures(found)


first = drawn(litellm.image_generation(prompt=PROMPT, **OPENAI))[0]


def photo():
    file = io.BytesIO(first)
    file.name = "kite.jpg"
    return file


for name, way in {"gemini": GEMINI, "openai": OPENAI}.items():
    fact(f"{name} four")(lambda: pictures(drawn(litellm.image_generation(prompt=PROMPT, n=4, **way))))
    fact(f"{name} chat")(lambda: pictures(shown(litellm.completion(messages=ASKED, **way))))
    fact(f"{name} streamed chat")(lambda: streamed(way))
    fact(f"{name} no such model")(
        lambda: litellm.image_generation(prompt=PROMPT, **{**way, "model": f"{name}/no-such-model"})
    )
    fact(f"{name} wrong key")(lambda: litellm.image_generation(prompt=PROMPT, **{**way, "api_key": "wrong"}))
    fact(f"{name} refused")(lambda: len(litellm.image_generation(prompt="a kite [sim:image_safety]", **way).data))
    fact(f"{name} edit")(lambda: pictures(drawn(litellm.image_edit(image=[photo()], prompt="at night", **way))))

imagen = {**GEMINI, "model": "gemini/imagen-4.0-generate-001"}
fact("imagen four")(lambda: pictures(drawn(litellm.image_generation(prompt=PROMPT, n=4, **imagen))))
tell()
