"""Finds the events that a store cannot take, when it refuses a block that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tollkeeper.errors import StoreError
from tollkeeper.model.event import Event


class Tryable(Protocol):
    """A store that can say whether it would take events, without taking them."""

    def try_block(self, events: Sequence[Event]) -> None:
        """Raises ``StoreError`` when it would not."""
        ...


def unstorable(store: Tryable, events: Sequence[Event]) -> list[Event]:
    """The events that are refused even alone.

    Guarantee: none when the store takes no event at all, because then it is the store that fails.
    """
    refused = _refused(store, events)
    return [] if len(refused) == len(events) and not _healthy(store) else refused


def _refused(store: Tryable, events: Sequence[Event]) -> list[Event]:
    if not events or _takes(store, events):
        return []
    if len(events) == 1:
        return list(events)
    half = len(events) // 2
    return _refused(store, events[:half]) + _refused(store, events[half:])


def _takes(store: Tryable, events: Sequence[Event]) -> bool:
    try:
        store.try_block(events)
    except StoreError:
        return False
    return True


def _healthy(store: Tryable) -> bool:
    """Whether it takes an event that has nothing special."""
    kinds = Event.__annotations__
    return _takes(store, [Event._make("" if kinds[f] == "str" else 0 for f in Event._fields)])
