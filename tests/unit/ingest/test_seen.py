"""The filter in front of dedupe: it may say maybe too often, and never no wrongly."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from tollkeeper.ingest.seen import Keys, Seen

BITS = 2**12


def keys(first: int, count: int) -> Keys:
    return np.random.default_rng(first).integers(0, 2**64, count, dtype=np.uint64)


def open_seen(folder: Path) -> Seen:
    return Seen(folder, first_bits=BITS)


def test_what_was_added_is_never_new_through_growth_and_starts(tmp_path: Path) -> None:
    seen = open_seen(tmp_path)
    known = keys(1, 5000)
    for start in range(0, len(known), 700):
        seen.add(known[start : start + 700])
    assert seen.maybe(known).all()
    seen.sync(9)
    again = open_seen(tmp_path)
    assert again.synced_position == 9
    assert again.maybe(known).all()
    assert again.maybe(keys(2, 5000)).mean() < 0.05


def test_a_crash_before_the_sync_tells_from_where_to_add_again(tmp_path: Path) -> None:
    seen = open_seen(tmp_path)
    seen.add(keys(1, 100))
    seen.sync(5)
    seen.add(keys(2, 5000))
    again = open_seen(tmp_path)
    assert again.synced_position == 5
    assert again.maybe(keys(1, 100)).all()
    again.add(keys(2, 5000))
    assert again.maybe(keys(2, 5000)).all()


@pytest.mark.parametrize("damage", ["state", "bits", "short"])
def test_a_damaged_filter_begins_anew(tmp_path: Path, damage: str) -> None:
    seen = open_seen(tmp_path)
    seen.add(keys(1, 100))
    seen.sync(5)
    if damage == "state":
        (tmp_path / "seen.json").write_bytes(b"{")
    elif damage == "bits":
        (tmp_path / "seen-0.bits").unlink()
    else:
        (tmp_path / "seen-0.bits").write_bytes(b"")
    again = open_seen(tmp_path)
    assert again.synced_position == 0
    assert not again.maybe(keys(2, 100)).any()


def test_its_files_have_their_space_from_the_start(tmp_path: Path) -> None:
    # A hole in a mapped file would end the process when the disk is full as it is written to.
    open_seen(tmp_path)
    assert (tmp_path / "seen-0.bits").stat().st_blocks * 512 >= BITS // 8


def test_without_room_to_grow_it_still_forgets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = open_seen(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "posix_fallocate", full)
    known = keys(1, 3000)
    seen.add(known)
    assert seen.maybe(known).all()
    assert [path.name for path in tmp_path.glob("*.bits")] == ["seen-0.bits"]


def test_a_cleared_filter_knows_nothing(tmp_path: Path) -> None:
    seen = open_seen(tmp_path)
    seen.add(keys(1, 3000))
    seen.sync(7)
    seen.clear()
    assert seen.synced_position == 0
    assert not seen.maybe(keys(1, 3000)).any()
