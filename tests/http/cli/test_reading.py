import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tollkeeper.testing.server import ADMIN_TOKEN, ServerProcess

RANGE = ("--since", "2026-11-18", "--until", "2026-11-19")


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_usage_shows_each_user_with_share_and_total(run: Any) -> None:
    lines = run("usage", *RANGE).stdout.splitlines()
    assert [line.split()[:3] for line in lines if "%" in line] == [
        ["513", "5", "55.6%"],
        ["=HYPERLINK(1)", "3", "33.3%"],
        ["1234", "1", "11.1%"],
        ["total", "9", "100%"],
    ]


def test_usage_takes_fields_metrics_filters_and_intervals(run: Any) -> None:
    asked = ("--by", "user,status", "--metric", "count", "--metric", "max(duration_ms)")
    answer = json.loads(
        run("usage", *RANGE, *asked, "--where", "status>=400", "--interval", "day", "--json").stdout
    )
    assert [column["name"] for column in answer["columns"]] == [
        "time", "user", "response.status", "count", "max(duration_ms)",
    ]  # fmt: skip
    day = "2026-11-18T00:00:00+00:00"
    assert sorted(answer["rows"]) == [[day, "1234", 404, 1, 6.0], [day, "513", 500, 1, 5.0]]
    assert answer["totals"] == [2, 6.0]


def test_usage_names_the_rest_and_adds_up(run: Any) -> None:
    rows = list(csv.reader(io.StringIO(run("usage", *RANGE, "--limit", "1", "--csv").stdout)))
    assert rows == [["user", "count"], ["513", "5"], ["other", "4"]]


def test_csv_of_usage_runs_nothing_in_a_spreadsheet(run: Any) -> None:
    assert "'=HYPERLINK(1),3" in run("usage", *RANGE, "--csv").stdout.splitlines()


def test_a_wrong_question_is_one_clear_line(run: Any) -> None:
    for arguments, culprit in [
        (("--by", "nope"), "group_by[0]"),
        (("--where", "status>=many"), "status"),
        (("--metric", "p95(user)"), "metrics[0]"),
        (("--zone", "Mars/Base"), "time_zone"),
        (("--since", "yesterday"), "from"),
        (("--application", "none"), "application"),
    ]:
        done = run("usage", *arguments, code=1)
        assert done.stderr.startswith(f"error: {culprit}")
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""


def test_a_wrong_option_is_a_usage_error() -> None:
    assert tollkeeper_code("usage", "--nope") == tollkeeper_code("nope") == 2
    assert tollkeeper_code("-h") == tollkeeper_code("usage", "-h") == 0


def tollkeeper_code(*arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tollkeeper", *arguments], capture_output=True, timeout=60
    )
    return done.returncode


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom tollkeeper.cli import main\nsys.argv = ['tollkeeper', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'fastapi', 'httpx', 'sqlalchemy', 'pyarrow', 'chdb', 'uvicorn', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_events_are_listed_newest_first_or_oldest(run: Any) -> None:
    newest = objects(run("events", *RANGE, "--json", "--limit", "2").stdout)
    oldest = objects(run("events", *RANGE, "--json", "--limit", "2", "--oldest").stdout)
    assert [event["id"] for event in newest] == ["e7", "e6"]
    assert [event["id"] for event in oldest] == ["e1", "e2"]


def test_events_fit_one_line_each(run: Any) -> None:
    lines = run("events", *RANGE, "--where", "status:5xx").stdout.splitlines()
    assert len(lines) == 1
    assert {"500", "GET", "/pets/5", "513"} <= set(lines[0].split())


def test_one_event_comes_whole(run: Any) -> None:
    event = json.loads(run("events", "e5").stdout)
    assert event["request"]["headers"] == {"user-agent": "test"}
    assert run("events", "none", code=1).stderr.startswith("error: id: ")


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.csv", "out.parquet"])
def test_an_export_holds_every_event_in_order(run: Any, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert "7 events written" in run("export", str(file), *RANGE).stderr
    assert ids_of(file) == [f"e{n}" for n in range(1, 8)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def ids_of(file: Path) -> list[str]:
    if file.suffix == ".parquet":
        table = parquet.read_table(file)
        assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
        return table["id"].to_pylist()
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    if file.suffix == ".csv":
        return [row["id"] for row in csv.DictReader(io.StringIO(text))]
    return [event["id"] for event in objects(text)]


def test_an_export_takes_a_filter_and_runs_nothing_in_a_spreadsheet(run: Any) -> None:
    asked = ("--format", "csv", *RANGE, "--where", "user:*HYPERLINK*")
    rows = list(csv.DictReader(io.StringIO(run("export", *asked).stdout)))
    assert [(row["id"], row["user"], row["weight"]) for row in rows] == [
        ("e7", "'=HYPERLINK(1)", "3")
    ]


def test_a_whole_export_has_headers(run: Any) -> None:
    exported = objects(run("export", "--whole", *RANGE).stdout)
    assert [event["request"]["headers"] for event in exported] == [{"user-agent": "test"}] * 7


def test_a_failed_export_leaves_no_file(run: Any, tmp_path: Path) -> None:
    run("export", str(tmp_path / "x.csv"), "--where", "nope:1", code=1)
    run("export", str(tmp_path / "no" / "x.csv"), *RANGE, code=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("export", *RANGE), ("events", *RANGE, "--json")])
def test_a_reader_that_has_enough_is_no_error(
    server: ServerProcess, command: tuple[str, ...]
) -> None:
    read, wrote = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tollkeeper", *command, "--data", str(server.data)],
            stdout=wrote, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    finally:
        os.close(wrote)
    assert "Traceback" not in done.stderr
    assert "rror" not in done.stderr


def test_a_server_is_found_by_address_and_token(server: ServerProcess, tmp_path: Path) -> None:
    def counted(*arguments: str, **environment: str) -> str:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TOLLKEEPER_")}
        done = subprocess.run(
            [sys.executable, "-m", "tollkeeper", "usage", *RANGE, "--csv", *arguments],
            env={**clean, **environment}, capture_output=True, text=True, timeout=60, cwd=tmp_path,
        )  # fmt: skip
        return done.stdout or done.stderr

    expected = "user,count\n513,5\n'=HYPERLINK(1),3\n1234,1\n"
    assert counted("--url", server.url, "--token", ADMIN_TOKEN) == expected
    known = {"TOLLKEEPER_URL": server.url, "TOLLKEEPER_ADMIN_TOKEN": ADMIN_TOKEN}
    assert counted(**known) == expected
    assert "does not know this admin token" in counted("--url", server.url, "--token", "wrong")
    assert "no data folder" in counted()
