"""The wire cases of the chat dialect."""

from cavendish.dialects.openai_chat import OpenaiChatDialect
from tests.dialects.openai_wire import Table

CHAT = OpenaiChatDialect()
TABLE = Table("openai_chat", CHAT, "gemini-3.1-flash-image-preview")
