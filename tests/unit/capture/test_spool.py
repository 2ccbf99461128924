from __future__ import annotations

import errno
import json
import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.spool import Spool, record, records

ID = "application"
EVENTS = st.lists(st.binary(min_size=1, max_size=60), max_size=8)


def new_spool(directory, instance="one", **settings):
    settings = {"limit_bytes": 1 << 20, "segment_events": 3, "segment_bytes": 1000, **settings}
    spool = Spool(directory, ID, **settings)
    spool.open(instance)
    return spool


def drained(spool):
    out = []
    while (segment := spool.next_segment(close_open=True)) is not None:
        out += segment.events()
        spool.settle(segment)
    return out


@given(EVENTS, st.integers(0, 200))
def test_a_torn_tail_costs_only_the_event_that_was_torn(events, cut):
    data = b"".join(map(record, events))
    whole = records(data[: max(0, len(data) - cut)])
    assert whole == events[: len(whole)]
    assert records(data) == events
    if cut == 0:
        assert whole == events


def test_a_hole_of_zeros_is_an_end_and_no_event():
    assert records(record(b"e") + bytes(64)) == [b"e"]


@given(EVENTS.filter(bool), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(events, place, flip):
    data = bytearray(b"".join(map(record, events)))
    data[place % len(data)] ^= flip
    found = records(bytes(data))
    assert found == events[: len(found)]
    assert len(found) < len(events)


def test_events_come_back_in_order_and_leave_no_file(tmp_path):
    spool = new_spool(tmp_path)
    counts = [spool.append(b"%d" % number, number) for number in range(7)]
    assert counts == [1, 2, 3, 1, 2, 3, 1]
    assert spool.waiting_count() == 7
    assert drained(spool) == [b"%d" % number for number in range(7)]
    assert (spool.bytes, spool.waiting_count(), spool.oldest_ns()) == (0, 0, None)
    spool.close()
    assert list(spool.root.iterdir()) == []


def test_a_segment_is_closed_by_bytes_too(tmp_path):
    spool = new_spool(tmp_path)
    spool.append(b"x" * 1000, 0)
    assert spool.has_closed()
    spool.append(b"x", 5)
    assert spool.oldest_ns() == 5
    assert spool.next_segment(close_open=False).count() == 1
    spool.close()


def test_the_newest_is_refused_when_the_room_is_used_up(tmp_path):
    spool = new_spool(tmp_path, limit_bytes=100)
    assert [bool(spool.append(b"x" * 32, 0)) for _ in range(4)] == [True, True, False, False]
    drained(spool)
    assert spool.append(b"x" * 32, 0)
    spool.close()


def test_the_living_are_not_adopted_and_the_dead_once_only(tmp_path):
    dead, living = new_spool(tmp_path, "dead"), new_spool(tmp_path, "living")
    for number in range(4):
        dead.append(b"%d" % number, 0)
    living.append(b"mine", 0)
    heir, late = new_spool(tmp_path, "heir"), new_spool(tmp_path, "late")
    assert heir.has_leftovers()
    assert heir.adopt() == 0
    die(dead)
    assert heir.adopt() == 2
    assert late.adopt() == 0
    assert heir.waiting_count() == 4
    assert drained(heir) == [b"0", b"1", b"2", b"3"]
    assert not (dead.root / "dead").exists()
    assert drained(living) == [b"mine"]
    for spool in (heir, late, living):
        spool.close()


def die(spool):
    """Lets go of the lock as the kernel does for a killed process, and of nothing else."""
    for descriptor in spool._locks.values():
        os.close(descriptor)
    if spool._descriptor >= 0:
        os.close(spool._descriptor)


def test_what_an_heir_could_not_send_goes_to_the_next(tmp_path):
    dead = new_spool(tmp_path, "dead")
    dead.append(b"e", 0)
    die(dead)
    heir = new_spool(tmp_path, "heir")
    assert heir.adopt() == 1
    die(heir)
    last = new_spool(tmp_path, "last")
    assert last.adopt() == 1
    assert drained(last) == [b"e"]
    last.close()
    assert list(last.root.rglob("*.seg")) == []


def test_other_applications_in_the_same_folder_keep_their_events(tmp_path):
    other = Spool(tmp_path, "other", limit_bytes=1000, segment_events=3, segment_bytes=1000)
    other.open("dead")
    other.append(b"e", 0)
    die(other)
    spool = new_spool(tmp_path)
    assert not spool.has_leftovers()
    assert spool.adopt() == 0
    spool.close()
    assert len(list(other.root.rglob("*.seg"))) == 1


def test_empty_folders_of_the_long_dead_are_removed_but_no_newborn_is_disturbed(tmp_path):
    spool = new_spool(tmp_path)
    for name, age_seconds in [("old", 3600), ("newborn", 0)]:
        home = spool.root / name
        home.mkdir()
        os.utime(home, (home.stat().st_mtime - age_seconds,) * 2)
    assert spool.adopt() == 0
    assert {home.name for home in spool.root.iterdir()} == {"one", "newborn"}
    spool.close()


def test_many_can_come_and_go_at_once(tmp_path):
    failures = []

    def live(name):
        for turn in range(20):
            try:
                spool = new_spool(tmp_path, f"{name}-{turn}")
                spool.append(b"e", 0)
                spool.adopt()
                drained(spool)
                spool.close()
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=live, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(tmp_path.glob("*/*")) == []


def test_a_part_of_an_event_is_taken_back_when_the_disk_is_full(tmp_path, monkeypatch):
    spool = new_spool(tmp_path)
    spool.append(b"first", 0)
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    with pytest.raises(OSError, match="a part"):
        spool.append(b"second", 0)

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        spool.append(b"third", 0)
    monkeypatch.undo()
    spool.append(b"fourth", 0)
    assert drained(spool) == [b"first", b"fourth"]
    spool.close()


def test_events_on_disk_are_for_their_owner_only(tmp_path):
    spool = new_spool(tmp_path)
    spool.append(b"e", 0)
    (file,) = spool.root.rglob("*.seg")
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    spool.close()


def files(directory):
    return list(directory.rglob("*.seg"))


def test_a_call_is_on_disk_when_finish_returns(make_agent, call, tmp_path):
    agent = make_agent(spool_directory=str(tmp_path), timer_wake_up_seconds=60)
    for number in range(3):
        agent.finish(call(path=f"/{number}"))
        (file,) = files(tmp_path)
        events = [json.loads(event) for event in records(file.read_bytes())]
        assert [event["request"]["uri"][-2:] for event in events] == [
            f"/{at}" for at in range(number + 1)
        ]
    assert agent.stats()["spooled"] == 3


def test_segments_are_gone_once_the_collector_has_them(make_agent, call, collector, tmp_path):
    agent = make_agent(spool_directory=str(tmp_path), timer_wake_up_seconds=0.05, batch_size=4)
    collector.answers = [(503, {}, b"")] * 3
    for _ in range(10):
        agent.finish(call())
    assert agent.flush(5)
    assert files(tmp_path) == []
    accepted = [event["transaction_id"] for _, events in collector.requests[3:] for event in events]
    assert len(accepted) == len(set(accepted)) == 10
    assert agent.stats()["spooled"] == 0
    assert agent.stats()["sent"] == 10


def test_what_close_could_not_send_is_kept_for_the_next_agent(
    make_agent, call, collector, tmp_path
):
    first = make_agent(spool_directory=str(tmp_path), url="http://127.0.0.1:9")
    for _ in range(5):
        first.finish(call())
    first.close(0.2)
    assert first.stats()["dropped"] == {}
    second = make_agent(spool_directory=str(tmp_path))
    assert len({event["transaction_id"] for event in collector.wait_for(5)}) == 5
    assert second.flush(5)
    assert second.stats()["adopted"] == 1
    assert files(tmp_path) == []


def test_a_full_spool_refuses_the_newest_and_counts_it(make_agent, call, tmp_path):
    agent = make_agent(spool_directory=str(tmp_path), spool_bytes=1500, url="http://127.0.0.1:9")
    for _ in range(10):
        agent.finish(call())
    stats = agent.stats()
    assert stats["spooled"] + stats["dropped"]["spool_full"] == 10
    assert 0 < stats["spooled"] < 10


def test_a_disk_that_refuses_sends_the_events_through_memory(make_agent, call, collector, tmp_path):
    agent = make_agent(spool_directory=str(tmp_path))
    (home,) = tmp_path.glob("*/*")
    (home / "lock").unlink()
    home.rmdir()
    agent.finish(call())
    assert agent.flush(5)
    assert len(collector.events) == 1
    assert agent.stats()["errors"] == {"spool": 1}
    assert agent.stats()["dropped"] == {}


def test_coroutines_and_sampling_work_with_a_spool(make_agent, call, collector, tmp_path):
    async def user(request, response):
        return "u"

    async def mask(event):
        return event

    agent = make_agent(spool_directory=str(tmp_path / "a"), identify_user=user)
    agent.finish(call(request=1))
    masking = make_agent(spool_directory=str(tmp_path / "b"), mask_event=mask)
    masking.finish(call(user="m"))
    sampling = make_agent(spool_directory=str(tmp_path / "c"), sample_rate=10)
    for _ in range(25):
        sampling.finish(call(user="s"))
    assert all(each.flush(5) for each in (agent, masking, sampling))
    weights = {}
    for event in collector.events:
        weights[event["user_id"]] = weights.get(event["user_id"], 0) + event["weight"]
    assert weights == {"u": 1, "m": 1, "s": 25}


def test_a_rest_of_sampling_is_looked_after_with_a_spool_too(make_agent, call, tmp_path):
    agent = make_agent(spool_directory=str(tmp_path), sample_rate=1)
    taken = 0
    while not agent.stats()["sampled_out"]:
        agent.finish(call())
        taken += 1
    assert taken < 3
    assert agent._courier._thread.is_alive()
    assert agent._courier._seconds_to_due(hurried=False) <= 60


def test_an_unreadable_segment_costs_no_other(make_agent, call, collector, tmp_path):
    dead = Spool(
        tmp_path,
        make_agent().options.application_id,
        limit_bytes=1000,
        segment_events=1,
        segment_bytes=1000,
    )
    dead.open("dead")
    dead.append(b"{}", 0)
    die(dead)
    (file,) = files(tmp_path)
    file.unlink()
    file.mkdir()
    agent = make_agent(spool_directory=str(tmp_path))
    assert agent.stats()["spooled"] == 0
    agent.finish(call())
    assert agent.flush(5)
    assert len(collector.events) == 1
    assert agent.stats()["errors"] == {"spool": 1}


def test_a_sender_that_fails_again_and_again_does_not_burn_the_hosts_cpu(
    make_agent, call, collector, tmp_path, monkeypatch
):
    agent = make_agent(timer_wake_up_seconds=0.01)
    turns = []

    def broken(*, everything):
        turns.append(everything)
        raise RuntimeError

    monkeypatch.setattr(agent._preparer, "tails", broken)
    agent.finish(call())
    time.sleep(0.3)
    assert len(turns) <= 2
    monkeypatch.undo()
    collector.wait_for(1)
