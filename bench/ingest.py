"""Ingest of one server process: acknowledged and queryable, beside a bare journal and PostgreSQL.

Three rates over the same events, in one run: (a) the journal alone, appending the same bodies;
(b) the server over HTTP, until acknowledged and until stored; (c) one PostgreSQL table with one
durable insert and commit for each event. Prints JSON.

    python -m bench.ingest --events 500000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.load import bodies, machine, send_all
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal
from tollkeeper.testing.postgres import Postgres
from tollkeeper.testing.server import COLLECTOR_ID, ServerProcess


def bare_journal(batches: list[bytes], per_batch: int) -> dict[str, float]:
    """Appends the bodies to a journal, sixteen at a time, as connections would."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), stored_position=0)
        started = time.perf_counter()
        for start in range(0, len(batches), 16):
            waiting = [
                journal.append(Entry(0, "app", "events", "native", 1, "{}", per_batch, body))
                for body in batches[start : start + 16]
            ]
            for future in waiting:
                future.result()
        seconds = time.perf_counter() - started
        journal.close()
    return {"seconds": seconds, "events_per_second": len(batches) * per_batch / seconds}


def whole_server(batches: list[bytes], per_batch: int, connections: int) -> dict[str, object]:
    """Sends the bodies to a real server and waits until all are stored."""
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder)) as server:
        started = time.perf_counter()
        latencies = asyncio.run(send_all(server.url, COLLECTOR_ID, batches, connections))
        acknowledged = time.perf_counter() - started
        server.settle(seconds=300)
        stored = time.perf_counter() - started
        cpu = _cpu_seconds(server.process.pid)
        with server.client() as client:
            total = client.get("/api/status").json()["events_total"]
        resident = _resident_bytes(server.process.pid)
        disk = sum(p.stat().st_size for p in (Path(folder) / "events").rglob("*") if p.is_file())
    events = len(batches) * per_batch
    if total != events:
        raise SystemExit(f"sent {events}, stored {total}")
    latencies.sort()
    return {
        "events": events,
        "acknowledged_events_per_second": events / acknowledged,
        "queryable_events_per_second": events / stored,
        "acknowledge_ms": {
            "p50": latencies[len(latencies) // 2] * 1000,
            "p99": latencies[len(latencies) * 99 // 100] * 1000,
        },
        "server_cpu_us_per_event": cpu / events * 1e6,
        "resident_bytes": resident,
        "disk_bytes_per_event": disk / events,
    }


def one_insert_per_event(batches: list[bytes], events: int) -> dict[str, float]:
    """What many build first: a table in PostgreSQL, a durable insert and commit for each event."""
    postgres = Postgres(durable=True)
    try:
        address = postgres.new_database().replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE events (id text PRIMARY KEY, at timestamptz, customer text, "
                "user_id text, route text, status int, duration_us bigint, event jsonb)"
            )
            started = time.perf_counter()
            done = 0
            for event in (e for body in batches for e in json.loads(body)):
                connection.execute(_INSERT, _row(event))
                done += 1
                if done == events:
                    break
            seconds = time.perf_counter() - started
            [size] = connection.execute("SELECT pg_total_relation_size('events')").fetchone() or [0]
    finally:
        postgres.stop()
    return {
        "events": done,
        "events_per_second": done / seconds,
        "disk_bytes_per_event": size / done,
    }


_INSERT = "INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"


def _row(event: dict[str, Any]) -> tuple[object, ...]:
    return (
        event["transaction_id"],
        event["request"]["time"],
        event["company_id"],
        event["user_id"],
        event["request"]["route"],
        event["response"]["status"],
        event["duration_us"],
        json.dumps(event),
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Runs the benchmark and prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--postgres-events", type=int, default=5_000)
    given = parser.parse_args()
    batches = bodies(given.events, given.batch)
    result = {
        "bench": "ingest",
        "machine": machine(),
        "body_bytes_per_event": sum(map(len, batches)) / given.events,
        "journal_alone": bare_journal(batches, given.batch),
        "server": whole_server(batches, given.batch, given.connections),
        "postgresql_insert_per_event": one_insert_per_event(batches, given.postgres_events),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
