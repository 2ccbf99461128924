"""Bindings of one key against a plain dictionary: instant → owner."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.timeline import FOREVER_US, Owner, Span, holder, paint, state

INSTANTS = range(25)
OWNERS = (Owner("a", ""), Owner("b", "acme"), Owner("", "corp"))


class Said(NamedTuple):
    owner: Owner
    start: int | None
    end: int | None
    now: int


class Model:
    """The same rules, said over single instants and a list of what was stated."""

    def __init__(self) -> None:
        self.owner: dict[int, Owner] = {}
        self.piece: dict[int, int] = {}  # which statement an instant's owner comes from
        self.begins: dict[int, int] = {}  # where the piece of a statement begins now

    def say(self, said: Said) -> bool:
        start = said.start
        if start is None:
            if not self.owner:
                start = 0
            elif self.owner.get(said.now) != said.owner:
                start = said.now
            elif said.end is None:
                return True
            else:
                start = self.first_of(said.now)
        end = len(INSTANTS) if said.end is None else said.end
        if start >= end:
            return False
        if self.owner.get(start) == said.owner and self.first_of(start) == start:
            self.forget(start, said.owner)
        number = 1 + max(self.piece.values(), default=0)
        for at in range(start, end):
            self.owner[at], self.piece[at] = said.owner, number
        self.split_pieces()
        return True

    def first_of(self, at: int) -> int:
        while at > 0 and self.piece.get(at - 1) == self.piece[at]:
            at -= 1
        return at

    def forget(self, start: int, owner: Owner) -> None:
        number, at = self.piece[start], start
        while self.piece.get(at) == number:
            del self.owner[at], self.piece[at]
            at += 1

    def split_pieces(self) -> None:
        # A statement that was cut in two is two from now on.
        seen: set[int] = set()
        last = None
        fresh = 1 + max(self.piece.values(), default=0)
        renamed: dict[int, int] = {}
        for at in INSTANTS:
            number = self.piece.get(at)
            if number is None:
                last = None
                continue
            if number != last:
                if number in seen:
                    renamed[number] = fresh
                    fresh += 1
                seen.add(number)
            last = number
            self.piece[at] = renamed.get(number, number)


instants = st.integers(0, len(INSTANTS) - 1)
statements = st.lists(
    st.builds(
        Said,
        st.sampled_from(OWNERS),
        st.none() | instants,
        st.none() | st.integers(1, len(INSTANTS) - 1),
        instants,
    ),
    max_size=8,
)


def check(said: list[Said], lay=paint) -> None:
    """Compares the room with the model after every statement."""
    timeline: tuple[Span, ...] = ()
    model = Model()
    for one in said:
        before = timeline
        try:
            timeline = state(
                timeline,
                one.owner,
                valid_from_us=one.start,
                valid_to_us=one.end,
                now_us=one.now,
                lay=lay,
            )
            taken = True
        except InvalidInput:
            taken = False
        if timeline is before and taken:
            # Nothing would change: the pieces stay as they are too, so the model is not told.
            copy = dict(model.owner)
            probe = Model()
            probe.owner, probe.piece = dict(model.owner), dict(model.piece)
            assert probe.say(one)
            assert probe.owner == copy
        else:
            assert model.say(one) is taken
        for at in INSTANTS:
            found = holder(timeline, at)
            assert (found and found.owner) == model.owner.get(at)
        for earlier, later in pairwise(timeline):
            assert earlier.to_us <= later.from_us
        assert all(span.from_us < span.to_us <= FOREVER_US for span in timeline)


@given(statements)
@settings(max_examples=400, deadline=None)
def test_every_instant_has_the_owner_that_a_dictionary_says(said):
    check(said)


def _forgets_the_rest(timeline, span):
    return tuple(s for s in paint(timeline, span) if s == span or s.from_us < span.to_us)


def _closes_the_end(timeline, span):
    return paint(timeline, span._replace(to_us=min(span.to_us + 1, FOREVER_US)))


def _keeps_what_is_inside(timeline, span):
    inside = [s for s in timeline if s.from_us > span.from_us and s.to_us < span.to_us]
    return tuple(sorted([*paint(timeline, span), *inside]))


@pytest.mark.parametrize("planted", [_forgets_the_rest, _closes_the_end, _keeps_what_is_inside])
def test_the_comparison_finds_a_planted_mistake(planted):
    @given(statements)
    @settings(max_examples=2000, deadline=None, database=None)
    def run(said):
        check(said, lay=planted)

    with pytest.raises(AssertionError):
        run()
