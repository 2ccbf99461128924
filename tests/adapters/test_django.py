"""The Django middleware, in sync and async deployments, over real servers."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client, RequestFactory, override_settings

import tollkeeper.capture.django as adapter

OURS = "tollkeeper.capture.django.TollkeeperMiddleware"
MIDDLEWARE = [OURS, "django.middleware.common.CommonMiddleware"]


@pytest.fixture(params=["wsgi", "asgi"])
def site(request, capture, django_site, serve_asgi, serve_wsgi) -> Iterator[str]:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    with override_settings(MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=capture.agent):
        if request.param == "asgi":
            yield "http://" + serve_asgi(get_asgi_application())
        else:
            yield "http://" + serve_wsgi(get_wsgi_application())


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/pets/17", "/pets/{pet_id}"),
        ("/async/17", "/async/{pet_id}"),
        ("/old/17/", "/old/{pet_id}/"),
        ("/shops/acme/pets/17", "/shops/{shop}/pets/{pet_id}"),
    ],
)
def test_a_call_is_recorded_with_its_route_and_sizes(site, capture, path, route):
    answer = httpx.get(f"{site}{path}?full=1", headers={"X-Trace": "t1"})
    event = capture.event()
    assert answer.json() == {"id": 17}
    assert event["request"]["route"] == route
    assert event["request"]["uri"] == f"{site}{path}?full=1"
    assert event["request"]["headers"]["x-trace"] == "t1"
    assert (event["response"]["status"], event["response"]["bytes"]) == (200, len(answer.content))
    assert event["response"]["headers"]["content-type"] == "application/json"
    assert event.get("outcome") is None
    assert event["request"]["ip_address"] == "127.0.0.1"


@pytest.mark.parametrize(("path", "sent"), [("/echo", b"x" * 100_000), ("/form", b"name=ann")])
def test_a_request_body_is_counted_and_arrives_whole(site, capture, path, sent):
    kind = "application/x-www-form-urlencoded" if path == "/form" else "text/plain"
    answer = httpx.post(f"{site}{path}", content=sent, headers={"content-type": kind})
    event = capture.event()
    assert answer.content == (b"ann" if path == "/form" else sent)
    assert event["request"]["bytes"] == len(sent)


def test_bodies_are_kept_when_asked_for(django_site, capture, serve_wsgi):
    from django.core.wsgi import get_wsgi_application

    agent = capture.with_options(log_body=True)
    with override_settings(MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=agent):
        base = "http://" + serve_wsgi(get_wsgi_application())
        httpx.post(f"{base}/echo", json={"a": 1})
    event = capture.event()
    assert event["request"]["body"] == {"a": 1}
    assert event["response"]["bytes"] == 7


def test_an_exception_in_a_view_is_told(site, capture):
    assert httpx.get(f"{site}/boom").status_code == 500
    event = capture.event()
    assert (event["response"]["status"], event["outcome"], event["request"]["route"]) == (
        500,
        "exception",
        "/boom",
    )


@pytest.mark.parametrize(("path", "status"), [("/teapot", 418), ("/none/5", 404)])
def test_an_ordinary_refusal_is_no_exception(site, capture, path, status):
    assert httpx.get(f"{site}{path}").status_code == status
    event = capture.event()
    assert (event["response"]["status"], event.get("outcome")) == (status, None)
    assert event["request"]["route"] == ("/teapot" if status == 418 else "/none/{id}")


def test_exceptions_that_django_lets_through_come_out_unchanged(django_site, capture):
    settings = override_settings(
        MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=capture.agent, DEBUG_PROPAGATE_EXCEPTIONS=True
    )
    with settings, pytest.raises(ValueError, match="boom"):
        Client().get("/boom")
    event = capture.event()
    assert (event["response"]["status"], event["outcome"]) == (500, "exception")


@pytest.mark.parametrize(("server", "path"), [("wsgi", "/stream"), ("asgi", "/stream_async")])
def test_a_chunk_reaches_the_client_before_the_next_one_is_made(
    django_site, capture, serve_asgi, serve_wsgi, server, path
):
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    with override_settings(MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=capture.agent):
        base = "http://" + (
            serve_asgi(get_asgi_application())
            if server == "asgi"
            else serve_wsgi(get_wsgi_application())
        )
        with httpx.stream("GET", f"{base}{path}") as answer:
            chunks = answer.iter_raw()
            assert next(chunks) == b"first"
            assert httpx.get(f"{base}/ack").text == "ok"
            assert b"".join(chunks) == b"second"
    streamed = next(event for event in capture.events(2) if event["request"]["route"] == path)
    assert (streamed["response"]["bytes"], streamed.get("outcome")) == (11, None)


def test_a_stream_that_the_client_leaves_is_a_disconnect(django_site, capture, serve_asgi):
    from django.core.asgi import get_asgi_application

    with override_settings(MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=capture.agent):
        address = f"http://{serve_asgi(get_asgi_application())}/ticks"
        answer = httpx.Client()
        with answer, answer.stream("GET", address) as ticking:
            assert next(ticking.iter_lines()) == "data: tick"
    event = capture.event()
    assert (event["response"]["status"], event["outcome"]) == (200, "disconnect")


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_a_file_response_keeps_its_file(site, django_site, capture):
    answer = httpx.get(f"{site}/file")
    event = capture.event()
    assert answer.content == Path(django_site.__file__).read_bytes()
    assert (event["response"]["status"], event["response"]["bytes"]) == (200, len(answer.content))
    assert event.get("outcome") is None


def test_a_file_wrapper_of_the_server_gets_the_bare_file(django_site, capture):
    from django.core.wsgi import get_wsgi_application

    got: list[Any] = []

    class Wrapper:
        def __init__(self, filelike, size):
            self.filelike = filelike
            got.append(filelike)

        def close(self):
            self.filelike.close()

    with override_settings(MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=capture.agent):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/file",
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": "http",
            "wsgi.file_wrapper": Wrapper,
        }
        result = get_wsgi_application()(environ, lambda status, headers, exc_info=None: None)
    assert isinstance(result, Wrapper)
    assert got[0].name == django_site.__file__
    size = len(got[0].read())
    assert capture.collector.events == []
    result.close()
    assert capture.event()["response"]["bytes"] == size


def test_head_is_recorded_without_a_body(site, capture):
    assert httpx.head(f"{site}/pets/17").status_code == 200
    event = capture.event()
    assert (event["request"]["verb"], event["response"]["bytes"]) == ("HEAD", 0)


def test_a_response_that_an_outer_middleware_replaces_is_still_an_event(django_site, capture):
    replaced = ["django.middleware.http.ConditionalGetMiddleware", OURS]
    with override_settings(MIDDLEWARE=replaced, TOLLKEEPER=capture.agent):
        first = Client().get("/pets/17")
        second = Client().get("/pets/17", headers={"if-none-match": first["ETag"]})
    assert second.status_code == 304
    gc.collect()
    assert [event["response"]["status"] for event in capture.events(2)] == [200, 200]


def test_callables_get_djangos_own_request_and_response(django_site, capture):
    agent = capture.with_options(
        identify_user=lambda request, response: request.resolver_match.kwargs["pet_id"],
        get_metadata=lambda request, response: {"kind": response["Content-Type"]},
    )
    with override_settings(MIDDLEWARE=MIDDLEWARE, TOLLKEEPER=agent):
        Client().get("/pets/17")
    event = capture.event()
    assert (event["user_id"], event["metadata"]["kind"]) == ("17", "application/json")


def test_the_middleware_is_asynchronous_where_django_is(django_site, capture):
    from asgiref.sync import iscoroutinefunction

    async def later(request):
        return None

    with override_settings(TOLLKEEPER=capture.agent):
        assert iscoroutinefunction(adapter.TollkeeperMiddleware(later))
        assert not iscoroutinefunction(adapter.TollkeeperMiddleware(lambda request: None))


def test_settings_make_one_agent_for_all_handlers(django_site, collector):
    with override_settings(TOLLKEEPER={"application_id": "x" * 50, "url": collector.url}):
        first = adapter.TollkeeperMiddleware(lambda request: None).agent
        second = adapter.TollkeeperMiddleware(lambda request: None).agent
        assert first is second
        assert first.options.application_id == "x" * 50
        first.close(1)


def test_a_response_of_an_unknown_kind_is_still_an_event(django_site, capture):
    class Plain:
        status_code = 202
        streaming = False
        content = b"ok"
        cookies: dict[str, str] = {}  # noqa: RUF012

        def items(self):
            return [("X-A", "1")]

    with override_settings(TOLLKEEPER=capture.agent):
        answer = Plain()
        request = RequestFactory().get("/pets/17")
        assert adapter.TollkeeperMiddleware(lambda _: answer)(request) is answer
    capture.collector.wait(1)
    capture.agent.close(5)
    (event,) = capture.collector.events
    assert (event["response"]["status"], event["response"]["bytes"]) == (202, 2)
    assert capture.agent.stats()["errors"] == {"adapter": 1}
