"""What grows with the number of stored events, and what does not. Prints JSON.

A store is filled by the engine to 1, 3 and 10 million events; at each size the same work is
measured: a block of new events through decode, dedupe and store; the same block sent again (all
duplicates); bytes on disk for each event; memory; and how long a real server takes from start to
ready over that folder. The slope between the sizes is the result.

    python -m bench.growth --millions 1,3,10
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.load import bodies, machine
from bench.query import FILL
from tollkeeper.app.server import App
from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.config import ServerSettings
from tollkeeper.ingest import steps
from tollkeeper.ingest.block import Block
from tollkeeper.ingest.dedupe import dedupe, keys_of
from tollkeeper.journal.entry import Entry
from tollkeeper.testing.server import ADMIN_TOKEN, COLLECTOR_ID, ServerProcess

STEP = 1_000_000
BLOCK = 20_000
START_US = 1_793_000_000_000_000


def measure(folder: str, first: int, rows: int, total: int, answer: Any) -> None:
    """Fills up to ``first + rows`` and measures; in a process of its own, as a server would be."""
    settings = ServerSettings(data=folder, application_id=COLLECTOR_ID, admin_token=ADMIN_TOKEN)
    app = App(settings)
    for at in range(first, first + rows, STEP):
        app.store.command(FILL, {"start": START_US, "total": total, "first": at, "rows": STEP})
    app.pipeline.recall()
    seen = app.pipeline._seen
    batches = bodies(BLOCK, 100)
    now_us = SYSTEM_CLOCK.now_us()
    result: dict[str, Any] = {"events": first + rows}
    for name in ("new", "again"):
        entries = [
            Entry(2**40 + n, "app", "events", "native", now_us, "{}", 100, body)
            for n, body in enumerate(batches, start=0 if name == "new" else len(batches))
        ]
        started, cpu = time.perf_counter(), time.process_time()
        block = Block(entries)
        steps.decode(block, app._context)
        dedupe(block, seen, app.store)
        app.store.insert_block(block.events, token=f"{first}-{name}")
        seen.add(keys_of(block.events))
        result[f"block_{name}"] = {
            "stored": len(block.events),
            "wall_us_per_event": (time.perf_counter() - started) / BLOCK * 1e6,
            "cpu_us_per_event": (time.process_time() - cpu) / BLOCK * 1e6,
        }
    app.store.command(
        "ALTER TABLE events DELETE WHERE application = 'app' SETTINGS mutations_sync = 1"
    )
    app.store.command(
        "ALTER TABLE event_keys DELETE WHERE application = 'app' SETTINGS mutations_sync = 1"
    )
    for table in ("events", "event_keys", "usage_hour", "usage_day"):
        [[size]] = app.store.query(
            "SELECT sum(data_compressed_bytes) FROM system.parts "
            "WHERE active AND database = currentDatabase() AND table = {table:String}",
            {"table": table},
        ).rows
        result[f"{table}_bytes_per_event"] = size / (first + rows)
    result["resident_bytes"] = _resident_bytes()
    seen.sync(2**39)
    app.journal.close()
    app.store.close()
    answer.put(result)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ready_seconds(folder: str) -> float:
    """From start to ready of a real server over the folder."""
    started = time.perf_counter()
    with ServerProcess(Path(folder)):
        return time.perf_counter() - started


def main() -> None:
    """Runs the benchmark and prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", default="1,3,10")
    sizes = [int(part) * STEP for part in parser.parse_args().millions.split(",")]
    context = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        before = 0
        for size in sizes:
            answer = context.Queue()
            child = context.Process(
                target=measure, args=(folder, before, size - before, sizes[-1], answer)
            )
            child.start()
            result = answer.get()
            child.join()
            result["ready_seconds"] = ready_seconds(folder)
            rows.append(result)
            before = size
    print(json.dumps({"bench": "growth", "machine": machine(), "sizes": rows}, indent=2))


if __name__ == "__main__":
    main()
