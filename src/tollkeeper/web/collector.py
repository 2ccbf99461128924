"""The collector's endpoints as OpenAPI sees them; ``ingest.collector`` serves them.

They are plain ASGI for speed, so their description is written here, from the same table of routes.
"""

from typing import Any

from tollkeeper.ingest.collector import DOCUMENTS, ROUTES, Route

_PROBLEM = {
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                    "field": {"type": "string"},
                },
                "required": ["type", "title", "status", "detail", "code"],
            }
        }
    }
}
_ACCEPTED = {
    "type": "object",
    "properties": {
        "accepted": {"type": "integer"},
        "rejected_count": {"type": "integer"},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "reason": {"type": "string"},
                    "field": {"type": ["string", "null"]},
                    "detail": {"type": "string"},
                },
            },
        },
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "id": {"type": "string"},
                    "result": {"enum": ["accepted", "stored", "duplicate", "conflict", "rejected"]},
                    "reason": {"type": "string"},
                    "field": {"type": "string"},
                },
            },
        },
    },
}
_REFUSALS = {
    "400": {"description": "The body as a whole cannot be understood", **_PROBLEM},
    "401": {"description": "No application has this id", **_PROBLEM},
    "413": {"description": "The body is over a limit", **_PROBLEM},
    "503": {"description": "Nothing is accepted now; Retry-After says when to try", **_PROBLEM},
}


def security_schemes() -> dict[str, Any]:
    """How SDKs show which application they write to."""
    return {
        "collectorId": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Moesif-Application-Id",
            "description": "The collector id of an application; write-only.",
        },
        "adminToken": {"type": "http", "scheme": "bearer"},
    }


def paths() -> dict[str, Any]:
    """The OpenAPI path items of the collector."""
    found: dict[str, Any] = {path: {"post": _write(path, route)} for path, route in ROUTES.items()}
    for path in sorted(DOCUMENTS):
        found[path] = {
            "get": {
                "tags": ["collector"],
                "summary": f"What SDKs fetch at {path}",
                "operationId": "get" + path.replace("/", "_"),
                "security": [{"collectorId": []}],
                "responses": {
                    "200": {
                        "description": "Always, also for an unknown application",
                        "content": {"application/json": {"schema": {}}},
                    }
                },
            }
        }
    return found


def _write(path: str, route: Route) -> dict[str, Any]:
    if route.cloudevents:
        done: dict[str, Any] = {"204": {"description": "All events are durable"}}
        done["200"] = _some()
        content: dict[str, Any] = {
            kind: {"schema": {"type": ["object", "array"]}}
            for kind in (
                "application/cloudevents+json",
                "application/cloudevents-batch+json",
                "application/json",
            )
        }
    else:
        done = {"201": _some()}
        item: dict[str, Any] = {"type": "object"}
        schema = item if route.single else {"type": "array", "items": item}
        content = {"application/json": {"schema": schema}}
    return {
        "tags": ["collector"],
        "summary": f"Take {route.resource}{' as CloudEvents' if route.cloudevents else ''}",
        "operationId": "post" + path.replace("/", "_"),
        "security": [{"collectorId": []}],
        "requestBody": {"required": True, "content": content},
        "responses": {**done, **_REFUSALS},
    }


def _some() -> dict[str, Any]:
    return {
        "description": "Durable; items that could not be understood are named",
        "content": {"application/json": {"schema": _ACCEPTED}},
    }
