"""The journal: durable, in order, and never silent."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tollkeeper.errors import Overloaded
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal, Limits

SMALL = Limits(backlog_bytes=10**9, free_bytes=0, segment_bytes=1)


def entry(body: bytes = b"{}") -> Entry:
    return Entry(0, "app", "events", "moesif", 1, "{}", 1, body)


@contextmanager
def journal(folder: Path, stored: int = 0, **said: object) -> Iterator[Journal]:
    said.setdefault("limits", SMALL)
    opened = Journal(folder / "journal", stored_position=stored, **said)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.close()


def positions(opened: Journal, after: int = 0) -> list[int]:
    return [e.position for e in opened.read(after)]


def test_entries_keep_their_order_over_files_and_starts(tmp_path: Path) -> None:
    for start in range(3):
        with journal(tmp_path) as opened:
            for number in range(5):
                at = opened.append(entry(b"%d" % number)).result()
                assert at == start * 5 + number + 1
            assert positions(opened) == list(range(1, start * 5 + 6))
    with journal(tmp_path) as opened:
        assert [e.body for e in opened.read(10)] == [b"0", b"1", b"2", b"3", b"4"]
        assert opened.backlog() == (15, 15)


def test_what_is_released_is_dropped_file_by_file(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        for _ in range(5):
            opened.append(entry()).result()
        assert len(list((tmp_path / "journal").glob("*.journal"))) == 5
        opened.release(3, entries=3, size_bytes=6)
        assert positions(opened, 3) == [4, 5]
        assert len(list((tmp_path / "journal").glob("*.journal"))) == 2
        assert opened.backlog() == (2, 4)


def test_positions_go_on_when_every_file_is_gone(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        for _ in range(3):
            opened.append(entry()).result()
    for path in (tmp_path / "journal").iterdir():
        path.unlink()
    with journal(tmp_path, stored=3) as opened:
        assert opened.last_position == 3
        assert opened.append(entry()).result() == 4


def test_a_file_that_a_crash_left_empty_takes_the_next_entry(tmp_path: Path) -> None:
    class Crash(Exception):
        pass

    def fault(point: str) -> None:
        if point == "journal.rotated" and armed.is_set():
            raise Crash

    armed = threading.Event()
    with journal(tmp_path, fault=fault) as opened:
        opened.append(entry()).result()
        armed.set()
        with pytest.raises(Overloaded):
            opened.append(entry()).result()
    # As after a kill at that point: a new file without entries.
    assert len(list((tmp_path / "journal").glob("*.journal"))) == 2
    with journal(tmp_path) as opened:
        assert opened.append(entry()).result() == 2
        assert positions(opened) == [1, 2]


def test_a_file_of_no_bytes_at_all_is_no_obstacle(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.append(entry()).result()
    (tmp_path / "journal" / f"{2:020d}.journal").write_bytes(b"")
    with journal(tmp_path) as opened:
        assert opened.append(entry()).result() == 2


def test_what_is_left_of_a_deleted_file_is_swept(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.append(entry()).result()
    left = tmp_path / "journal" / f"{7:020d}.journal-wal"
    left.write_bytes(b"x")
    with journal(tmp_path):
        assert not left.exists()


def test_a_cancelled_append_harms_nobody(tmp_path: Path) -> None:
    waiting = threading.Event()
    go_on = threading.Event()

    def fault(point: str) -> None:
        if point == "journal.before_commit":
            waiting.set()
            go_on.wait(10)

    with journal(tmp_path, fault=fault) as opened:
        first = opened.append(entry())
        waiting.wait(10)
        second = opened.append(entry(b"cancelled"))
        assert second.cancel()
        go_on.set()
        assert first.result(10) == 1
        assert opened.append(entry()).result(10) == 2
        assert [e.body for e in opened.read(0)] == [b"{}", b"{}"]


def test_any_failure_is_an_answer_and_the_next_one_is_tried(tmp_path: Path) -> None:
    failures: list[Exception] = [
        sqlite3.OperationalError("disk"),
        OSError(28, "full"),
        ValueError(),
    ]

    def fault(point: str) -> None:
        if point == "journal.before_commit" and failures:
            raise failures.pop(0)

    with journal(tmp_path, fault=fault) as opened:
        for _ in range(3):
            with pytest.raises(Overloaded):
                opened.append(entry()).result(10)
            assert opened.failure
        assert opened.append(entry()).result(10) == 1
        assert opened.failure is None


def test_a_position_that_is_on_disk_after_all_is_not_given_twice(tmp_path: Path) -> None:
    failing = [True]

    def fault(point: str) -> None:
        if point == "journal.after_commit" and failing.pop():
            failing.append(False)
            raise OSError(5, "the answer was lost")

    with journal(tmp_path, fault=fault) as opened:
        with pytest.raises(Overloaded):
            opened.append(entry()).result(10)
        failing.append(False)
        assert opened.append(entry()).result(10) == 2
        assert positions(opened) == [1, 2]
        assert opened.backlog() == (2, 4)


def test_what_is_on_disk_only_is_read_in_its_place(tmp_path: Path) -> None:
    failing = [False, True, False, False]

    def fault(point: str) -> None:
        if point == "journal.after_commit" and failing.pop(0):
            raise OSError(5, "the answer was lost")

    limits = Limits(10**9, 0, 10**9)
    with journal(tmp_path, fault=fault, limits=limits) as opened:
        opened.append(entry()).result(10)
        with pytest.raises(Overloaded):
            opened.append(entry()).result(10)
        opened.append(entry()).result(10)
        assert positions(opened) == [1, 2, 3]
        opened.release(3, entries=3, size_bytes=6)
        assert opened.backlog() == (0, 0)
        opened.append(entry()).result(10)
        assert positions(opened, 3) == [4]


def test_empty_bodies_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tollkeeper.journal.journal._TAIL_BYTES", 10_000)
    with journal(tmp_path, limits=Limits(10**9, 0, 10**9)) as opened:
        for _ in range(30):
            opened.append(entry(b"")).result(10)
        assert len(opened._tail) < 10
        assert positions(opened) == list(range(1, 31))


def test_a_journal_that_failed_finds_out_by_itself_that_it_works_again(tmp_path: Path) -> None:
    failing = [True]

    def fault(point: str) -> None:
        if point == "journal.before_commit" and failing.pop():
            raise OSError(28, "full")

    with journal(tmp_path, fault=fault) as opened:
        with pytest.raises(Overloaded):
            opened.append(entry()).result(10)
        for _ in range(100):
            if opened.failure is None:
                break
            threading.Event().wait(0.05)
        assert opened.failure is None


def test_the_backlog_limit_refuses_until_something_is_stored(tmp_path: Path) -> None:
    with journal(tmp_path, limits=Limits(10, 0, 10**6)) as opened:
        opened.append(entry(b"0123456789")).result()
        with pytest.raises(Overloaded, match="backlog") as refused:
            opened.append(entry()).result()
        assert refused.value.retry_after_seconds > 0
        opened.release(1, entries=1, size_bytes=10)
        assert opened.append(entry()).result() == 2


def test_what_is_stored_does_not_lie_in_the_files_of_an_idle_journal(tmp_path: Path) -> None:
    def found() -> bool:
        for path in (tmp_path / "journal").iterdir():
            with suppress(FileNotFoundError):
                if b"sk_live_1" in path.read_bytes():
                    return True
        return False

    with journal(tmp_path, limits=Limits(10**9, 0, 10**9, idle_seconds=0.05)) as opened:
        assert opened.append(entry(b"sk_live_1")).result(10) == 1
        threading.Event().wait(0.3)
        # Accepted and not stored: it stays.
        assert [e.body for e in opened.read(0)] == [b"sk_live_1"]
        assert found()
        opened.release(1, entries=1, size_bytes=9)
        for _ in range(200):
            if not found():
                break
            threading.Event().wait(0.05)
        assert not found()
        assert opened.append(entry()).result(10) == 2
        assert positions(opened, 1) == [2]
    with journal(tmp_path, stored=1) as opened:
        assert positions(opened, 1) == [2]
        assert opened.append(entry()).result(10) == 3


def test_a_nearly_full_disk_refuses(tmp_path: Path) -> None:
    with (
        journal(tmp_path, limits=Limits(10**9, 2**62, 10**6)) as opened,
        pytest.raises(Overloaded, match="disk"),
    ):
        opened.append(entry()).result()


def test_what_comes_after_the_end_is_refused(tmp_path: Path) -> None:
    with journal(tmp_path) as opened:
        opened.append(entry()).result()
    with pytest.raises(Overloaded):
        opened.append(entry()).result(10)


def test_many_appenders_and_a_reader_see_every_entry_once(tmp_path: Path) -> None:
    with journal(tmp_path, limits=Limits(10**9, 0, 50_000)) as opened:
        futures: list[Future[int]] = []
        lock = threading.Lock()

        def append(number: int) -> None:
            for index in range(200):
                future = opened.append(entry(b"%d-%d" % (number, index)))
                with lock:
                    futures.append(future)

        threads = [threading.Thread(target=append, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        seen: list[Entry] = []
        while len(seen) < 800:
            part = list(opened.read(seen[-1].position if seen else 0))
            if part:
                seen += part
                size = sum(len(e.body) for e in part)
                opened.release(part[-1].position, entries=len(part), size_bytes=size)
        for thread in threads:
            thread.join()
        assert [e.position for e in seen] == list(range(1, 801))
        assert sorted(f.result() for f in futures) == list(range(1, 801))
        assert {e.body for e in seen} == {b"%d-%d" % (n, i) for n in range(4) for i in range(200)}
        for _ in range(100):
            if opened.backlog() == (0, 0):
                break
            threading.Event().wait(0.02)
        assert opened.backlog() == (0, 0)
