"""The wire cases of the Images dialect."""

from cavendish.dialects.openai_images import OpenaiImagesDialect
from tests.dialects.openai_wire import Table

IMAGES = OpenaiImagesDialect()
TABLE = Table("openai_images", IMAGES, "gpt-image-2")
