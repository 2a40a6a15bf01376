"""Table: every path of the gateway and the door behind it."""

from __future__ import annotations

import re

from ...wire.sse import END_OF_STREAM
from .bulk import Bulk
from .doors.chat import ChatDoor
from .doors.door import Door
from .doors.gemini import GeminiDoor
from .doors.gemini_form import GeminiForm, PredictForm
from .doors.images import ImagesDoor
from .doors.models import Models
from .doors.responses import ResponsesDoor
from .doors.responses_kept import KeptResponses
from .job_routes import job_routes
from .jobs.desk import Desk
from .key_routes import key_routes
from .routing import Route, World
from .transit.intake import Intake

GET, POST = ("GET", "HEAD"), ("POST",)

_V = r"/(?:v1|v1beta|v1alpha)"
_MODEL = r"(?:models|tunedModels)/(?P<model>[^:]+)"
_VERTEX = "publishers/google"
_AT_VERTEX = rf"/(?:v1|v1beta1)/(?:projects/[^/]{{1,200}}/locations/[^/]{{1,60}}/)?{_VERTEX}/models/(?P<model>[^:]+)"
_RESPONSE = r"/v1/responses/(?P<id>[^/]{1,200})"
_DRAW = r"(?:streamG|g)enerateContent"


def routes_of(desk: Desk, bulk: Bulk) -> tuple[Route, ...]:
    """All routes over one desk."""
    intake = Intake(desk.blobs)
    google = GeminiDoor(GeminiForm(), desk, intake, bulk.files)
    images = ImagesDoor(desk, intake, bulk.files)
    chat = ChatDoor(desk, intake, bulk.files, ending=END_OF_STREAM)
    responses = ResponsesDoor(desk, intake, bulk.files)
    kept = KeptResponses(responses)
    models = Models(desk, google, images)
    vertex = GeminiDoor(GeminiForm("v1beta1", place=_VERTEX), desk, intake, bulk.files)
    imagen = GeminiDoor(PredictForm(max_n=desk.rules.max_n), desk, intake, bulk.files)
    vertex_imagen = GeminiDoor(PredictForm("v1beta1", "vertex", desk.rules.max_n), desk, intake, bulk.files)
    places: dict[str, Door] = {
        "/v1/images/generations": images,
        "/v1/images/edits": images,
        "/v1/chat/completions": chat,
        "/v1/responses": responses,
    }
    return (
        Route(POST, re.compile(rf"{_V}/{_MODEL}:{_DRAW}"), google.asked_here),
        Route(POST, re.compile(rf"{_V}/{_MODEL}:countTokens"), google.count),
        Route(POST, re.compile(rf"{_V}/{_MODEL}:predict"), imagen.asked_here),
        Route(POST, re.compile(rf"{_AT_VERTEX}:{_DRAW}"), vertex.asked_here),
        Route(POST, re.compile(rf"{_AT_VERTEX}:countTokens"), vertex.count),
        Route(POST, re.compile(rf"{_AT_VERTEX}:predict"), vertex_imagen.asked_here),
        Route(POST, re.compile(r"/v1(?P<path>/images(?:/(?:generations|edits|variations))?)"), images.asked_here),
        Route(POST, re.compile(r"/v1(?P<path>/chat/completions)"), chat.asked_here),
        Route(POST, re.compile(r"/v1(?P<path>/responses)"), responses.asked_here),
        Route(POST, re.compile(r"/v1/responses/input_tokens"), kept.count),
        Route(GET, re.compile(rf"{_RESPONSE}"), kept.get),
        Route(("DELETE",), re.compile(rf"{_RESPONSE}"), kept.delete),
        Route(POST, re.compile(rf"{_RESPONSE}/cancel"), kept.cancel),
        Route(GET, re.compile(rf"{_RESPONSE}/input_items"), kept.items),
        Route(GET, re.compile(rf"{_V}/models"), models.google_list, World.GOOGLE),
        Route(GET, re.compile(rf"{_V}/models/(?P<model>[^:]+)"), models.google_one, World.GOOGLE),
        *bulk.routes(google, images, places),
        *key_routes(desk),
        *job_routes(desk, intake, (google, images, chat, responses, imagen)),
        Route(GET, re.compile(r"/v1/models"), models.openai_list, World.OPENAI),
        Route(GET, re.compile(r"/v1/models/(?P<model>.+)"), models.openai_one, World.OPENAI),
    )
