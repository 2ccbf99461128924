"""Every refusal as an RFC 9457 problem document."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tollkeeper.errors import Overloaded, TollkeeperError

MEDIA_TYPE = "application/problem+json"


def install(api: FastAPI) -> None:
    """Makes the application answer its refusals as problems."""

    @api.exception_handler(TollkeeperError)
    def ours(_: Request, error: TollkeeperError) -> JSONResponse:
        headers = {}
        if isinstance(error, Overloaded):
            headers["retry-after"] = str(error.retry_after_seconds)
        elif error.status == 401:
            headers["www-authenticate"] = "Bearer"
        return _answer(error.problem(), headers)

    @api.exception_handler(RequestValidationError)
    def not_valid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
        return _answer(
            {
                "type": "urn:tollkeeper:error:invalid_input",
                "title": "The input is not valid",
                "status": 422,
                "detail": first["msg"],
                "code": "invalid_input",
                "field": ".".join(where),
            }
        )

    @api.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        return _answer(
            {
                "type": "about:blank",
                "title": str(error.detail),
                "status": error.status_code,
                "detail": str(error.detail),
                "code": "too_large" if error.status_code == 413 else "http",
            },
            dict(error.headers or {}),
        )


def _answer(problem: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem, status_code=problem["status"], headers=headers, media_type=MEDIA_TYPE
    )
