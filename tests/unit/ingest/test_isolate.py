"""Finding the events that a store cannot take."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.errors import StoreError
from tollkeeper.ingest.isolate import unstorable
from tollkeeper.model.event import Event
from tollkeeper.testing.calls import call


class Picky:
    """A store that refuses some ids, and from some call on everything."""

    def __init__(self, refused: set[str], *, works_for: int = 10**9) -> None:
        self.refused = refused
        self.left = works_for
        self.tries = 0

    def try_block(self, events: Sequence[Event]) -> None:
        self.tries += 1
        self.left -= 1
        if self.left < 0 or any(event.id in self.refused for event in events):
            raise StoreError("no")


def block(count: int) -> list[Event]:
    return [call(id=str(number)) for number in range(count)]


@given(st.integers(0, 40), st.sets(st.integers(0, 40)))
def test_exactly_those_are_found_in_their_order(count: int, refused: set[int]) -> None:
    found = unstorable(Picky({str(number) for number in refused}), block(count))
    assert [int(event.id) for event in found] == sorted(n for n in refused if n < count)


def test_a_store_that_fails_accuses_nobody() -> None:
    down = Picky(set(), works_for=0)
    assert unstorable(down, block(1000)) == []
    assert down.tries == 1
    for works_for in range(1, 12):
        assert unstorable(Picky({"3"}, works_for=works_for), block(1000)) == []


def test_one_among_many_is_found_in_few_tries() -> None:
    store = Picky({"777"})
    assert len(unstorable(store, block(50_000))) == 1
    assert store.tries < 50
