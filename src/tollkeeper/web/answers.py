"""How questions come in and answers go out: bounded JSON in, exact JSON out, refusals described."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from tollkeeper.errors import InvalidInput, TooLarge

MAX_QUESTION_BYTES = 1_000_000


class Refusal(BaseModel):
    """An RFC 9457 problem. ``field`` is the path of the culprit, such as ``filter.and[0].op``."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None


def _refusal(description: str) -> dict[str, Any]:
    schema = Refusal.model_json_schema()
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: _refusal("No or an unknown credential."),
    404: _refusal("There is no such application or thing."),
    413: _refusal("The question is too long."),
    422: _refusal("A part of the question is wrong; field names it."),
    503: _refusal("It took too long, or too many streams are open."),
}


async def question(request: Request) -> object:
    """The JSON document in a request's body.

    Raises:
        TooLarge: over ``MAX_QUESTION_BYTES``.
        InvalidInput: it is no JSON.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_QUESTION_BYTES:
            raise TooLarge(f"a question has at most {MAX_QUESTION_BYTES} bytes", field="body")
    return decoded(bytes(content), "body")


def decoded(content: str | bytes, at: str) -> object:
    """The value of a JSON text.

    Raises:
        InvalidInput: it is no JSON, or nested too deeply.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise InvalidInput("is no JSON", field=at, code="invalid_json") from None


def answer(value: object) -> Response:
    """The value as JSON, never stored by anybody on the way."""
    return Response(
        msgspec.json.encode(value),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
