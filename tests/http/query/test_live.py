import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from tollkeeper.testing.calls import START_US, call


@pytest.fixture
def server(served: Any) -> Iterator[str]:
    """The routes behind a real socket: streams do not end, so they cannot be tried without one."""
    config = uvicorn.Config(
        served.client.api, host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="off"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    waiting = threading.Event()
    while not running.started:
        waiting.wait(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()


def read(
    address: str, when_open: Callable[[], None], count: int, headers: dict[str, str], **query: str
) -> list[dict[str, str]]:
    """The first so many calls of a stream, as fields of its messages."""
    found: list[dict[str, str]] = []
    headers = {"authorization": "Bearer right", **headers}
    with httpx.stream(
        "GET", f"{address}/api/events/live", params=query, headers=headers, timeout=20
    ) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        message: dict[str, str] = {}
        for line in answer.iter_lines():
            if line.startswith(": open"):
                when_open()
            elif line:
                name, _, value = line.partition(": ")
                message[name] = value
            elif message:
                found += [message] if message.get("event") == "call" else []
                message = {}
            if len(found) == count:
                break
    return found


def blocks(served: Any, first: int) -> Callable[[], None]:
    """Announces calls until somebody has read what he wanted."""

    def announce() -> None:
        def run() -> None:
            done = threading.Event()
            while not served.hub.watching and not done.wait(0.01):
                pass
            served.hub.announce(
                [
                    call(
                        application="a",
                        id=f"live-{n}",
                        position=n,
                        time=START_US,
                        status=200 + n % 2,
                    )
                    for n in range(first, first + 4)
                ]
            )

        threading.Thread(target=run).start()

    return announce


def test_new_calls_come_as_server_sent_events(served: Any, server: str) -> None:
    condition = json.dumps({"field": "status", "op": "eq", "value": 201})
    found = read(server, blocks(served, 100), 2, {}, filter=condition)
    assert [message["id"] for message in found] == ["101.0", "103.0"]
    assert json.loads(found[0]["data"])["id"] == "live-101"


@pytest.mark.parametrize("by", ["header", "query"])
def test_a_stream_is_resumed_from_the_store(served: Any, server: str, by: str) -> None:
    header = {"last-event-id": "1.96"} if by == "header" else {}
    query = {} if by == "header" else {"last_event_id": "1.96"}
    found = read(server, blocks(served, 200), 4, header, **query)
    assert [message["id"] for message in found] == ["1.97", "1.98", "1.99", "200.0"]


def test_a_refused_stream_is_a_problem(served: Any) -> None:
    for query, field in (
        ({"filter": "{"}, "filter"),
        ({"filter": '{"field":"user.x","op":"eq","value":"y"}'}, "filter.field"),
        ({"last_event_id": "yesterday"}, "last_event_id"),
    ):
        answer = served.client.get("/api/events/live", params=query)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
