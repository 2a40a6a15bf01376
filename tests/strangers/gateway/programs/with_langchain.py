"""LangChain, by both of its providers, as its users write it."""

import base64

from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell
from langchain_core.messages import HumanMessage
from langchain_google_genai import ChatGoogleGenerativeAI, Modality
from langchain_openai import ChatOpenAI

MODEL = "nano-banana-2"
google = ChatGoogleGenerativeAI(model=MODEL, api_key=KEY, base_url=GATEWAY, response_modalities=[Modality.IMAGE])


def openai(**further):
    return ChatOpenAI(model=MODEL, api_key=KEY, base_url=f"{GATEWAY}/v1", **further)


def drawn(message):
    """Pictures among the blocks of a message, whatever form they have."""
    found = []
    for block in message.content if isinstance(message.content, list) else ():
        kind = block.get("type")
        if kind == "image_url":
            found.append(block["image_url"]["url"].partition(",")[2])
        elif kind == "image":
            found.append(block["base64"])
        elif kind == "image_generation_call":
            found.append(block["result"])
    return [base64.b64decode(each) for each in found]


def in_markdown(message):
    return [base64.b64decode(each.partition(")")[0]) for each in message.content.split("base64,")[1:]]


fact("google")(lambda: pictures(drawn(google.invoke(PROMPT))))
fact("google refused")(lambda: google.invoke("a kite [sim:image_safety]").content)


@fact("google chat")
def _():
    talk = [HumanMessage(PROMPT)]
    first = google.invoke(talk)
    second = google.invoke([*talk, first, HumanMessage("make it night")])
    return pictures(drawn(first) + drawn(second))


@fact("google edit")
def _():
    url = "data:image/jpeg;base64," + base64.b64encode(drawn(google.invoke(PROMPT))[0]).decode()
    asked = [{"type": "text", "text": "make it night"}, {"type": "image_url", "image_url": {"url": url}}]
    return pictures(drawn(google.invoke([HumanMessage(asked)])))


@fact("google stream")
def _():
    return pictures([data for chunk in google.stream(PROMPT) for data in drawn(chunk)])


@fact("openai tool")
def _():
    return pictures(drawn(openai().bind_tools([{"type": "image_generation"}]).invoke(PROMPT)))


@fact("openai markdown")
def _():
    model = openai(default_headers={"x-cavendish-pictures": "markdown"})
    return pictures(in_markdown(model.invoke(PROMPT)))


@fact("openai markdown stream")
def _():
    model = openai(default_headers={"x-cavendish-pictures": "markdown"})
    whole = None
    for chunk in model.stream(PROMPT):
        whole = chunk if whole is None else whole + chunk
    return pictures(in_markdown(whole))


@fact("openai links")
def _():
    content = openai(default_headers={"x-cavendish-pictures": "links"}).invoke(PROMPT).content
    return [content.startswith("![image](http"), len(content) < 300]


fact("openai alone")(lambda: openai().invoke(PROMPT).content.startswith("![image](http"))
fact("openai refused")(lambda: openai().invoke("a kite [sim:image_safety]"))
tell()
