"""Where each framework leaves the route that it matched.

Nothing is imported: a framework is recognised by what it leaves in the ASGI scope or the WSGI
environ, or by being loaded already. A program may also name the route itself, under the key
`tollkeeper.route` of the scope or environ; that wins.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from tollkeeper.capture import route

ROUTE_KEY = "tollkeeper.route"


def of_scope(scope: Mapping[str, Any]) -> str | None:
    """The route template of an ASGI call after the application ran, or None when none is known.

    Understands Starlette and FastAPI (with mounts, root paths and included routers), Litestar, and
    Quart after `watch_quart`.
    """
    named = scope.get(ROUTE_KEY)
    if named is not None:
        return str(named)
    matched = scope.get("route")
    if matched is not None:
        return _of_starlette(scope, matched)
    template = scope.get("path_template")
    if template:
        return _outer_prefix(scope, scope.get("root_path", "")) + str(template)
    if "app_root_path" in scope:
        return _of_mount(scope, scope.get("endpoint"))
    return None


def _of_starlette(scope: Mapping[str, Any], matched: Any) -> str | None:
    if hasattr(matched, "routes"):
        return _of_mount(scope, scope.get("endpoint"))
    path = getattr(matched, "path", None)
    if not isinstance(path, str):
        return None
    extra = scope.get("fastapi")
    if extra:
        # FastAPI keeps an included router's routes without its prefix; the context has the whole.
        context = extra.get("effective_route_context")
        if context is not None and context.original_route is matched:
            path = getattr(context.starlette_route, "path", None) or context.path
    root_path = scope.get("root_path", "")
    if not root_path:
        return route.from_starlette(path)
    return _prefix(scope, root_path) + route.from_starlette(path)


def _of_mount(scope: Mapping[str, Any], endpoint: Any) -> str | None:
    # A folder of files is one route. Any other mounted application did not say what it matched.
    while endpoint is not None and not hasattr(endpoint, "lookup_path"):
        endpoint = getattr(endpoint, "app", None)
    if endpoint is None:
        return None
    return _prefix(scope, scope.get("root_path", "")) + "/{path}"


def _prefix(scope: Mapping[str, Any], root_path: str) -> str:
    # Mounts lengthen the root path by what they matched; what was there before them belongs to the
    # route only if the path that was asked for has it too.
    outer = scope.get("app_root_path", root_path)
    inner = root_path.removeprefix(outer)
    if inner:
        inner = _mounts(inner, scope.get("path_params") or {})
    return _outer_prefix(scope, outer) + inner


def _outer_prefix(scope: Mapping[str, Any], root_path: str) -> str:
    if not root_path:
        return ""
    # Litestar shortens the path in the scope; what was asked for stays in the raw one.
    raw_path = scope.get("raw_path")
    asked = raw_path.decode("latin-1") if raw_path else scope["path"]
    return root_path if asked.startswith(root_path) else ""


def _mounts(matched: str, parameters: Mapping[str, Any]) -> str:
    # Parameters of a mount are in the matched text by value; from the right, since a fixed first
    # segment such as /v1 is likelier than a fixed last one.
    for name, value in parameters.items():
        piece = f"/{value}"
        at = f"{matched}/".rfind(f"{piece}/")
        if at >= 0:
            matched = f"{matched[:at]}/{{{name}}}{matched[at + len(piece) :]}"
    return route.template(matched)


def of_environ(environ: Mapping[str, Any]) -> str | None:
    """The route template of a WSGI call, or None when none is known.

    Understands Flask and other users of Werkzeug's requests, and Bottle. Flask forgets its request
    when the call returns, so ask while `start_response` runs.
    """
    named = environ.get(ROUTE_KEY)
    if named is not None:
        return str(named)
    request = environ.get("werkzeug.request")
    if request is not None:
        rule = getattr(getattr(request, "url_rule", None), "rule", None)
        return None if rule is None else _script_name(environ) + route.from_werkzeug(rule)
    rule = getattr(environ.get("bottle.route"), "rule", None)
    return None if rule is None else _script_name(environ) + route.from_bottle(rule)


def _script_name(environ: Mapping[str, Any]) -> str:
    return str(environ.get("SCRIPT_NAME") or "").rstrip("/")


def watch_quart() -> None:
    """Lets Quart, if it is loaded, leave its matched rule in the scope; once is enough.

    Quart drops its request before the response is sent, so a signal of it is the only place where
    the rule and the scope meet.
    """
    quart = sys.modules.get("quart")
    if quart is None:
        return
    signals = sys.modules["quart.signals"]
    signals.request_started.connect(_quart_request)
    signals.websocket_started.connect(_quart_websocket)


async def _quart_request(_sender: Any) -> None:
    _leave_rule(sys.modules["quart"].request)


async def _quart_websocket(_sender: Any) -> None:
    _leave_rule(sys.modules["quart"].websocket)


def _leave_rule(request: Any) -> None:
    rule = request.url_rule
    if rule is not None:
        prefix = request.root_path.rstrip("/")
        request.scope[ROUTE_KEY] = prefix + route.from_werkzeug(rule.rule)


def django_resolver(app: Any) -> Callable[[str], str | None] | None:
    """For an application that is Django's own handler, what names the route of a decoded path.

    Only for a middleware wrapped around Django; the middleware inside it reads the match itself.
    """
    if not any(base.__module__ == "django.core.handlers.base" for base in type(app).__mro__):
        return None
    return _resolve_django


def _resolve_django(path: str) -> str | None:
    urls = sys.modules["django.urls"]
    try:
        return route.from_django(urls.resolve(unquote(path)).route)
    except urls.Resolver404:
        return None
