"""An ASGI application and its server see the same conversation with the middleware as without."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper.capture.asgi import TollkeeperMiddleware
from tollkeeper.capture.call import Call
from tollkeeper.capture.header import decoded
from tollkeeper.capture.options import Options
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import SYSTEM_CLOCK


class Recorder:
    """The agent's interface with a list in the place of a queue."""

    def __init__(self, *, body_limit_bytes: int = 0, asynchronous: bool = False) -> None:
        self.clock = SYSTEM_CLOCK
        self.counts = Counts()
        # With a callable, so that the views which callables get are made.
        self.options = Options(application_id="x", skip=lambda request, response: False)
        self.body_limit_bytes = body_limit_bytes
        self.asynchronous = asynchronous
        self.calls: list[Call] = []
        self.on_finish: Any = lambda: None

    def finish(self, call: Call) -> None:
        self.on_finish()
        self.calls.append(call)

    async def finish_async(self, call: Call) -> None:
        await asyncio.sleep(0)
        self.finish(call)


class Failure(Exception):
    pass


class Gone(OSError):
    pass


class Server:
    """The server's side of one connection: scripted messages in, everything noted that comes out."""

    def __init__(self, incoming: list[dict[str, Any]], *, gone_after: int | None = None) -> None:
        self.incoming = list(incoming)
        self.seen: list[Any] = []
        self.gone_after = gone_after

    async def receive(self) -> dict[str, Any]:
        message = self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}
        self.seen.append(("receive", message))
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if (
            self.gone_after is not None
            and len([s for s in self.seen if s[0] == "send"]) >= self.gone_after
        ):
            raise Gone
        self.seen.append(("send", message))


def scope_of(kind: str = "http", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "scheme": "http",
        "path": "/pets/17",
        "raw_path": b"/pets/17",
        "query_string": b"a=1&a=2",
        "root_path": "",
        "headers": [(b"host", b"api.test:81"), (b"x-a", b"\xe9"), (b"x-a", b"2")],
        "client": ("10.0.0.9", 5),
        "server": ("127.0.0.1", 81),
        "state": {},
        **more,
    }


def drive(app: Any, scope: dict[str, Any], server: Server) -> BaseException | None:
    """Runs one connection; gives back what the application raised."""
    try:
        asyncio.run(app(scope, server.receive, server.send))
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - handed to the test
        return error
    return None


def scripted(script: list[Any]) -> Any:
    """An application that does what the script says, in that order."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in script:
            if step == "receive":
                scope["state"].setdefault("got", []).append(await receive())
            elif step == "raise":
                raise Failure("from the application")
            elif step == "cancel":
                raise asyncio.CancelledError
            else:
                await send(dict(step))

    return app


HEADERS = st.lists(
    st.tuples(st.sampled_from([b"content-type", b"Set-Cookie", b"X-\xe9"]), st.binary(max_size=5)),
    max_size=3,
)
STEPS = st.one_of(
    st.just("receive"),
    st.just("raise"),
    st.just("cancel"),
    st.builds(
        lambda status, headers, trailers: {
            "type": "http.response.start",
            "status": status,
            "headers": headers,
            "trailers": trailers,
        },
        st.sampled_from([200, 204, 404, 500, 503]),
        HEADERS,
        st.booleans(),
    ),
    st.builds(
        lambda body, more: {"type": "http.response.body", "body": body, "more_body": more},
        st.binary(max_size=8),
        st.booleans(),
    ),
    st.just({"type": "http.response.body"}),
    st.just({"type": "http.response.body", "body": None}),
    st.just({"type": "http.response.trailers", "headers": [(b"x", b"y")], "more_trailers": False}),
    st.just({"type": "http.response.early_hint", "links": [b"</s.css>; rel=preload"]}),
    st.just({"type": "http.response.debug", "info": {}}),
)
INCOMING = st.lists(
    st.builds(
        lambda body, more: {"type": "http.request", "body": body, "more_body": more},
        st.binary(max_size=8),
        st.booleans(),
    ),
    max_size=3,
)


CONVERSATIONS = {
    "script": st.lists(STEPS, max_size=8),
    "incoming": INCOMING,
    "gone_after": st.none() | st.integers(0, 3),
    "limit": st.sampled_from([0, 4]),
    "asynchronous": st.booleans(),
    "method": st.sampled_from(["GET", "HEAD", "POST"]),
}


def compare(middleware: Any, script, incoming, gone_after, limit, asynchronous, method) -> None:
    """Fails when the conversation differs from the one without the middleware."""
    agent = Recorder(body_limit_bytes=limit, asynchronous=asynchronous)
    bare, watched = (Server(incoming, gone_after=gone_after) for _ in range(2))
    bare_scope, scope = scope_of(method=method), scope_of(method=method)
    bare_error = drive(scripted(script), bare_scope, bare)
    error = drive(middleware(scripted(script), agent=agent), scope, watched)
    assert watched.seen == bare.seen
    assert (type(error), str(error)) == (type(bare_error), str(bare_error))
    assert scope == bare_scope
    assert len(agent.calls) == 1
    assert agent.counts.errors == {}
    sent = b"".join(s[1].get("body") or b"" for s in watched.seen if s[0] == "send")
    received = b"".join(s[1].get("body") or b"" for s in watched.seen if s[0] == "receive")
    call = agent.calls[0]
    assert call.response_bytes <= (0 if method == "HEAD" else len(sent))
    assert call.request_bytes <= len(received)
    if limit and call.response_body is not None:
        assert sent.startswith(call.response_body)
        assert len(call.response_body) <= limit


@given(**CONVERSATIONS)
def test_any_conversation_is_the_same_with_and_without_capture(**conversation):
    compare(TollkeeperMiddleware, **conversation)


class Faulty(TollkeeperMiddleware):
    """Ours with a fault between it and the application, for the comparison to find."""

    def __init__(self, app: Any, agent: Any) -> None:
        async def faulty(scope: Any, receive: Any, send: Any) -> None:
            await self.misbehave(app, scope, receive, send)

        super().__init__(faulty, agent=agent)


class ReadsAhead(Faulty):
    async def misbehave(self, app, scope, receive, send):
        waiting = [await receive()]

        async def next_message():
            return waiting.pop() if waiting else await receive()

        await app(scope, next_message, send)


class HoldsBack(Faulty):
    async def misbehave(self, app, scope, receive, send):
        held = []

        async def hold(message):
            held.append(message)

        await app(scope, receive, hold)
        for message in held:
            await send(message)


class Swallows(Faulty):
    async def misbehave(self, app, scope, receive, send):
        with contextlib.suppress(Exception):
            await app(scope, receive, send)


class DropsUnknown(Faulty):
    async def misbehave(self, app, scope, receive, send):
        async def known(message):
            if message["type"] != "http.response.debug":
                await send(message)

        await app(scope, receive, known)


@pytest.mark.parametrize("fault", [ReadsAhead, HoldsBack, Swallows, DropsUnknown])
def test_the_comparison_finds_a_planted_fault(fault):
    @settings(database=None, report_multiple_bugs=False, max_examples=500)
    @given(**CONVERSATIONS)
    def check(**conversation):
        compare(fault, **conversation)

    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("started", [False, True])
def test_the_applications_exception_comes_out_as_the_same_object(started):
    raised = Failure("once")

    async def app(scope, receive, send):
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"par", "more_body": True})
        raise raised

    agent = Recorder()
    assert drive(TollkeeperMiddleware(app, agent=agent), scope_of(), Server([])) is raised
    call = agent.calls[0]
    # The client of a response that had begun was told 200 and then cut off: that is what is told.
    assert (call.status, call.outcome, call.response_bytes) == (
        (200, "exception", 3) if started else (500, "exception", 0)
    )


def test_everything_known_of_a_call_is_in_its_event():
    async def app(scope, receive, send):
        assert (await receive())["body"] == b"hello"
        await send(
            {"type": "http.response.start", "status": 201, "headers": [(b"X-Made", b"\xe9")]}
        )
        await send({"type": "http.response.body", "body": b"worl", "more_body": True})
        await send({"type": "http.response.body", "body": b"d!"})

    agent = Recorder(body_limit_bytes=5)
    scope = scope_of(method="POST")
    server = Server([{"type": "http.request", "body": b"hello", "more_body": False}])
    before = SYSTEM_CLOCK.now_us()
    assert drive(TollkeeperMiddleware(app, agent=agent), scope, server) is None
    call = agent.calls[0]
    assert before <= call.time_us <= SYSTEM_CLOCK.now_us()
    assert 0 <= call.duration_us <= SYSTEM_CLOCK.now_us() - before
    assert (call.method, call.scheme, call.host, call.path, call.query) == (
        "POST",
        "http",
        "api.test:81",
        "/pets/17",
        "a=1&a=2",
    )
    assert decoded(call.request_headers) == [("host", "api.test:81"), ("x-a", "é"), ("x-a", "2")]
    assert decoded(call.response_headers) == [("x-made", "é")]
    assert (call.status, call.outcome, call.peer_ip, call.direction) == (
        201,
        None,
        "10.0.0.9",
        "Incoming",
    )
    assert (call.request_bytes, call.request_body, call.request_truncated) == (5, b"hello", False)
    assert (call.response_bytes, call.response_body, call.response_truncated) == (6, b"world", True)
    assert call.request.headers["X-A"] == "é"
    assert call.request.query_params == {"a": "2"}
    assert call.response.status_code == 201


def test_nothing_is_done_for_the_event_before_the_last_byte_is_with_the_server():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await send({"type": "http.response.body", "body": b"2"})

    agent, server = Recorder(), Server([])
    seen: list[int] = []
    agent.on_finish = lambda: seen.append(len(server.seen))
    drive(TollkeeperMiddleware(app, agent=agent), scope_of(), server)
    assert seen == [3]


def test_an_event_does_not_wait_for_background_work_after_the_response():
    order: list[str] = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        order.append("background")

    agent = Recorder()
    agent.on_finish = lambda: order.append("event")
    drive(TollkeeperMiddleware(app, agent=agent), scope_of(), Server([]))
    assert order == ["event", "background"]


def test_messages_are_the_very_objects_that_the_application_sent():
    messages = [
        {"type": "http.response.early_hint", "links": []},
        {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
        {"type": "http.response.body", "body": memoryview(b"abc"), "more_body": False},
        {"type": "http.response.trailers", "headers": [], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [], "more_trailers": False},
    ]

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    agent, server = Recorder(body_limit_bytes=10), Server([])
    at_finish: list[int] = []
    agent.on_finish = lambda: at_finish.append(len(server.seen))
    drive(TollkeeperMiddleware(app, agent=agent), scope_of(), server)
    assert all(seen[1] is sent for seen, sent in zip(server.seen, messages, strict=True))
    assert at_finish == [5]
    assert (agent.calls[0].response_bytes, agent.calls[0].response_body) == (3, b"abc")


@pytest.mark.parametrize("announced", [[], [(b"Content-Length", b"7")]])
def test_a_file_sent_by_the_server_counts_with_its_size(tmp_path, announced):
    file = tmp_path / "file"
    file.write_bytes(b"seven b")

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": announced})
        await send({"type": "http.response.pathsend", "path": str(file)})

    agent = Recorder()
    drive(TollkeeperMiddleware(app, agent=agent), scope_of(), Server([]))
    assert (agent.calls[0].response_bytes, agent.calls[0].outcome) == (7, None)


def test_zero_copy_pieces_count_with_their_sizes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"seven b")
    with path.open("rb") as file:

        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send(
                {"type": "http.response.zerocopysend", "file": file, "count": 2, "more_body": True}
            )
            await send({"type": "http.response.zerocopysend", "file": file, "offset": 3})

        agent = Recorder()
        drive(TollkeeperMiddleware(app, agent=agent), scope_of(), Server([]))
    assert agent.calls[0].response_bytes == 2 + 4


def test_a_missing_file_is_the_applications_failure_and_not_a_disconnect():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/nonexistent"})

    class FileServer(Server):
        async def send(self, message):
            await super().send(message)
            if message["type"] == "http.response.pathsend":
                raise FileNotFoundError

    agent = Recorder()
    assert isinstance(
        drive(TollkeeperMiddleware(app, agent=agent), scope_of(), FileServer([])), FileNotFoundError
    )
    assert agent.calls[0].outcome == "exception"


@pytest.mark.parametrize(
    ("script", "gone_after", "status", "outcome"),
    [
        (["receive", "raise"], None, 0, "disconnect"),
        (
            [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}],
            1,
            200,
            "disconnect",
        ),
        (["cancel"], None, 0, "disconnect"),
        ([], None, 500, "exception"),
        ([{"type": "http.response.start", "status": 200}], None, 200, "exception"),
        ([{"type": "http.response.start", "status": 200}, "receive"], None, 200, "disconnect"),
        (
            [
                {"type": "http.response.start", "status": 200},
                {"type": "http.response.body"},
                "receive",
            ],
            None,
            200,
            None,
        ),
        (
            [
                {"type": "http.response.start", "status": 503},
                {"type": "http.response.body"},
                "receive",
            ],
            None,
            503,
            None,
        ),
        (
            [
                {"type": "http.response.start", "status": 500},
                {"type": "http.response.body"},
                "raise",
            ],
            None,
            500,
            "exception",
        ),
    ],
)
def test_how_a_call_ended_is_told(script, gone_after, status, outcome):
    agent = Recorder()
    drive(
        TollkeeperMiddleware(scripted(script), agent=agent),
        scope_of(),
        Server([], gone_after=gone_after),
    )
    assert (agent.calls[0].status, agent.calls[0].outcome) == (status, outcome)


def test_the_body_of_an_answer_to_head_is_not_counted():
    script = [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]},
        {"type": "http.response.body", "body": b"abc"},
    ]
    agent = Recorder(body_limit_bytes=10)
    drive(TollkeeperMiddleware(scripted(script), agent=agent), scope_of(method="HEAD"), Server([]))
    assert (agent.calls[0].response_bytes, agent.calls[0].response_body) == (0, None)


def test_other_kinds_of_connection_pass_untouched():
    given: list[Any] = []

    async def app(scope, receive, send):
        given.extend([scope, receive, send])

    agent, server = Recorder(), Server([])
    scope = {"type": "something.new"}
    receive, send = server.receive, server.send
    asyncio.run(TollkeeperMiddleware(app, agent=agent)(scope, receive, send))
    assert given[0] is scope
    assert given[1] is receive
    assert given[2] is send
    assert agent.calls == []


def test_lifespan_is_unchanged_and_delivers_what_is_queued_before_its_end():
    script = [
        "receive",
        {"type": "lifespan.startup.complete"},
        "receive",
        {"type": "lifespan.shutdown.complete"},
    ]
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    class Flushing(Recorder):
        def flush_last(self) -> None:
            seen.append(len(server.seen))

    seen: list[int] = []
    bare, server = Server(incoming), Server(incoming)
    drive(scripted(script), {"type": "lifespan", "state": {}}, bare)
    app = TollkeeperMiddleware(scripted(script), agent=Flushing())
    assert drive(app, {"type": "lifespan", "state": {}}, server) is None
    assert server.seen == bare.seen
    assert seen == [3]


@pytest.mark.parametrize(
    ("incoming", "script", "status", "outcome", "sizes"),
    [
        (
            [
                {"type": "websocket.connect"},
                {"type": "websocket.receive", "text": "é"},
                {"type": "websocket.disconnect"},
            ],
            [
                "receive",
                {"type": "websocket.accept"},
                "receive",
                {"type": "websocket.send", "bytes": b"abc"},
                {"type": "websocket.send", "text": "de"},
                "receive",
            ],
            101,
            "websocket",
            (2, 5),
        ),
        (
            [{"type": "websocket.connect"}],
            ["receive", {"type": "websocket.close"}],
            403,
            None,
            (0, 0),
        ),
        (
            [{"type": "websocket.connect"}],
            [
                "receive",
                {"type": "websocket.http.response.start", "status": 418, "headers": []},
                {"type": "websocket.http.response.body", "body": b"tea"},
            ],
            418,
            None,
            (0, 3),
        ),
        ([{"type": "websocket.connect"}], ["receive", "raise"], 500, "exception", (0, 0)),
        (
            [{"type": "websocket.connect"}],
            ["receive", {"type": "websocket.accept"}, "raise"],
            101,
            "exception",
            (0, 0),
        ),
        ([{"type": "websocket.connect"}], ["receive"], 500, "exception", (0, 0)),
        (
            [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}],
            ["receive", "receive"],
            0,
            "disconnect",
            (0, 0),
        ),
        (
            [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}],
            ["receive", {"type": "websocket.accept"}, "receive", "raise"],
            101,
            "websocket",
            (0, 0),
        ),
    ],
)
def test_a_websocket_is_one_event_with_its_bytes_both_ways(
    incoming, script, status, outcome, sizes
):
    agent = Recorder()
    scope = scope_of("websocket", scheme="ws")
    del scope["method"]
    bare, watched = Server(incoming), Server(incoming)
    first = drive(scripted(script), copy.deepcopy(scope), bare)
    second = drive(TollkeeperMiddleware(scripted(script), agent=agent), scope, watched)
    assert watched.seen == bare.seen
    assert type(first) is type(second)
    (call,) = agent.calls
    assert (call.method, call.scheme, call.status, call.outcome) == ("GET", "ws", status, outcome)
    assert (call.request_bytes, call.response_bytes) == sizes


def test_an_event_is_not_lost_when_the_host_is_cancelled_in_its_own_callable():
    class Slow(Recorder):
        entered = asyncio.Event()

        async def finish_async(self, call):
            self.entered.set()
            await asyncio.Event().wait()

    agent = Slow(asynchronous=True)
    app = TollkeeperMiddleware(
        scripted([{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]),
        agent=agent,
    )

    async def main() -> None:
        server = Server([])
        task = asyncio.create_task(app(scope_of(), server.receive, server.send))
        await agent.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(agent.calls) == 1


@pytest.mark.parametrize(
    ("scope", "host", "path", "peer"),
    [
        ({"headers": [], "server": ("10.0.0.1", 8000)}, "10.0.0.1:8000", "/pets/17", "10.0.0.9"),
        (
            {"headers": [], "server": ("/run/app.sock", None), "client": None},
            "/run/app.sock",
            "/pets/17",
            "",
        ),
        ({"headers": [], "server": None}, "", "/pets/17", "10.0.0.9"),
        ({"raw_path": None, "path": "/caf\xe9 1"}, "api.test:81", "/caf%C3%A9%201", "10.0.0.9"),
        ({"raw_path": b"/pets/17?token=t"}, "api.test:81", "/pets/17", "10.0.0.9"),
        ({"raw_path": b"http://u:p@h/pets/17"}, "api.test:81", "/pets/17", "10.0.0.9"),
    ],
)
def test_what_a_server_leaves_out_is_made_up_for(scope, host, path, peer):
    agent = Recorder()
    script = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]
    drive(TollkeeperMiddleware(scripted(script), agent=agent), scope_of(**scope), Server([]))
    (call,) = agent.calls
    assert (call.host, call.path, call.peer_ip) == (host, path, peer)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_event_loop_that_is_not_asyncio_is_served_too(kind):
    async def app(scope, receive, send):
        await receive()
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    class Flushing(Recorder):
        flushed = 0

        def flush_last(self) -> None:
            self.flushed += 1

    agent, server = Flushing(), Server([])
    middleware = TollkeeperMiddleware(app, agent=agent)
    for scope in (scope_of(kind), {"type": "lifespan"}):
        with pytest.raises(StopIteration):
            middleware(scope, server.receive, server.send).send(None)
    assert (len(agent.calls), agent.flushed) == (1, 1)


def test_a_connection_that_is_thrown_away_is_an_event_and_closes_cleanly():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await asyncio.Future()

    agent, server = Recorder(asynchronous=True), Server([])
    loop = asyncio.new_event_loop()
    running = TollkeeperMiddleware(app, agent=agent)(scope_of(), server.receive, server.send)
    task = loop.create_task(running)
    loop.run_until_complete(asyncio.sleep(0, None))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    assert (agent.calls[0].status, agent.calls[0].outcome) == (200, "disconnect")


@pytest.mark.parametrize("matched", ["a string", object(), {"path": 1}])
def test_a_strange_router_costs_the_route_and_not_the_event(matched):
    agent = Recorder()
    script = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]
    drive(TollkeeperMiddleware(scripted(script), agent=agent), scope_of(route=matched), Server([]))
    assert (agent.calls[0].status, agent.calls[0].route, agent.counts.errors) == (200, None, {})


@pytest.mark.parametrize("headers", [None, [(b"a",)], 7])
def test_what_cannot_be_read_is_counted_and_never_raised(headers):
    agent, server = Recorder(), Server([])
    script = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]
    app = TollkeeperMiddleware(scripted(script), agent=agent)
    assert drive(app, scope_of(headers=headers), server) is None
    assert len(server.seen) == 2
    assert agent.counts.errors == {"adapter": 1}
    assert agent.counts.dropped == {"unread": agent.counts.captured} == {"unread": 1}
