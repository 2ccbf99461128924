"""Finds the events that a store cannot take, when it refuses a block that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, get_type_hints

from tollkeeper.errors import StoreError
from tollkeeper.model.event import Event

_KINDS = get_type_hints(Event)
_PLAIN = Event._make("" if _KINDS[name] is str else 0 for name in Event._fields)


class Tryable(Protocol):
    """A store that can say whether it would take events, without taking them."""

    def try_block(self, events: Sequence[Event]) -> None:
        """Raises ``StoreError`` when it would not."""
        ...


def unstorable(store: Tryable, events: Sequence[Event]) -> list[Event]:
    """The events that are refused even alone.

    Guarantee: none when the store takes no event at all, because then it is the store that fails.
    """
    if not _healthy(store):
        return []
    refused = _refused(store, events)
    # Asked again, because it may have begun to fail in the middle.
    return refused if _healthy(store) else []


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
    return _takes(store, [_PLAIN])
