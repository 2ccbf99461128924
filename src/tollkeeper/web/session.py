"""Log in and out: an admin token is exchanged for an HttpOnly cookie."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from tollkeeper import __version__
from tollkeeper.clock import Clock
from tollkeeper.errors import Unauthorized
from tollkeeper.identity import access
from tollkeeper.web.auth import COOKIE, Guard, Principal


class Login(BaseModel):
    """The token of an admin link."""

    token: str = Field(max_length=500)


class Session(BaseModel):
    """Says that the caller is known."""

    authenticated: bool
    version: str


def router(records: Engine, clock: Clock, principal: Guard, *, public_url: str = "") -> APIRouter:
    """Routes under ``/api/session``; the cookie is for HTTPS only when that is our address."""
    routes = APIRouter(prefix="/api/session", tags=["session"])

    @routes.post("", status_code=204)
    def log_in(login: Login, request: Request) -> Response:
        """Exchanges an admin token for a session cookie."""
        if not access.is_token(records, login.token):
            raise Unauthorized("this token is not known", field="token")
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            access.open_session(records, now_us=clock.now_us()),
            max_age=access.SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https" or public_url.startswith("https:"),
        )
        return response

    @routes.get("")
    def show(_: Annotated[Principal, Depends(principal)]) -> Session:
        """Tells whether the caller is logged in."""
        return Session(authenticated=True, version=__version__)

    @routes.delete("", status_code=204)
    def log_out(who: Annotated[Principal, Depends(principal)]) -> Response:
        """Ends the session."""
        if who.session:
            access.close_session(records, who.session)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    return routes
