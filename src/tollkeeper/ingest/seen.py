"""A filter that says "surely new" for most events, so that the store is asked only about the rest.

A Bloom filter in layers, each twice the size of the one before, memory-mapped from files beside
the journal. It may only err in one direction: a key that was stored is always "maybe seen".

Guarantee: after any crash, opening tells again every key that the store holds from journal
positions after the last sync; a missing or damaged file is rebuilt from the store.
Source: Almeida et al., "Scalable Bloom Filters" (2007); Kirsch and Mitzenmacher (2006) for
computing all probes from two hashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_FIRST_BITS = 2**27
_BITS_PER_KEY = 14
_PROBES = 8


class _State(msgspec.Struct):
    """What stands in the filter's small state file."""

    synced_position: int
    counts: list[int]


class _Layer:
    """One bit array with room for a known number of keys."""

    def __init__(self, path: Path, bits: int, count: int) -> None:
        self.count = count
        self.capacity = bits // _BITS_PER_KEY
        self._mask = np.uint64(bits - 1)
        _allocate(path, bits // 8)
        self.words: Any = np.memmap(path, np.uint8, "r+", shape=(bits // 8,))

    def probes(self, keys: Keys) -> Iterable[Keys]:
        first = keys & np.uint64(0xFFFFFFFF)
        step = (keys >> np.uint64(32)) | np.uint64(1)
        for number in range(_PROBES):
            yield (first * np.uint64(0x9E3779B1) + np.uint64(number) * step) & self._mask

    def contains(self, keys: Keys) -> NDArray[np.bool_]:
        found = np.ones(len(keys), dtype=bool)
        for at in self.probes(keys):
            bit = np.left_shift(np.uint8(1), (at & np.uint64(7)).astype(np.uint8))
            found &= (self.words[at >> np.uint64(3)] & bit) != 0
        return found

    def add(self, keys: Keys) -> None:
        for at in self.probes(keys):
            bit = np.left_shift(np.uint8(1), (at & np.uint64(7)).astype(np.uint8))
            np.bitwise_or.at(self.words, at >> np.uint64(3), bit)
        self.count += len(keys)


class Seen:
    """Remembers which event keys may have been stored.

    Not thread-safe: it belongs to the pipeline's thread.
    """

    def __init__(self, folder: Path, *, first_bits: int = _FIRST_BITS) -> None:
        """Opens the filter of a folder; ``synced_position`` tells from where to add keys again."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._first_bits = first_bits
        state = self._load()
        self.synced_position = state.synced_position
        self._layers = [self._layer(i, count) for i, count in enumerate(state.counts)]

    def _load(self) -> _State:
        empty = _State(synced_position=0, counts=[0])
        path = self._folder / "seen.json"
        try:
            state = msgspec.json.decode(path.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError):
            state = empty
        for index in range(len(state.counts)):
            file = self._path(index)
            if not file.exists() or file.stat().st_size != self._bits(index) // 8:
                state = empty
                break
        if state is empty:
            for old in self._folder.glob("seen-*.bits"):
                old.unlink()
        return state

    def _path(self, index: int) -> Path:
        return self._folder / f"seen-{index}.bits"

    def _bits(self, index: int) -> int:
        return self._first_bits << index

    def _layer(self, index: int, count: int) -> _Layer:
        return _Layer(self._path(index), self._bits(index), count)

    def maybe(self, keys: Keys) -> NDArray[np.bool_]:
        """For each key: false when it was surely never stored."""
        found = np.zeros(len(keys), dtype=bool)
        for layer in self._layers:
            found |= layer.contains(keys)
        return found

    def add(self, keys: Keys) -> None:
        """Remembers keys that are stored now."""
        while len(keys):
            layer = self._layers[-1]
            room = layer.capacity - layer.count
            if room <= 0 and self._grow():
                continue
            # Without room for a new layer the last one takes more: it errs more often, safely.
            taken = keys[:room] if room > 0 else keys
            layer.add(taken)
            keys = keys[len(taken) :]

    def _grow(self) -> bool:
        try:
            self._layers.append(self._layer(len(self._layers), 0))
        except OSError:
            return False
        return True

    def sync(self, position: int) -> None:
        """Writes the filter to disk; keys up to a journal position need not be told again."""
        for layer in self._layers:
            layer.words.flush()
        state = _State(synced_position=position, counts=[layer.count for layer in self._layers])
        target = self._folder / "seen.json"
        fresh = target.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(target)
        self.synced_position = position

    def clear(self) -> None:
        """Forgets everything, for a filter whose store is another one now."""
        self._layers.clear()
        for old in [*self._folder.glob("seen-*.bits"), *self._folder.glob("seen.json")]:
            old.unlink()
        self._layers.append(self._layer(0, 0))
        self.synced_position = 0


def _allocate(path: Path, size_bytes: int) -> None:
    """Makes a file of zeros with its space taken, unless it is there.

    Writing to a page of a mapped file that the disk has no room for would end the process.

    Raises:
        OSError: the disk has no room for it.
    """
    if path.exists() and path.stat().st_size != size_bytes:
        path.unlink()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
