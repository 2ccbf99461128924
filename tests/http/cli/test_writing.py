import json
from pathlib import Path
from typing import Any

from tollkeeper.testing.server import ServerProcess


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"import-{number}",
        "request": {"time": "2026-11-17T12:00:00Z", "uri": "https://h/orders/1", "verb": "POST"},
        "response": {"status": 201},
        "user_id": "imported",
        **more,
    }


def result(done: Any) -> dict[str, int]:
    answer = json.loads(done.stdout)
    return {name: count for name, count in answer.items() if name != "rejections" and count}


def test_an_import_can_be_repeated(run: Any, write: Any) -> None:
    file = write("in.jsonl", *(event(n) for n in range(1, 6)))
    assert result(run("import", file, "--json", "--batch", "2")) == {"stored": 5}
    assert result(run("import", file, "--json", "--batch", "3")) == {"duplicate": 5}
    assert "5  there already" in run("import", file).stdout
    counted = run("usage", "--since", "2026-11-17", "--where", "id~^import-[1-5]$", "--csv")
    assert counted.stdout.splitlines()[1] == "imported,5"


def test_an_import_names_each_rejected_line_and_stores_the_others(run: Any, write: Any) -> None:
    no_time = event(11)
    del no_time["request"]["time"]
    file = write("bad.jsonl", event(10), "nonsense", no_time, "", "[]", event(12))
    done = run("import", file, "--json", code=1)
    assert result(done) == {"stored": 2, "rejected": 3}
    rejections = json.loads(done.stdout)["rejections"]
    assert [(line["line"], line["field"]) for line in rejections] == [
        (2, ""),
        (3, "request.time"),
        (5, ""),
    ]
    assert "line 3: missing (request.time)" in run("import", file, code=1).stderr


def test_what_was_exported_can_be_imported_where_it_is_not(
    run: Any, write: Any, tmp_path: Path
) -> None:
    run("import", write("in.jsonl", event(20, metadata={"k": 1}, weight=2)))
    exported = run("export", "--whole", "--since", "2026-11-17", "--where", "id:import-20").stdout
    moved = exported.replace("import-20", "import-21")
    done = run("import", "-", "--json", input=moved)
    assert result(done) == {"stored": 1}
    first, second = (json.loads(run("events", f"import-{number}").stdout) for number in (20, 21))
    for copied in (first, second):
        del copied["id"], copied["received_at"]
    assert first == second
    assert first["source"] == "import"


def test_an_import_without_a_file_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    assert "cannot read" in run("import", str(tmp_path / "none"), code=1).stderr
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    assert "cannot read" in run("import", str(tmp_path / "cut.gz"), code=1).stderr


def test_aliases_are_put_and_listed(run: Any, tmp_path: Path) -> None:
    assert (
        run("alias", "put", "secret-1", "--user", "u1", "--customer", "c1").stdout == "1 created\n"
    )
    assert run(
        "alias", "put", "-", "--user", "u1", "--customer", "c1", input="secret-1\n"
    ).stdout == ("1 unchanged\n")
    listed = run("alias", "list", "--json", "--user", "u1").stdout.splitlines()
    aliases = [json.loads(line) for line in listed]
    assert [alias["customer"] for alias in aliases if alias["credential"]] == ["c1"]
    assert "secret-1" not in run("alias", "list").stdout


def test_aliases_come_from_files_and_bad_ones_are_named(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "credential,user,customer,valid_from\nk1,u2,c2,2026-01-01\nk2,u3,,\nk3,u4,,never\n"
    )
    done = run("alias", "put", "--file", str(tmp_path / "a.csv"), code=1)
    assert done.stdout == "2 created, 1 rejected\n"
    assert done.stderr.startswith("alias 3: ")
    (tmp_path / "a.jsonl").write_text('{"credential": "k9", "user": "u9"}\n')
    assert run("alias", "put", "--file", str(tmp_path / "a.jsonl")).stdout == "1 created\n"
    (tmp_path / "b.csv").write_text("token,user\nk1,u2\n")
    assert (
        "unknown 'token'" in run("alias", "put", "--file", str(tmp_path / "b.csv"), code=1).stderr
    )
    assert run("alias", "put", "k", code=1).stderr.startswith("error: alias: ")


def test_a_late_alias_moves_past_usage(run: Any, write: Any) -> None:
    run("import", write("in.jsonl", event(30, user_id=None, session_token="late-key")))
    where = ("--since", "2026-11-17", "--where", "id:import-30", "--csv")
    assert run("usage", *where).stdout.splitlines()[1] == ",1"
    run("alias", "put", "late-key", "--user", "late")
    for _ in range(20):
        counted = run("usage", *where).stdout.splitlines()[1]
        if counted == "late,1":
            break
    assert counted == "late,1"


def test_what_is_held_is_listed_and_replayed(run: Any, server: ServerProcess) -> None:
    with server.collector() as collector:
        collector.post("/v1/events/batch?results=items", json=[{"request": {"uri": 5}}])
    held = [json.loads(line) for line in run("quarantine", "list", "--json").stdout.splitlines()]
    assert any(item["reason"] == "missing" for item in held)
    assert f"{len(held)} held" in run("quarantine", "list").stdout
    assert run("quarantine", "replay").stdout == f"{len(held)} sent again\n"


def test_a_recount_agrees(run: Any) -> None:
    answer = json.loads(run("recount", "--json").stdout)
    assert answer["equal"] is True
    assert "agree" in run("recount").stdout
