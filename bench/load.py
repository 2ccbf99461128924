"""Events for benchmarks, and a sender that costs as little as a client can."""

from __future__ import annotations

import asyncio
import os
import platform
import random
import time
from urllib.parse import urlsplit

import msgspec

START_US = 1_760_000_000_000_000


def wire_event(number: int, dice: random.Random) -> dict[str, object]:
    """One full-size event without bodies, as the capture middleware sends it."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - number % 86_400))
    customer = dice.randrange(400)
    status = 200 if dice.random() < 0.96 else dice.choice((400, 401, 404, 429, 500))
    return {
        "transaction_id": f"0190{dice.getrandbits(112):028x}",
        "request": {
            "time": f"{at}.{number % 1_000_000:06d}Z",
            "uri": f"https://api.example.com/accounts/{number % 5000}/messages?page={number % 7}",
            "verb": "GET" if number % 5 else "POST",
            "headers": {
                "host": "api.example.com",
                "user-agent": f"partner-{customer}/1.4 python-httpx/0.28",
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
                "authorization": "[masked]",
                "connection": "keep-alive",
            },
            "ip_address": f"10.0.{customer % 250}.{number % 250}",
            "route": "/accounts/{id}/messages",
            "bytes": 0,
        },
        "response": {
            "status": status,
            "headers": {"content-type": "application/json", "content-length": "512"},
            "bytes": 512,
        },
        "user_id": f"user-{customer * 3 + number % 3}",
        "company_id": f"customer-{customer}",
        "credential": f"{customer:064x}",
        "direction": "Incoming",
        "duration_us": dice.randrange(800, 250_000),
    }


def bodies(events: int, batch: int) -> list[bytes]:
    """Bodies of so many events in batches, all ids different."""
    dice = random.Random(7)
    return [
        msgspec.json.encode([wire_event(n, dice) for n in range(start, start + batch)])
        for start in range(0, events, batch)
    ]


async def send_all(
    url: str, collector_id: str, batches: list[bytes], connections: int
) -> list[float]:
    """Posts every body over keep-alive connections; returns each answer's time in seconds."""
    parts = urlsplit(url)
    work = iter(batches)
    latencies: list[float] = []

    async def run() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for body in work:
            head = (
                f"POST /v1/events/batch HTTP/1.1\r\nhost: {parts.netloc}\r\n"
                f"user-agent: tollkeeper-bench/1\r\ncontent-type: application/json\r\n"
                f"x-moesif-application-id: {collector_id}\r\ncontent-length: {len(body)}\r\n\r\n"
            ).encode()
            started = time.perf_counter()
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 201"):
                raise RuntimeError(answer.decode())
            length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(run() for _ in range(connections)))
    return latencies


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_before": os.getloadavg()[0],
    }
