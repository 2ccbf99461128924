"""The views and routes of the Django site that adapter tests serve."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path

acknowledged = threading.Event()


def pet(request: Any, pet_id: int, shop: str = "") -> Any:
    return JsonResponse({"id": int(pet_id)})


async def pet_async(request: Any, pet_id: int) -> Any:
    return JsonResponse({"id": pet_id})


def echo(request: Any) -> Any:
    return HttpResponse(request.body, content_type="text/plain")


def form(request: Any) -> Any:
    return HttpResponse(request.POST["name"])


def boom(request: Any) -> Any:
    raise ValueError("boom")


def teapot(request: Any) -> Any:
    return HttpResponse("no", status=418)


def stream(request: Any) -> Any:
    def chunks() -> Iterator[bytes]:
        yield b"first"
        assert acknowledged.wait(10)
        yield b"second"

    return StreamingHttpResponse(chunks())


async def stream_async(request: Any) -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        assert await asyncio.to_thread(acknowledged.wait, 10)
        yield b"second"

    return StreamingHttpResponse(chunks())


async def ticks(request: Any) -> Any:
    async def forever() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(forever(), content_type="text/event-stream")


def ack(request: Any) -> Any:
    acknowledged.set()
    return HttpResponse("ok")


def file(request: Any) -> Any:
    return FileResponse(Path(__file__).open("rb"))


urlpatterns = [
    path("pets/<int:pet_id>", pet),
    path("shops/<shop>/", include([path("pets/<int:pet_id>", pet)])),
    path("async/<int:pet_id>", pet_async),
    re_path(r"^old/(?P<pet_id>[0-9]+)/$", pet),
    path("echo", echo),
    path("form", form),
    path("boom", boom),
    path("teapot", teapot),
    path("stream", stream),
    path("stream_async", stream_async),
    path("ticks", ticks),
    path("ack", ack),
    path("file", file),
]
