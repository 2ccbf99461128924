"""The examples under the servers that people run: prefork gunicorn and uvicorn with workers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
GUNICORN = ["gunicorn", "--bind", "fd://{fd}", "--workers", "2", "--no-control-socket"]
SERVERS = {
    "flask, gunicorn sync": [*GUNICORN, "flask_app:app"],
    "flask, gunicorn threads, preloaded": [
        *GUNICORN,
        "--preload",
        "-k",
        "gthread",
        "--threads",
        "4",
        "flask_app:app",
    ],
    "bottle, gunicorn sync, preloaded": [*GUNICORN, "--preload", "bottle_app:app"],
    "django, gunicorn sync": [*GUNICORN, "django_app:wsgi"],
    "django, gunicorn's own asgi worker": [*GUNICORN, "-k", "asgi", "django_app:asgi"],
    "fastapi, gunicorn's own asgi worker": [*GUNICORN, "-k", "asgi", "fastapi_app:app"],
    "fastapi, uvicorn with two workers": [
        "uvicorn",
        "--fd",
        "{fd}",
        "--workers",
        "2",
        "fastapi_app:app",
    ],
    "fastapi, gunicorn with uvicorn workers": [
        *GUNICORN,
        "-k",
        "uvicorn.workers.UvicornWorker",
        "fastapi_app:app",
    ],
    "fastapi, gunicorn with uvicorn workers, preloaded": [
        *GUNICORN,
        "--preload",
        "-k",
        "uvicorn.workers.UvicornWorker",
        "fastapi_app:app",
    ],
}
CALLS = [("/pets", 200), ("/pets/1", 200), ("/pets/2", 200), ("/pets/9", 404)]


@pytest.mark.parametrize("server", SERVERS)
def test_every_call_to_every_worker_arrives_once(server, serve_process, collector):
    # No batch is due before the end, so all of them prove what the servers do at their end.
    address, stop = serve_process(SERVERS[server], EXAMPLES, TOLLKEEPER_TIMER_WAKE_UP_SECONDS="60")
    # Fresh connections, so that the workers share them.
    for round_ in range(5):
        for path, status in CALLS:
            answer = httpx.get(f"http://{address}{path}?n={round_}", timeout=30)
            assert answer.status_code == status
    stop()
    events = collector.events
    seen = Counter((event["request"]["uri"], event["response"]["status"]) for event in events)
    assert seen == {
        (f"http://{address}{path}?n={round_}", status): 1
        for round_ in range(5)
        for path, status in CALLS
    }
    assert {event["request"]["route"] for event in events} == {"/pets", "/pets/{pet_id}"}
    assert len({event["transaction_id"] for event in events}) == 20
    assert all(event["request"]["ip_address"] == "127.0.0.1" for event in events)


def test_django_in_the_asgi_middleware_delivers_before_uvicorn_ends(serve_process, collector):
    site = Path(__file__).parent / "site"
    address, stop = serve_process(
        ["uvicorn", "--fd", "{fd}", "wrapped:app"], site, TOLLKEEPER_TIMER_WAKE_UP_SECONDS="60"
    )
    assert httpx.get(f"http://{address}/pets/17", timeout=30).json() == {"id": 17}
    stop()
    (event,) = collector.events
    assert event["request"]["route"] == "/pets/{pet_id}"


def test_fastapi_delivers_before_uvicorn_ends(serve_process, collector):
    address, stop = serve_process(
        ["uvicorn", "--fd", "{fd}", "fastapi_app:app"],
        EXAMPLES,
        TOLLKEEPER_TIMER_WAKE_UP_SECONDS="60",
    )
    assert httpx.get(f"http://{address}/pets/1", timeout=30).status_code == 200
    stop()
    assert len(collector.events) == 1


def test_calls_of_two_preforked_workers_come_from_two_instances(serve_process, collector):
    address, stop = serve_process([*GUNICORN, "--preload", "flask_app:app"], EXAMPLES)
    clients = [httpx.Client() for _ in range(8)]
    count = 0
    while len(collector.instances) < 2 and count < 2000:
        clients[count % 8].get(f"http://{address}/pets")
        count += 1
    for client in clients:
        client.close()
    stop()
    assert len(collector.instances) == 2
    assert len(collector.events) == count


def test_a_host_works_while_the_collector_is_away(serve_process):
    address, stop = serve_process(
        ["uvicorn", "--fd", "{fd}", "fastapi_app:app"],
        EXAMPLES,
        TOLLKEEPER_URL="http://127.0.0.1:1",
        TOLLKEEPER_FLUSH_DEADLINE_SECONDS="0.2",
    )
    with httpx.Client(timeout=30) as client:
        for _ in range(20):
            assert client.get(f"http://{address}/pets/1").json() == {"id": 1, "name": "Rex"}
    stop()
