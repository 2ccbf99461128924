"""The management API as one FastAPI application, described in OpenAPI 3.1."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from tollkeeper import __version__
from tollkeeper.web import problem


def build_api(routers: Sequence[APIRouter]) -> FastAPI:
    """The application with all its routes; refusals are problem documents."""
    api = FastAPI(
        title="Tollkeeper",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problem.install(api)
    for router in routers:
        api.include_router(router)
    return api
