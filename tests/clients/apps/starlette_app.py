"""A Starlette application with moesifasgi, set up as its documentation says. Run by uvicorn."""

import os

from moesifasgi import MoesifMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route


async def message(request: Request) -> Response:
    return JSONResponse({"my_object": {"my_message": "Hello World!"}})


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def stream(request: Request) -> Response:
    async def parts():
        for number in range(3):
            yield f"part {number}\n"

    return StreamingResponse(parts(), media_type="text/plain")


async def identify_company(request: Request, response: Response) -> str | None:
    return request.headers.get("x-company")


async def get_metadata(request: Request, response: Response) -> dict[str, str]:
    return {"framework": "starlette"}


settings = {
    "APPLICATION_ID": os.environ["MOESIF_APPLICATION_ID"],
    "BASE_URI": os.environ["MOESIF_BASE_URI"],
    "DEBUG": True,
    "LOG_BODY": True,
    "IDENTIFY_COMPANY": identify_company,
    "GET_METADATA": get_metadata,
}

app = Starlette(
    routes=[
        Route("/accounts/{id}/message", message),
        Route("/echo", echo, methods=["POST"]),
        Route("/stream", stream),
    ],
    middleware=[Middleware(MoesifMiddleware, settings=settings)],
)
