"""The management API as one FastAPI application, described in OpenAPI 3.1."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from tollkeeper import __version__
from tollkeeper.web import collector, problem

_OPEN = ("/health/", "/api/session")


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
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]
    return api


def _document(api: FastAPI) -> dict[str, Any]:
    """The whole server in OpenAPI: the routes of FastAPI and those of the collector."""
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title,
            version=api.version,
            summary="Who calls your API, how much, whether they may, and what they owe.",
            routes=api.routes,
        )
        for path, item in document["paths"].items():
            for operation in item.values():
                if not path.startswith(_OPEN):
                    operation["security"] = [{"adminToken": []}]
        document["paths"].update(collector.paths())
        document.setdefault("components", {})["securitySchemes"] = collector.security_schemes()
        api.openapi_schema = document
    return api.openapi_schema
