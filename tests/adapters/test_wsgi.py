"""WSGI: what PEP 3333 asks of a middleware, and Flask, Bottle and Django around a real server."""

from __future__ import annotations

import io
import socket
import sys
import threading
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import bottle
import flask
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper.capture.call import Call
from tollkeeper.capture.options import Options
from tollkeeper.capture.stats import Counts
from tollkeeper.capture.wsgi import TollkeeperMiddleware
from tollkeeper.clock import SYSTEM_CLOCK


class Recorder:
    """The agent's interface with a list in the place of a queue."""

    def __init__(self, *, body_limit_bytes: int = 0) -> None:
        self.clock = SYSTEM_CLOCK
        self.counts = Counts()
        # With a callable, so that the views which callables get are made.
        self.options = Options(application_id="x", skip=lambda request, response: False)
        self.body_limit_bytes = body_limit_bytes
        self.calls: list[Call] = []
        self.on_finish: Any = lambda: None

    def finish(self, call: Call) -> None:
        self.on_finish()
        self.calls.append(call)


class Failure(Exception):
    pass


class Result:
    """An application's result that counts how often it is closed."""

    def __init__(self, blocks: list[Any], *, fails: bool = False, sized: bool = False) -> None:
        self.blocks = blocks
        self.fails = fails
        self.closed_count = 0

    def __iter__(self):
        yield from self.blocks
        if self.fails:
            raise Failure("while iterating")

    def close(self) -> None:
        self.closed_count += 1


def environ_of(**more: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ["HTTP_HOST"] = "api.test"
    environ["QUERY_STRING"] = ""
    environ.update(more)
    return environ


def serve(app: Any, environ: dict[str, Any], *, blocks: int | None = None) -> list[Any]:
    """One call as a server makes it: everything noted, `blocks` taken before the client leaves."""
    seen: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append(("start", status, list(headers), exc_info and str(exc_info[1])))
        return lambda block: seen.append(("write", block))

    try:
        result = app(environ, start_response)
        try:
            iterator = iter(result)
            for _ in range(1000 if blocks is None else blocks):
                try:
                    seen.append(("block", next(iterator)))
                except StopIteration:
                    break
        finally:
            if hasattr(result, "close"):
                result.close()
    except Exception as error:  # noqa: BLE001 - handed to the test
        seen.append(("raised", type(error), str(error)))
    return seen


ACTIONS = st.lists(
    st.one_of(
        st.sampled_from(["start", "restart", "read", "raise"]),
        st.tuples(st.just("write"), st.binary(max_size=5)),
    ),
    max_size=5,
)


def scripted(actions: list[Any], blocks: list[bytes], *, fails: bool, kind: str) -> Any:
    """An application that does what the script says, then returns blocks of some kind."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write: Any = None
        for action in actions:
            if action == "start":
                write = start_response("200 OK", [("X-A", "1")])
            elif action == "restart":
                try:
                    raise Failure("replaced")
                except Failure:
                    write = start_response("503 Busy", [("X-B", "2")], sys.exc_info()[:2])
            elif action == "read":
                environ["wsgi.input"].read(2)
            elif action == "raise":
                raise Failure("in the call")
            elif write is not None:
                write(action[1])
        return blocks if kind == "list" else Result(blocks, fails=fails)

    return app


CALLS = {
    "actions": ACTIONS,
    "blocks": st.lists(st.binary(max_size=5), max_size=4),
    "fails": st.booleans(),
    "kind": st.sampled_from(["list", "result"]),
    "taken": st.none() | st.integers(0, 3),
    "body": st.binary(max_size=6),
    "method": st.sampled_from(["GET", "HEAD", "POST"]),
}


def compare(middleware: Any, actions, blocks, fails, kind, taken, body, method) -> None:
    """Fails when the call differs from the one without the middleware."""

    def environ() -> dict[str, Any]:
        return environ_of(
            REQUEST_METHOD=method, CONTENT_LENGTH=str(len(body)), **{"wsgi.input": io.BytesIO(body)}
        )

    agent = Recorder(body_limit_bytes=4)
    app = scripted(actions, blocks, fails=fails, kind=kind)
    bare = serve(app, environ(), blocks=taken)
    watched = serve(middleware(app, agent=agent), environ(), blocks=taken)
    assert watched == bare
    assert agent.counts.errors == {}
    (call,) = agent.calls
    sent = sum(len(entry[1]) for entry in bare if entry[0] in ("write", "block"))
    assert call.response_bytes == (0 if method == "HEAD" else sent)
    reads = len([action for action in _until_raise(actions) if action == "read"])
    assert call.request_bytes == min(2 * reads, len(body))


@given(**CALLS)
def test_any_call_is_the_same_with_and_without_capture(**call):
    compare(TollkeeperMiddleware, **call)


class ListsAll(TollkeeperMiddleware):
    """Asks for all blocks before the server asks for the first."""

    def __call__(self, environ, start_response):
        return list(super().__call__(environ, start_response))


class ForgetsClose(TollkeeperMiddleware):
    """Does not let the server close the result."""

    def __call__(self, environ, start_response):
        return iter(super().__call__(environ, start_response))


class LosesExcInfo(TollkeeperMiddleware):
    """Starts the response anew without saying why."""

    def __call__(self, environ, start_response):
        return super().__call__(
            environ, lambda status, headers, exc_info=None: start_response(status, headers)
        )


@pytest.mark.parametrize("fault", [ListsAll, ForgetsClose, LosesExcInfo])
def test_the_comparison_finds_a_planted_fault(fault):
    @settings(database=None, report_multiple_bugs=False, max_examples=500)
    @given(**CALLS)
    def check(**call):
        compare(fault, **call)

    with pytest.raises((AssertionError, ValueError)):
        check()


def _until_raise(actions: list[Any]) -> list[Any]:
    return actions[: actions.index("raise")] if "raise" in actions else actions


def simple(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def test_the_standard_librarys_validator_has_no_complaint_on_either_side():
    agent = Recorder(body_limit_bytes=10)

    def reads(environ, start_response):
        stream = environ["wsgi.input"]
        stream.readline(2), stream.read(1), stream.readlines(1), list(stream)
        return simple(environ, start_response)

    app = validator(TollkeeperMiddleware(validator(reads), agent=agent))
    body = b"a\nb\nc\nd"
    environ = environ_of(
        REQUEST_METHOD="POST", CONTENT_LENGTH=str(len(body)), **{"wsgi.input": io.BytesIO(body)}
    )
    seen = serve(app, environ)
    assert [entry[0] for entry in seen] == ["start", "block"]
    assert agent.calls[0].request_body == body[:10]


def test_everything_known_of_a_call_is_in_its_event():
    agent = Recorder(body_limit_bytes=4)

    def app(environ, start_response):
        assert environ["wsgi.input"].read() == b"hello"
        start_response("201 Made", [("X-Made", "é")])
        return [b"wor", b"ld!"]

    environ = environ_of(
        REQUEST_METHOD="POST",
        RAW_URI="/a%2Fb/17?q=1&q=2",
        QUERY_STRING="q=1&q=2",
        REMOTE_ADDR="10.0.0.9",
        CONTENT_LENGTH="5",
        CONTENT_TYPE="text/plain",
        HTTP_X_A="1",
        **{"wsgi.input": io.BytesIO(b"hello")},
    )
    serve(TollkeeperMiddleware(app, agent=agent), environ)
    (call,) = agent.calls
    assert (call.method, call.scheme, call.host, call.path, call.query, call.peer_ip) == (
        "POST",
        "http",
        "api.test",
        "/a%2Fb/17",
        "q=1&q=2",
        "10.0.0.9",
    )
    assert sorted(call.request_headers) == [
        ("content-length", "5"),
        ("content-type", "text/plain"),
        ("host", "api.test"),
        ("x-a", "1"),
    ]
    assert (call.status, call.response_headers, call.outcome) == (201, [("x-made", "é")], None)
    assert (call.request_bytes, call.request_body, call.request_truncated) == (5, b"hell", True)
    assert (call.response_bytes, call.response_body, call.response_truncated) == (6, b"worl", True)
    assert call.request.method == "POST"
    assert call.request.headers["x-A"] == "1"
    assert call.request.environ is environ


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"REQUEST_URI": "/x%20y?z"}, "/x%20y"),
        ({"RAW_URI": "http://h/abs", "PATH_INFO": "/abs"}, "/abs"),
        ({"SCRIPT_NAME": "/base", "PATH_INFO": "/caf\xc3\xa9 1"}, "/base/caf%C3%A9%201"),
        ({"SCRIPT_NAME": "", "PATH_INFO": ""}, "/"),
    ],
)
def test_the_path_is_as_received_or_quoted_again(keys, path):
    agent = Recorder()
    serve(TollkeeperMiddleware(simple, agent=agent), environ_of(**keys))
    assert agent.calls[0].path == path


def test_nothing_is_done_for_the_event_before_the_server_is_done():
    agent = Recorder()
    order: list[str] = []
    agent.on_finish = lambda: order.append("event")

    class Closing(Result):
        def close(self) -> None:
            super().close()
            order.append("close")

    closing = Closing([b"1", b"2"])

    def app(environ, start_response):
        start_response("200 OK", [])
        return closing

    result = TollkeeperMiddleware(app, agent=agent)(environ_of(), lambda *_: None)
    assert list(result) == [b"1", b"2"]
    assert order == []
    result.close()
    result.close()
    assert order == ["close", "event"]
    assert closing.closed_count == 1


def test_a_block_is_asked_for_only_when_the_server_asks():
    asked: list[int] = []

    def app(environ, start_response):
        start_response("200 OK", [])
        for number in range(3):
            asked.append(number)
            yield b"x"

    result = TollkeeperMiddleware(app, agent=Recorder())(environ_of(), lambda *_: None)
    iterator = iter(result)
    assert asked == []
    next(iterator)
    assert asked == [0]


@pytest.mark.parametrize("sent", [0, 2])
def test_the_applications_exception_comes_out_as_the_same_object(sent):
    agent = Recorder()
    raised = Failure("once")

    def app(environ, start_response):
        start_response("200 OK", [])
        yield from [b"x"] * sent
        raise raised

    result = TollkeeperMiddleware(app, agent=agent)(environ_of(), lambda *_: None)
    with pytest.raises(Failure) as caught:
        list(result)
    result.close()
    assert caught.value is raised
    # Without a block the server could still answer 500; after one the client was told 200.
    assert (agent.calls[0].status, agent.calls[0].outcome) == (200 if sent else 500, "exception")


def test_a_client_that_leaves_is_a_disconnect():
    agent = Recorder()

    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"1"
        yield b"2"

    serve(TollkeeperMiddleware(app, agent=agent), environ_of(), blocks=1)
    assert (agent.calls[0].status, agent.calls[0].outcome, agent.calls[0].response_bytes) == (
        200,
        "disconnect",
        1,
    )


def test_a_single_block_keeps_its_length_so_that_servers_can_announce_it(serve_wsgi):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"seven b"]

    answer = httpx.get(f"http://{serve_wsgi(TollkeeperMiddleware(app, agent=Recorder()))}/")
    assert answer.headers["content-length"] == "7"


def test_a_file_wrapper_reaches_the_server_as_it_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    agent = Recorder()
    opened = path.open("rb")
    opened.seek(4)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](opened)

    result = TollkeeperMiddleware(app, agent=agent)(
        environ_of(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: None
    )
    assert type(result) is FileWrapper
    assert result.filelike is opened
    assert agent.calls == []
    result.close()
    assert opened.closed
    assert (agent.calls[0].response_bytes, agent.calls[0].outcome) == (6, None)


def test_a_file_wrapper_that_cannot_be_watched_is_counted_block_by_block():
    class Sealed:
        __slots__ = ("blocks",)

        def __init__(self, blocks):
            self.blocks = blocks

        def __iter__(self):
            return iter(self.blocks)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Sealed([b"ab", b"c"])

    agent = Recorder()
    serve(TollkeeperMiddleware(app, agent=agent), environ_of(**{"wsgi.file_wrapper": Sealed}))
    assert (agent.calls[0].response_bytes, agent.calls[0].outcome) == (3, None)


def flask_app(agent: Any, *, acknowledged: threading.Event) -> Any:
    app = flask.Flask("shop")
    pets = flask.Blueprint("pets", "pets")

    @pets.get("/pets/<int:pet_id>")
    def pet(pet_id: int, shop: str = "") -> dict[str, int]:
        return {"id": pet_id}

    @app.post("/echo")
    def echo() -> bytes:
        return flask.request.get_data()

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom")

    @app.get("/stream")
    def stream() -> Any:
        def chunks() -> Any:
            yield b"first"
            assert acknowledged.wait(10)
            yield b"second"

        return flask.Response(chunks())

    @app.post("/ack")
    def ack() -> str:
        acknowledged.set()
        return "ok"

    app.register_blueprint(pets)
    app.register_blueprint(pets, url_prefix="/shops/<shop>", name="shops")
    app.logger.disabled = True
    app.wsgi_app = TollkeeperMiddleware(app.wsgi_app, agent=agent)  # type: ignore[method-assign]
    return app


def bottle_app(agent: Any, *, acknowledged: threading.Event) -> Any:
    app = bottle.Bottle()

    @app.get("/pets/<pet_id:int>")
    @app.get("/shops/<shop>/pets/<pet_id:int>")
    def pet(pet_id: int, shop: str = "") -> dict[str, int]:
        return {"id": pet_id}

    @app.post("/echo")
    def echo() -> bytes:
        return bottle.request.body.read()

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom")

    @app.get("/stream")
    def stream() -> Any:
        yield b"first"
        assert acknowledged.wait(10)
        yield b"second"

    @app.post("/ack")
    def ack() -> str:
        acknowledged.set()
        return "ok"

    def quiet(environ: dict[str, Any], start_response: Any) -> Any:
        environ["wsgi.errors"] = io.StringIO()
        return app(environ, start_response)

    return TollkeeperMiddleware(quiet, agent=agent)


def django_app(agent: Any, *, acknowledged: threading.Event) -> Any:
    from django.core.wsgi import get_wsgi_application

    return TollkeeperMiddleware(get_wsgi_application(), agent=agent)


@pytest.fixture(params=[flask_app, bottle_app, django_app])
def served(request, capture, serve_wsgi, django_site):
    return "http://" + serve_wsgi(
        request.param(capture.agent, acknowledged=django_site.acknowledged)
    )


@pytest.mark.parametrize(
    ("path", "route"),
    [("/pets/17", "/pets/{pet_id}"), ("/shops/acme/pets/17", "/shops/{shop}/pets/{pet_id}")],
)
def test_a_call_is_recorded_with_its_route_and_sizes(served, capture, path, route):
    answer = httpx.get(f"{served}{path}?full=1", headers={"X-Trace": "t1"})
    event = capture.event()
    assert answer.json() == {"id": 17}
    assert event["request"]["route"] == route
    assert event["request"]["uri"] == f"{served}{path}?full=1"
    assert event["request"]["headers"]["x-trace"] == "t1"
    assert (event["response"]["status"], event["response"]["bytes"]) == (200, len(answer.content))
    assert event.get("outcome") is None


def test_a_request_body_is_counted_and_arrives_whole(served, capture):
    answer = httpx.post(f"{served}/echo", content=b"x" * 100_000)
    event = capture.event()
    assert answer.content == b"x" * 100_000
    assert (event["request"]["bytes"], event["response"]["bytes"]) == (100_000, 100_000)


def test_an_exception_becomes_the_frameworks_500_and_an_event(served, capture):
    assert httpx.get(f"{served}/boom").status_code == 500
    event = capture.event()
    assert (event["response"]["status"], event["request"]["route"]) == (500, "/boom")


def test_an_unknown_path_is_an_event_without_its_ids(served, capture):
    assert httpx.get(f"{served}/nothing/12345").status_code == 404
    event = capture.event()
    assert (event["response"]["status"], event["request"]["route"]) == (404, "/nothing/{id}")


def test_head_is_recorded_without_a_body(served, capture):
    assert httpx.head(f"{served}/pets/17").status_code in (200, 405)
    event = capture.event()
    assert (event["request"]["verb"], event["response"]["bytes"], event.get("outcome")) == (
        "HEAD",
        0,
        None,
    )


def test_a_chunk_reaches_the_client_before_the_next_one_is_made(served, capture):
    with httpx.stream("GET", f"{served}/stream") as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"first"
        acked = httpx.post(f"{served}/ack")
        assert acked.text == "ok"
        assert b"".join(chunks) == b"second"
    streamed = next(event for event in capture.events(2) if event["request"]["route"] == "/stream")
    assert (streamed["response"]["bytes"], streamed.get("outcome")) == (11, None)


def test_a_client_that_leaves_a_real_server_is_a_disconnect(capture, serve_wsgi):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        for _ in range(10_000):
            yield b"x" * 65536

    host, port = serve_wsgi(TollkeeperMiddleware(app, agent=capture.agent)).split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000)
    event = capture.event()
    assert (event["response"]["status"], event["outcome"]) == (200, "disconnect")
    assert 0 < event["response"]["bytes"] < 10_000 * 65536


def test_werkzeugs_dispatcher_is_part_of_the_route(capture, serve_wsgi):
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    inner = flask.Flask("inner")

    @inner.get("/x/<int:n>")
    def x(n: int) -> str:
        return str(n)

    app = TollkeeperMiddleware(DispatcherMiddleware(simple, {"/sub": inner}), agent=capture.agent)
    assert httpx.get(f"http://{serve_wsgi(app)}/sub/x/5").text == "5"
    assert capture.event()["request"]["route"] == "/sub/x/{n}"


def test_callables_see_the_environ_and_the_response(capture, serve_wsgi):
    def app(environ, start_response):
        environ["REMOTE_USER"] = "ann"
        return simple(environ, start_response)

    agent = capture.with_options(
        identify_user=lambda request, response: request.user,
        identify_company=lambda request, response: request.environ["HTTP_X_ORG"],
        get_metadata=lambda request, response: {
            "status": response.status_code,
            "path": request.path,
        },
    )
    httpx.get(
        f"http://{serve_wsgi(TollkeeperMiddleware(app, agent=agent))}/a/b",
        headers={"X-Org": "acme"},
    )
    event = capture.event()
    assert (event["user_id"], event["company_id"]) == ("ann", "acme")
    assert event["metadata"] == {"status": 200, "path": "/a/b"}
