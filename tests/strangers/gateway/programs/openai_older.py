"""openai of the generation before, as its users write it."""

import base64

import openai
from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell

MODEL = "nano-banana-2"
client = openai.OpenAI(api_key=KEY, base_url=f"{GATEWAY}/v1")


def drawn(answer):
    return [base64.b64decode(item.b64_json) for item in answer.data]


def draw(**wish):
    return client.images.generate(**{"model": MODEL, "prompt": PROMPT, **wish})


first = drawn(draw())[0]
fact("one")(lambda: pictures(drawn(draw())))
fact("four")(lambda: pictures(drawn(draw(n=4))))
fact("edit")(lambda: pictures(drawn(client.images.edit(model=MODEL, image=first, prompt="at night", n=2))))
fact("edit of several")(lambda: pictures(drawn(client.images.edit(model=MODEL, image=[first, first], prompt="as one"))))
fact("variation")(lambda: pictures(drawn(client.images.create_variation(image=first, response_format="b64_json"))))
fact("no such model")(lambda: draw(model="no-such-model"))
fact("blocked prompt")(lambda: draw(prompt="a kite [sim:prompt_blocked]"))
fact("wrong key")(lambda: openai.OpenAI(api_key="wrong", base_url=f"{GATEWAY}/v1").models.list())


@fact("masked edit")
def _():
    answer = client.images.edit(model="gpt-image-2", image=first, mask=first, prompt="a moon there")
    return pictures(drawn(answer))


@fact("stream")
def _():
    events = list(draw(model="gpt-image-2", n=2, stream=True, partial_images=1))
    done = [base64.b64decode(event.b64_json) for event in events if event.type == "image_generation.completed"]
    return [pictures(done), sorted({event.type for event in events})]


@fact("chat")
def _():
    messages, found = [], []
    for words in (PROMPT, "make it night"):
        messages.append({"role": "user", "content": words})
        message = client.chat.completions.create(model=MODEL, messages=messages).choices[0].message
        messages.append(message)
        found += [base64.b64decode(each["image_url"]["url"].partition(",")[2]) for each in message.images]
    return pictures(found)


@fact("responses")
def _():
    answer = client.responses.create(model=MODEL, input=PROMPT, tools=[{"type": "image_generation"}])
    return pictures([base64.b64decode(item.result) for item in answer.output if item.type == "image_generation_call"])


@fact("files")
def _():
    file = client.files.create(file=("kite.jpg", first), purpose="vision")
    same = client.files.content(file.id).read() == first
    return [same, file.id in [each.id for each in client.files.list()], client.files.delete(file.id).deleted]


tell()
