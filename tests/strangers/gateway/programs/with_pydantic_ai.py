"""Pydantic AI, by both of its providers, as its users write it."""

from facts import GATEWAY, KEY, PROMPT, fact, pictures, tell
from pydantic_ai import Agent, BinaryImage
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

google = GoogleModel("gemini-3.1-flash-image", provider=GoogleProvider(api_key=KEY, base_url=GATEWAY))
openai = OpenAIResponsesModel("gpt-5", provider=OpenAIProvider(api_key=KEY, base_url=f"{GATEWAY}/v1"))
agent = Agent(google, output_type=BinaryImage)

fact("google")(lambda: pictures([agent.run_sync(PROMPT).output.data]))
fact("google refused")(lambda: agent.run_sync("a kite [sim:image_safety]"))
fact("google wrong model")(
    lambda: Agent(
        GoogleModel("no-such-model", provider=GoogleProvider(api_key=KEY, base_url=GATEWAY)), output_type=str
    ).run_sync(PROMPT)
)


@fact("google conversation")
def _():
    first = agent.run_sync(PROMPT)
    second = agent.run_sync("make it night", message_history=first.all_messages())
    return pictures([first.output.data, second.output.data])


@fact("google edit")
def _():
    first = agent.run_sync(PROMPT)
    return pictures([agent.run_sync(["make it night", first.output]).output.data])


@fact("openai")
def _():
    return pictures([Agent(openai, output_type=BinaryImage).run_sync(PROMPT).output.data])


tell()
