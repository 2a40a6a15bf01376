"""google-genai of the generations before the newest, as its users write it."""

import asyncio
import json
import os
import time

from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell
from google import genai
from google.genai import types

MODEL = "nano-banana-2"
client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=GATEWAY))


def drawn(answer):
    contents = [found.content for found in answer.candidates or () if found.content]
    parts = [part for content in contents for part in content.parts or () if part.inline_data and not part.thought]
    return [part.inline_data.data for part in parts]


def draw(contents, model=MODEL, **config):
    return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


first = drawn(draw(PROMPT))[0]
photo = types.Part.from_bytes(data=first, mime_type="image/jpeg")
fact("one")(lambda: pictures(drawn(draw(PROMPT))))
fact("four")(lambda: pictures(drawn(draw(PROMPT, candidate_count=4, response_modalities=["IMAGE"]))))
fact("edit")(lambda: pictures(drawn(draw([photo, "make it night"]))))
fact("shape")(lambda: pictures(drawn(draw(PROMPT, image_config=types.ImageConfig(aspect_ratio="16:9")))))
fact("models")(lambda: client.models.get(model=MODEL).name)
fact("tokens")(lambda: client.models.count_tokens(model=MODEL, contents=PROMPT).total_tokens > 0)


@fact("stream")
def _():
    config = types.GenerateContentConfig(candidate_count=3)
    chunks = client.models.generate_content_stream(model=MODEL, contents=PROMPT, config=config)
    return pictures([data for chunk in chunks for data in drawn(chunk)])


@fact("chat")
def _():
    chat = client.chats.create(model=MODEL)
    found = [data for words in (PROMPT, "make it night", "and the moon") for data in drawn(chat.send_message(words))]
    signed = [part for turn in chat.get_history() for part in turn.parts if part.thought_signature and part.inline_data]
    return [pictures(found), len(signed)]


@fact("asynchronous")
def _():
    async def both():
        return await asyncio.gather(*(client.aio.models.generate_content(model=MODEL, contents=PROMPT) for _ in "ab"))

    return pictures([data for answer in asyncio.run(both()) for data in drawn(answer)])


@fact("files")
def _():
    with open("kite.jpg", "wb") as file:
        file.write(first)
    file = client.files.upload(file="kite.jpg")
    edit = draw([file, "make it night"])
    listed = file.name in [each.name for each in client.files.list()]
    client.files.delete(name=file.name)
    return [file.mime_type, listed, pictures(drawn(edit))]


@fact("batch of a file")
def _():
    line = {"key": "kite", "request": {"contents": [{"parts": [{"text": PROMPT}]}]}}
    line["request"]["generation_config"] = {"response_modalities": ["IMAGE"]}
    with open("birds.jsonl", "w") as file:
        file.write(json.dumps(line) + "\n")
    source = client.files.upload(file="birds.jsonl", config={"mime_type": "jsonl"})
    job = client.batches.create(model=MODEL, src=source.name)
    while not job.done:
        time.sleep(0.1)
        job = client.batches.get(name=job.name)
    (result,) = [json.loads(each) for each in client.files.download(file=job.dest.file_name).splitlines()]
    return [job.state.value, result["key"], "inlineData" in json.dumps(result["response"])]


if os.environ.get("IMAGEN"):

    @fact("imagen")
    def _():
        config = types.GenerateImagesConfig(number_of_images=4)
        answer = client.models.generate_images(model="imagen-4.0-generate-001", prompt=PROMPT, config=config)
        return pictures([found.image.image_bytes for found in answer.generated_images])


wrong = genai.Client(api_key="wrong", http_options=types.HttpOptions(base_url=GATEWAY))
fact("no such model")(lambda: draw(PROMPT, model="no-such-model"))
fact("wrong key")(lambda: wrong.models.get(model=MODEL))
fact("blocked prompt")(lambda: draw("a kite [sim:prompt_blocked]").prompt_feedback.block_reason is not None)
fact("refused picture")(lambda: [one.finish_reason.value for one in draw("a kite [sim:image_safety]").candidates])
tell()
