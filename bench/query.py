"""Questions beside hand-written SQL over the same events, and how both grow. Prints JSON.

    python bench/query.py --millions 1,10 [--data DIR]

Events are made by the engine itself: callers by a power law, each with a few routes and keys,
half of them known by name, half only by a credential that an alias binds; 30 days. Hand-written
SQL is what somebody who knows the table would type for the same numbers, on raw events with the
alias table joined where owners are asked for. Compare CPU times: they bear a busy machine.
"""

import argparse
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.query.answer import Asker
from tollkeeper.store.events import EventStore
from tollkeeper.store.open import open_events

STEP = 1_000_000
DAYS = 30
START_US = 1_793_000_000_000_000 // 86_400_000_000 * 86_400_000_000
RANGE = {"from": "2026-10-26T00:00:00Z", "to": "2026-11-24T12:00:00Z"}
APPLICATION = "app_bench"

FILL = """
INSERT INTO events (application, time, id, key, content, position, item, received_at, kind, source,
    direction, method, uri, route, status, duration_us, request_bytes, response_bytes, request_headers,
    captured_user, credential, metadata, weight)
WITH
    toUInt32(pow(rand(1) / 4294967296, 3) * 2000) AS caller,
    cityHash64(caller, rand(2) % 4) % 40 AS resource,
    fromUnixTimestamp64Micro(toInt64({start:Int64} + number * intDiv(toInt64(86400000000) * 30, {total:Int64}))) AS moment
SELECT
    'app_bench', moment, concat('id-', toString(number)), sipHash64(number), number,
    intDiv(number, 100), number % 100, moment, 'api_call', 'native', 'incoming',
    if(resource % 3 = 0, 'POST', 'GET'),
    concat('https://api.example.com/v1/resource', toString(resource), '/', toString(rand(3) % 100000), '?page=', toString(rand(4) % 50)),
    concat('/v1/resource', toString(resource), '/{id}'),
    multiIf(rand(5) % 100 < 96, 200, rand(5) % 100 < 98, 404, rand(5) % 100 < 99, 429, 500),
    toUInt64(1000 * exp(randNormal(3, 1))), rand(6) % 2000, rand(7) % 20000,
    concat('{"user-agent":"agent/', toString(rand(8) % 20), '","x-tenant":"t', toString(caller % 100), '"}'),
    if(caller % 2 = 0, concat('user-', toString(caller)), ''),
    if(caller % 2 = 1, lower(hex(SHA256(toString(caller)))), ''),
    concat('{"plan":"p', toString(caller % 4), '","cost":', toString(rand(9) % 100), '}'), 1
FROM numbers({first:UInt64}, {rows:UInt64})
"""
BIND = """
INSERT INTO bindings SELECT 'app_bench', 'credential', lower(hex(SHA256(toString(number)))), 0, 4611686018427387904,
    concat('user-', toString(number)), concat('customer-', toString(number % 300)), 0, number + 1
FROM numbers(2000) WHERE number % 2 = 1
UNION ALL
SELECT 'app_bench', 'user', concat('user-', toString(number)), 0, 4611686018427387904, '',
    concat('customer-', toString(number % 300)), 0, number + 10000
FROM numbers(2000)
"""

WHERE = (
    "application = 'app_bench' AND time >= '2026-10-26 00:00:00' AND time < '2026-11-24 12:00:00'"
)
USERS = f"""(SELECT e.*, if(e.captured_user != '', e.captured_user, b.user) AS u FROM (SELECT captured_user,
    credential, weight, route, duration_us, time, toUnixTimestamp64Micro(time) AS us FROM events WHERE {WHERE}) AS e ASOF LEFT JOIN
    (SELECT key, valid_from, valid_to, user FROM bindings FINAL WHERE application = 'app_bench' AND kind = 'credential'
    AND deleted = 0) AS b ON if(e.captured_user != '', '', e.credential) = b.key AND e.us >= b.valid_from)"""

# name → (question, hand-written SQL on raw events)
QUESTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "calls": ({}, f"SELECT sum(weight) FROM events WHERE {WHERE}"),
    "calls by day": (
        {"interval": "day"},
        f"SELECT toStartOfDay(time) AS d, sum(weight) FROM events WHERE {WHERE} GROUP BY d ORDER BY d",
    ),
    "calls by hour in Berlin": (
        {"interval": "hour", "time_zone": "Europe/Berlin"},
        f"SELECT toStartOfHour(time, 'Europe/Berlin') AS h, sum(weight) FROM events WHERE {WHERE} GROUP BY h ORDER BY h",
    ),
    "top 10 users": (
        {"group_by": ["user"]},
        f"SELECT u, sum(weight) AS n FROM {USERS} GROUP BY u WITH TOTALS ORDER BY n DESC LIMIT 10",
    ),
    "top 10 routes, errors": (
        {"group_by": ["route"], "metrics": [{"fn": "count"}, {"fn": "error_rate"}]},
        "SELECT route, sum(weight) AS n, sumIf(weight, status >= 500 OR status = 0) / n FROM events "
        f"WHERE {WHERE} GROUP BY route WITH TOTALS ORDER BY n DESC LIMIT 10",
    ),
    "p95 by route": (
        {"group_by": ["route"], "metrics": [{"fn": "p95", "field": "duration_ms"}], "limit": 100},
        "SELECT route, quantileExactWeighted(0.95)(duration_us, weight) AS q FROM events "
        f"WHERE {WHERE} GROUP BY route WITH TOTALS ORDER BY q DESC LIMIT 100",
    ),
    "p50 and p99 by day": (
        {
            "interval": "day",
            "metrics": [
                {"fn": "p50", "field": "duration_ms"},
                {"fn": "p99", "field": "duration_ms"},
            ],
        },
        "SELECT toStartOfDay(time) AS d, quantilesExactWeighted(0.5, 0.99)(duration_us, weight) FROM events "
        f"WHERE {WHERE} GROUP BY d WITH TOTALS ORDER BY d",
    ),
    "sum of a metadata number": (
        {"metrics": [{"fn": "sum", "field": "metadata.cost"}]},
        f"SELECT sum(JSONExtractFloat(metadata, 'cost') * weight) FROM events WHERE {WHERE}",
    ),
    "calls by header": (
        {"group_by": ["request.headers.x-tenant"]},
        "SELECT JSONExtractString(request_headers, 'x-tenant') AS t, sum(weight) AS n FROM events "
        f"WHERE {WHERE} GROUP BY t WITH TOTALS ORDER BY n DESC LIMIT 10",
    ),
    "calls by query parameter, failing": (
        {
            "group_by": ["request.query.page"],
            "filter": {"field": "status", "op": "gte", "value": 400},
        },
        "SELECT extractURLParameter(uri, 'page') AS p, sum(weight) AS n FROM events "
        f"WHERE {WHERE} AND status >= 400 GROUP BY p WITH TOTALS ORDER BY n DESC LIMIT 10",
    ),
    "unique addresses": (
        {"metrics": [{"fn": "unique", "field": "request.uri"}]},
        f"SELECT uniqExact(uri) FROM events WHERE {WHERE}",
    ),
}


def fill(store: EventStore, first: int, total: int) -> None:
    for start in range(first, total, STEP):
        store.command(
            FILL,
            {"start": START_US, "total": total, "first": start, "rows": min(STEP, total - start)},
        )


def timed(work: Callable[[], Any], repeat: int) -> dict[str, float]:
    """Least wall time and CPU time of all threads: the engine runs in this process."""
    wall, cpu = [], []
    for _ in range(repeat):
        started, used = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - used) * 1000)
    return {"ms": round(min(wall), 1), "cpu_ms": round(min(cpu), 1)}


def measure(store: EventStore, repeat: int) -> list[dict[str, Any]]:
    asker = Asker(store, clock=SYSTEM_CLOCK, applications=lambda _: APPLICATION)
    found = []
    for name, (said, hand) in QUESTIONS.items():
        question = {**RANGE, **said}
        raw = timed(lambda q=question: asker.ask(q, rollups=False), repeat)
        typed = timed(lambda sql=hand: store.query(sql), repeat)
        found.append(
            {
                "question": name,
                "source": asker.ask(question)["statistics"]["source"],
                "asked": timed(lambda q=question: asker.ask(q), repeat),
                "asked_of_raw_events": raw,
                "hand_written": typed,
                "raw_by_hand_written_cpu": round(raw["cpu_ms"] / typed["cpu_ms"], 2),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", default="1,10", help="sizes, by comma")
    parser.add_argument("--data", help="keep the events in this folder")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    folder = options.data or tempfile.mkdtemp(prefix="tollkeeper-bench-")
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "sizes": [],
    }
    for size in (int(float(part) * 1_000_000) for part in options.millions.split(",")):
        store = open_events(f"chdb://{folder}", database=f"bench_{size}")
        if not store.query("SELECT count() FROM events").rows[0][0]:
            fill(store, 0, size)
            store.command(BIND)
        parts = (
            "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = currentDatabase() GROUP BY table"
        )
        tables = {
            name: {"rows": rows, "bytes": size_} for name, rows, size_ in store.query(parts).rows
        }
        result["engine"] = store.query("SELECT version()").rows[0][0]
        result["sizes"].append(
            {"events": size, "tables": tables, "questions": measure(store, options.repeat)}
        )
        store.close()
    if not options.data:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
