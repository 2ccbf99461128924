"""What capture costs the host: wall time added to a request, and CPU of all threads, beside its peers.

One small Starlette application with a JSON route is called in process, as a server would call it,
bare and under each contestant; each in a fresh process, all in one run, the rounds interleaved.
Nobody records bodies (except where the name says so); who sends, sends to a local sink in another
process. Differences to the bare application are the cost. Prints JSON.

    python -m bench.capture --calls 4000 --rounds 3

Method. Calls come in small bursts with pauses, so that background threads have a processor to work
on: `wall` is the time of one call as its client feels it (median over calls, then over rounds),
`cpu` is the processor time of all threads from the first call until the queue was worked off or
three seconds later, divided by the calls. `capture_adapter_only` is our ASGI adapter with an agent
that throws the call away: the adapter's share.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.load import machine

Application = Callable[[Any, Any, Any], Awaitable[None]]

TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI1MTMiLCJuYW1lIjoiSm9obiBEb2UiLCJpYXQiOjE1MTYyMz"
    "kwMjJ9.FPN2Bj5b6OUzeTJ7lrNQPWUkZnnBnhMFYeyMjJ_-tN0"
)
HEADERS = [
    (b"host", b"api.example.com"),
    (b"user-agent", b"partner-17/1.4 python-httpx/0.28"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"authorization", b"Bearer " + TOKEN.encode()),
    (b"x-request-id", b"2c4a1c7e-9a55-4c1b-8d0c-7d3f0a5f6f11"),
    (b"x-forwarded-for", b"203.0.113.7"),
]
BURST_CALLS = 20
PAUSE_SECONDS = 0.004
DRAIN_SECONDS = 3.0
DRAIN_STEP_SECONDS = 0.05
APPLICATION_ID = "bench-collector-id-0123456789-0123456789-0123456789-0123456789"


def plain_app() -> Any:
    """The application that is called."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def message(request: Any) -> JSONResponse:
        return JSONResponse({"account": request.path_params["account"], "message": "Hello World!"})

    return Starlette(routes=[Route("/accounts/{account:int}/messages", message)])


def bare(sink: str) -> tuple[Application, Callable[[], int]]:
    """The application alone."""
    return plain_app(), lambda: 0


def _tollkeeper(sink: str, **options: Any) -> tuple[Application, Callable[[], int]]:
    from tollkeeper.capture.agent import Agent
    from tollkeeper.capture.asgi import TollkeeperMiddleware

    agent = Agent({"application_id": APPLICATION_ID, "url": sink, **options})
    app = plain_app()
    app.add_middleware(TollkeeperMiddleware, agent=agent)
    return app, lambda: int(agent.stats()["sent"])


def capture(sink: str) -> tuple[Application, Callable[[], int]]:
    """Ours, as installed: headers, user from the JWT, no bodies."""
    return _tollkeeper(sink)


def capture_with_bodies(sink: str) -> tuple[Application, Callable[[], int]]:
    """Ours with `log_body`."""
    return _tollkeeper(sink, log_body=True)


def capture_adapter_only(sink: str) -> tuple[Application, Callable[[], int]]:
    """Our ASGI adapter before an agent that throws calls away."""
    from tollkeeper.capture.asgi import TollkeeperMiddleware
    from tollkeeper.capture.options import Options
    from tollkeeper.capture.stats import Counts
    from tollkeeper.clock import SYSTEM_CLOCK

    class Nowhere:
        clock, counts, body_limit_bytes, asynchronous = SYSTEM_CLOCK, Counts(), 0, False
        options = Options(application_id=APPLICATION_ID)

        def finish(self, call: Any) -> None:
            """Throws it away."""

    app = plain_app()
    app.add_middleware(TollkeeperMiddleware, agent=Nowhere())
    return app, lambda: 0


def moesifasgi(sink: str) -> tuple[Application, Callable[[], int]]:
    """Moesif's ASGI middleware with bodies off."""
    logging.basicConfig = lambda **_: None  # type: ignore[assignment] # it opens the root logger for itself
    from moesifasgi import MoesifMiddleware

    app = plain_app()
    app.add_middleware(
        MoesifMiddleware,
        settings={
            "APPLICATION_ID": APPLICATION_ID,
            "BASE_URI": sink,
            "LOG_BODY": False,
            "BATCH_SIZE": 100,
        },
    )
    return app, lambda: 0


def apitally(sink: str) -> tuple[Application, Callable[[], int]]:
    """Apitally's Starlette integration, with request headers, as ours has them."""
    from apitally.starlette import init

    app = plain_app()
    init(app, write_token="apt_" + "a" * 24, otlp_endpoint=sink, capture_request_headers=True)
    return app, lambda: 0


def opentelemetry(sink: str) -> tuple[Application, Callable[[], int]]:
    """OpenTelemetry's ASGI middleware with a batch processor whose exporter only counts."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    exported = [0]

    class Counting(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            exported[0] += len(spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Counting()))
    return OpenTelemetryMiddleware(plain_app(), tracer_provider=provider), lambda: exported[0]


CONTESTANTS = {
    build.__name__: build
    for build in (
        bare,
        capture_adapter_only,
        capture,
        capture_with_bodies,
        moesifasgi,
        apitally,
        opentelemetry,
    )
}
PACKAGES = (
    "starlette",
    "moesifasgi",
    "apitally",
    "opentelemetry-instrumentation-asgi",
    "opentelemetry-sdk",
)


def _scope(number: int) -> dict[str, Any]:
    path = f"/accounts/{number % 5000}/messages"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"page=2",
        "root_path": "",
        "headers": list(HEADERS),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    """Takes the message."""


async def _call(app: Application, number: int) -> int:
    scope = _scope(number)
    started = time.perf_counter_ns()
    await app(scope, _receive, _send)
    return time.perf_counter_ns() - started


async def measure(app: Application, sent: Callable[[], int], calls: int) -> dict[str, float]:
    """Times of single calls, and processor time of everything."""
    for number in range(500):
        await _call(app, number)
    await asyncio.sleep(1.0)
    times: list[int] = []
    before = sent()
    cpu_before = time.process_time_ns()
    for number in range(calls):
        if number % BURST_CALLS == 0:
            await asyncio.sleep(PAUSE_SECONDS)
        times.append(await _call(app, number))
    for _ in range(int(DRAIN_SECONDS / DRAIN_STEP_SECONDS)):
        if sent() - before >= calls:
            break
        await asyncio.sleep(DRAIN_STEP_SECONDS)
    cpu = time.process_time_ns() - cpu_before
    times.sort()
    return {
        "wall_median_us": times[len(times) // 2] / 1000,
        "wall_mean_us": statistics.fmean(times) / 1000,
        "wall_p99_us": times[int(len(times) * 0.99)] / 1000,
        "cpu_us": cpu / calls / 1000,
    }


def child(name: str, sink: str, calls: int) -> None:
    """One contestant in a process of its own."""
    app, sent = CONTESTANTS[name](sink)
    print(json.dumps(asyncio.run(measure(app, sent, calls))), flush=True)


async def serve_sink() -> None:
    """Answers every request by 201, or 200 with an empty list for GET, and keeps the connection."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                length = 0
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                await reader.readexactly(length)
                body, status = (
                    (b"[]", b"200 OK") if line.startswith(b"GET") else (b"{}", b"201 Created")
                )
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (status, len(body), body)
                )
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run(names: list[str], calls: int, rounds: int) -> dict[str, Any]:
    """All contestants, the rounds interleaved; each figure is the median over the rounds."""
    command = [sys.executable, "-W", "ignore", "-m", "bench.capture"]
    sink = subprocess.Popen([*command, "--sink"], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    url = f"http://127.0.0.1:{int(sink.stdout.readline())}"
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    try:
        for _ in range(rounds):
            for name in names:
                done = subprocess.run(
                    [*command, "--child", name, "--at", url, "--calls", str(calls)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                results[name].append(json.loads(done.stdout.splitlines()[-1]))
    finally:
        sink.terminate()
        sink.wait()
    return {name: _middle(found) for name, found in results.items()}


def _middle(found: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(one[key] for one in found), 2) for key in found[0]}


def main() -> None:
    """Reads the arguments and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--child", choices=list(CONTESTANTS))
    parser.add_argument("--at", default="")
    parser.add_argument("--sink", action="store_true")
    arguments = parser.parse_args()
    if arguments.sink:
        asyncio.run(serve_sink())
    elif arguments.child:
        child(arguments.child, arguments.at, arguments.calls)
    else:
        names = list(dict.fromkeys(["bare", *arguments.only]))
        figures = run(names, arguments.calls, arguments.rounds)
        base = figures["bare"]
        report = {
            "machine": machine(),
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "calls": arguments.calls,
            "rounds": arguments.rounds,
            "measured": figures,
            "added": {
                name: {
                    "wall_median_us": round(one["wall_median_us"] - base["wall_median_us"], 2),
                    "wall_mean_us": round(one["wall_mean_us"] - base["wall_mean_us"], 2),
                    "cpu_us": round(one["cpu_us"] - base["cpu_us"], 2),
                }
                for name, one in figures.items()
                if name != "bare"
            },
        }
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
