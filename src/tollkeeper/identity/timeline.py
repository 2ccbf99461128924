"""Who owned one key, and when: a list of spans that never overlap, and how a statement changes it.

Pure values; ``bindings`` keeps them. Times are microseconds since the epoch, spans are half-open
``[from_us, to_us)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tollkeeper.errors import InvalidInput

SINCE_EVER_US = 0
FOREVER_US = 2**62


class Owner(NamedTuple):
    """To whom a key belongs; either part may be empty, not both."""

    user: str
    customer: str


class Span(NamedTuple):
    """An owner over ``[from_us, to_us)``; ``learned`` when an event told it, not a person."""

    from_us: int
    to_us: int
    owner: Owner
    learned: bool = False


Timeline = tuple[Span, ...]
"""Spans of one key in order of time, none overlapping another."""


def holder(timeline: Timeline, at_us: int) -> Span | None:
    """The span in force at an instant."""
    return next((s for s in timeline if s.from_us <= at_us < s.to_us), None)


def paint(timeline: Timeline, span: Span) -> Timeline:
    """The timeline with one span laid over it; what it covers is trimmed, split or gone."""
    kept = [span]
    for old in timeline:
        if old.from_us < span.from_us:
            kept.append(old._replace(to_us=min(old.to_us, span.from_us)))
        if old.to_us > span.to_us:
            kept.append(old._replace(from_us=max(old.from_us, span.to_us)))
    return tuple(sorted(kept))


def state(
    timeline: Timeline,
    owner: Owner,
    *,
    valid_from_us: int | None,
    valid_to_us: int | None,
    now_us: int,
    lay: Callable[[Timeline, Span], Timeline] = paint,
) -> Timeline:
    """The timeline after somebody stated an owner.

    Without ``valid_from_us`` the first statement holds since ever, and replaces what was only
    learned; a later one with another owner starts now, so that usage before a move stays with the
    owner of that time. Without ``valid_to_us`` it holds for ever. A statement with the start and
    the owner of a span that is there states that span again: its end is replaced too.

    Returns:
        The very same object when nothing would change.

    Raises:
        InvalidInput: when the interval would be empty.
    """
    stated: Timeline = tuple(s for s in timeline if not s.learned)
    ground = timeline
    if valid_from_us is None:
        current = holder(stated, now_us)
        if not stated:
            ground, valid_from_us = (), SINCE_EVER_US
        elif current is None or current.owner != owner:
            valid_from_us = now_us
        elif valid_to_us is None:
            return timeline
        else:
            valid_from_us = current.from_us
    span = Span(valid_from_us, FOREVER_US if valid_to_us is None else valid_to_us, owner)
    if span.from_us >= span.to_us:
        raise InvalidInput("must be later than valid_from", field="valid_to", code="empty_interval")
    ground = tuple(s for s in ground if s.learned or (s.from_us, s.owner) != (span.from_us, owner))
    changed = lay(ground, span)
    return timeline if _meaning(changed) == _meaning(timeline) else changed


def _meaning(timeline: Timeline) -> list[Span]:
    """Spans with neighbours of the same owner joined: what the timeline says, however it is cut."""
    joined: list[Span] = []
    for span in timeline:
        last = joined[-1] if joined else None
        if last is not None and last.to_us == span.from_us and last[2:] == span[2:]:
            joined[-1] = last._replace(to_us=span.to_us)
        else:
            joined.append(span)
    return joined
