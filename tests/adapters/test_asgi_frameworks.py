"""FastAPI, Starlette, Litestar, Quart and Django-ASGI under uvicorn, each with the same promises."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from litestar import Litestar
from litestar import get as litestar_get
from litestar import post as litestar_post
from litestar.params import FromPath, RawBody
from quart import Blueprint, Quart
from quart import request as quart_request
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from websockets.sync.client import connect

from tollkeeper.capture.asgi import TollkeeperMiddleware


def starlette_app(agent: Any) -> Any:
    async def pet(request: Request) -> JSONResponse:
        return JSONResponse({"id": request.path_params["pet_id"]})

    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    async def boom(request: Request) -> PlainTextResponse:
        raise ValueError("boom")

    app = Starlette(
        routes=[
            Route("/pets/{pet_id:int}", pet),
            Route("/echo", echo, methods=["POST"]),
            Route("/boom", boom),
            Mount("/shops/{shop}", routes=[Route("/pets/{pet_id:int}", pet)]),
        ]
    )
    app.add_middleware(TollkeeperMiddleware, agent=agent)
    return app


def fastapi_app(agent: Any) -> Any:
    app = FastAPI()
    router = APIRouter()

    @router.get("/pets/{pet_id}")
    def pet(pet_id: int) -> dict[str, int]:
        return {"id": pet_id}

    @app.post("/echo")
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    @app.get("/boom")
    def boom() -> None:
        raise ValueError("boom")

    app.include_router(router)
    app.include_router(router, prefix="/shops/{shop}")
    app.add_middleware(TollkeeperMiddleware, agent=agent)
    return app


def litestar_app(agent: Any) -> Any:
    @litestar_get("/pets/{pet_id:int}")
    async def pet(pet_id: FromPath[int]) -> dict[str, int]:
        return {"id": pet_id}

    @litestar_get("/shops/{shop:str}/pets/{pet_id:int}")
    async def shop_pet(shop: FromPath[str], pet_id: FromPath[int]) -> dict[str, int]:
        return {"id": pet_id}

    @litestar_post("/echo", status_code=200)
    async def echo(body: RawBody) -> bytes:
        return body

    @litestar_get("/boom")
    async def boom() -> None:
        raise ValueError("boom")

    app = Litestar([pet, shop_pet, echo, boom], openapi_config=None, logging_config=None)
    return TollkeeperMiddleware(app, agent=agent)


def quart_app(agent: Any) -> Any:
    app = Quart("shop")
    blueprint = Blueprint("pets", "pets")

    @blueprint.get("/pets/<int:pet_id>")
    async def pet(pet_id: int, shop: str = "") -> dict[str, int]:
        return {"id": pet_id}

    @app.post("/echo")
    async def echo() -> bytes:
        return await quart_request.get_data()

    @app.get("/boom")
    async def boom() -> str:
        raise ValueError("boom")

    app.register_blueprint(blueprint)
    app.register_blueprint(blueprint, url_prefix="/shops/<shop>", name="shops")
    app.logger.disabled = True
    app.asgi_app = TollkeeperMiddleware(app.asgi_app, agent=agent)  # type: ignore[method-assign]
    return app


def django_app(agent: Any) -> Any:
    from django.core.asgi import get_asgi_application

    return TollkeeperMiddleware(get_asgi_application(), agent=agent)


FRAMEWORKS = {
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
    "quart": quart_app,
    "django": django_app,
}


@pytest.fixture(params=FRAMEWORKS)
def served(request, capture, serve_asgi, django_site):
    return serve_asgi(FRAMEWORKS[request.param](capture.agent))


def test_a_call_is_recorded_with_its_route_and_sizes(served, capture):
    answer = httpx.get(f"http://{served}/pets/17?full=1", headers={"X-Trace": "t1"})
    event = capture.event()
    assert answer.json() == {"id": 17}
    assert event["request"]["route"] == "/pets/{pet_id}"
    assert event["request"]["uri"] == f"http://{served}/pets/17?full=1"
    assert (event["request"]["verb"], event["request"]["bytes"]) == ("GET", 0)
    assert event["request"]["headers"]["x-trace"] == "t1"
    assert event["response"]["status"] == 200
    assert event["response"]["bytes"] == len(answer.content)
    assert event["response"]["headers"]["content-type"].startswith("application/json")
    assert event.get("outcome") is None
    assert event["duration_us"] > 0
    assert event["direction"] == "Incoming"


def test_a_route_below_a_prefix_with_a_parameter_is_whole(served, capture):
    assert httpx.get(f"http://{served}/shops/acme/pets/17").status_code == 200
    assert capture.event()["request"]["route"] == "/shops/{shop}/pets/{pet_id}"


def test_a_request_body_is_counted_and_arrives_whole(served, capture):
    body = b"x" * 200_000
    answer = httpx.post(f"http://{served}/echo", content=body)
    event = capture.event()
    assert answer.content == body
    assert (event["request"]["bytes"], event["response"]["bytes"]) == (200_000, 200_000)


def test_an_exception_becomes_the_frameworks_500_and_an_event(served, capture):
    assert httpx.get(f"http://{served}/boom").status_code == 500
    event = capture.event()
    assert event["response"]["status"] == 500
    assert event["request"]["route"] == "/boom"


def test_an_unknown_path_is_an_event_without_its_ids(served, capture):
    assert httpx.get(f"http://{served}/nothing/12345").status_code == 404
    event = capture.event()
    assert event["response"]["status"] == 404
    assert event["request"]["route"] == "/nothing/{id}"


@pytest.mark.parametrize("outermost", [False, True])
def test_an_exception_is_told_inside_and_outside_of_the_error_page(capture, serve_asgi, outermost):
    async def boom(request: Request) -> PlainTextResponse:
        raise ValueError("boom")

    app = Starlette(routes=[Route("/boom", boom)])
    if outermost:
        served = serve_asgi(TollkeeperMiddleware(app, agent=capture.agent))
    else:
        app.add_middleware(TollkeeperMiddleware, agent=capture.agent)
        served = serve_asgi(app)
    assert httpx.get(f"http://{served}/boom").text == "Internal Server Error"
    event = capture.event()
    assert (event["response"]["status"], event["outcome"]) == (500, "exception")


def test_lifespan_reaches_the_application(capture, serve_asgi):
    order: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        order.append("up")
        yield {"pool": "of connections"}
        order.append("down")

    async def state(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.pool)

    app = Starlette(routes=[Route("/", state)], lifespan=lifespan)
    with_capture = TollkeeperMiddleware(app, agent=capture.agent)
    assert httpx.get(f"http://{serve_asgi(with_capture, lifespan='on')}/").text == "of connections"
    assert order == ["up"]
    capture.event()


@pytest.mark.parametrize(
    ("root_path", "path", "route"),
    [
        ("", "/files/a/b.txt", "/files/{path}"),
        ("/gw", "/files/a/b.txt", "/gw/files/{path}"),
        ("/gw", "/sub/deep/5", "/gw/sub/deep/{n}"),
        ("", "/sub/none/5", "/sub/none/{id}"),
    ],
)
def test_mounts_and_root_paths_are_part_of_the_route(
    capture, serve_asgi, tmp_path, root_path, path, route
):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("hello")
    sub = FastAPI()

    @sub.get("/deep/{n}")
    def deep(n: int) -> int:
        return n

    app = Starlette(routes=[Mount("/files", StaticFiles(directory=tmp_path)), Mount("/sub", sub)])
    app.add_middleware(TollkeeperMiddleware, agent=capture.agent)
    httpx.get(f"http://{serve_asgi(app, root_path=root_path)}{path}")
    event = capture.event()
    assert event["request"]["route"] == route
    assert event["request"]["uri"].endswith(root_path + path)


def test_a_program_may_name_the_route_itself(capture, serve_asgi):
    async def app(scope, receive, send):
        scope["tollkeeper.route"] = "/own/{thing}"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    httpx.get(f"http://{serve_asgi(TollkeeperMiddleware(app, agent=capture.agent))}/own/x")
    assert capture.event()["request"]["route"] == "/own/{thing}"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_callables_see_what_the_framework_left_in_the_scope(capture, serve_asgi, asynchronous):
    def user(request: Any, response: Any) -> str:
        return f"{request.user}/{request.headers['X-Team']}/{response.status_code}/{request.path_params['n']}"

    async def user_later(request: Any, response: Any) -> str:
        return user(request, response)

    agent = capture.with_options(
        identify_user=user_later if asynchronous else user,
        identify_company=lambda request, response: request.query_params["org"],
        get_metadata=lambda request, response: {"plan": request.state.plan},
    )

    async def endpoint(request: Request) -> PlainTextResponse:
        request.scope["user"] = "ann"
        request.state.plan = "gold"
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/n/{n:int}", endpoint)])
    app.add_middleware(TollkeeperMiddleware, agent=agent)
    httpx.get(f"http://{serve_asgi(app)}/n/3?org=acme", headers={"x-team": "red"})
    event = capture.event()
    assert (event["user_id"], event["company_id"]) == ("ann/red/200/3", "acme")
    assert event["metadata"]["plan"] == "gold"


def test_a_litestar_root_path_is_part_of_the_route(capture, serve_asgi):
    app = litestar_app(capture.agent)
    assert httpx.get(f"http://{serve_asgi(app, root_path='/gw')}/pets/17").status_code == 200
    assert capture.event()["request"]["route"] == "/gw/pets/{pet_id}"


def test_a_websocket_of_quart_has_its_route(capture, serve_asgi):
    app = Quart("chat")

    @app.websocket("/rooms/<int:room>")
    async def room(room: int) -> None:
        await quart_websocket.send(str(room))

    app.asgi_app = TollkeeperMiddleware(app.asgi_app, agent=capture.agent)  # type: ignore[method-assign]
    with connect(f"ws://{serve_asgi(app)}/rooms/3") as client:
        assert client.recv() == "3"
    event = capture.event()
    assert (event["request"]["route"], event["outcome"]) == ("/rooms/{room}", "websocket")
