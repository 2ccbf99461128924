"""The sample API that partners call: a FastAPI application with our middleware in front.

Runs as ``python -m tollkeeper.demo.api FD``: it listens on the socket that it inherits. Where the
collector is comes from the environment, as in any host.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from tollkeeper.capture.asgi import TollkeeperMiddleware
from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.demo.cast import OPAQUE_KEY
from tollkeeper.demo.leash import follow
from tollkeeper.demo.token import SECRET, InvalidToken, verify

_ORDERS = 5000
_SLOW_SECONDS = 0.35
_KEEP_ALIVE_SECONDS = 120


class Order(BaseModel):
    """What a partner orders."""

    article: str = Field(min_length=1)
    pieces: int = Field(ge=1, le=100)


def partner(request: Request) -> dict[str, Any]:
    """Who calls, by the token or key in the Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token == OPAQUE_KEY:
        return {"key": "live"}
    try:
        if scheme.lower() != "bearer":
            raise InvalidToken("send a bearer token")
        return verify(token, now_us=SYSTEM_CLOCK.now_us())
    except InvalidToken as error:
        raise HTTPException(401, str(error), {"www-authenticate": "Bearer"}) from error


api = FastAPI(
    title="Sample partner API", dependencies=[Depends(partner)], docs_url=None, openapi_url=None
)
Caller = Annotated[dict[str, Any], Depends(partner)]


@api.get("/api")
async def greet() -> dict[str, Any]:
    """The end point of the article's first step."""
    return {"my_object": {"my_message": "Hello World!"}}


@api.get("/accounts/{account}/message")
async def message(account: str, caller: Caller) -> dict[str, Any]:
    """The end point of the article's second step."""
    return {
        "my_object": {"my_message": f"Hello {caller.get('name', 'World')}!"},
        "account": account,
    }


@api.get("/accounts/{account}/items")
async def items(account: str, page: int = 1) -> dict[str, Any]:
    """A page of an account's items."""
    return {"account": account, "page": page, "items": [{"n": n} for n in range(page, page + 20)]}


@api.get("/search")
async def search(q: str) -> dict[str, Any]:
    """Finds more the shorter the question is, and takes longer for it."""
    await asyncio.sleep(0.04 / max(len(q), 1))
    return {"q": q, "hits": [f"{q}-{n}" for n in range(12)]}


@api.post("/orders", status_code=201)
async def order(given: Order) -> dict[str, Any]:
    """Takes an order; a wrong one is answered 422 by the framework."""
    return {"order": len(given.article) * 97 + given.pieces, "article": given.article}


@api.get("/orders/{number}")
async def one_order(number: int) -> dict[str, Any]:
    """An order; numbers that were never given out are not found."""
    if number > _ORDERS:
        raise HTTPException(404, f"there is no order {number}")
    return {"order": number, "pieces": number % 7 + 1, "state": "shipped"}


@api.get("/reports/{number}")
async def report(number: int) -> dict[str, Any]:
    """Slow: adds up a lot."""
    await asyncio.sleep(_SLOW_SECONDS * (1 + number % 3))
    return {"report": number, "sum": number * 1042}


@api.get("/exports/{number}")
async def export(number: int) -> dict[str, Any]:
    """Fails now and then: busy, or with a bug."""
    if number % 5 == 0:
        raise HTTPException(503, "busy; try again later", {"retry-after": "5"})
    if number % 7 == 0:
        raise ZeroDivisionError("a bug in the sample API, so that there is something to find")
    return {"export": number, "rows": number * 10}


@api.exception_handler(Exception)
async def broken(_request: Request, _error: Exception) -> JSONResponse:
    """Answers a bug with 500, and says that the connection ends with it.

    uvicorn closes it in any case once the bug has come through to it. A caller who is not told
    sends the next call into a closing connection, and never learns whether it arrived.
    """
    return JSONResponse({"detail": "a bug"}, 500, {"connection": "close"})


api.add_middleware(
    TollkeeperMiddleware,  # type: ignore[arg-type]
    jwt_key=SECRET,
    identify_company={"jwt_claim": "company"},
    log_body=True,
    timer_wake_up_seconds=1,
    flush_deadline_seconds=30,
)


def main() -> None:
    """Serves until it is told to stop, or whoever started it is gone."""
    follow()
    bound = socket.socket(fileno=int(sys.argv[1]))
    server = uvicorn.Server(
        uvicorn.Config(
            api, log_level="warning", access_log=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS
        )
    )
    server.run(sockets=[bound])


if __name__ == "__main__":
    main()
