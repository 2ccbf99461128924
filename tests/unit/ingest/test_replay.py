"""What was held and is sent again becomes the event that it would have been."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tollkeeper.clock import SYSTEM_CLOCK, format_us
from tollkeeper.ingest.operation import Operation
from tollkeeper.testing.chdb import new_event_store
from tollkeeper.testing.inlet import Inlet

DAY_US = 86_400_000_000


class Later:
    """The system's clock, some days ahead."""

    def __init__(self, days: int) -> None:
        self._ahead_us = days * DAY_US

    def now_us(self) -> int:
        return SYSTEM_CLOCK.now_us() + self._ahead_us

    def monotonic_ns(self) -> int:
        return SYSTEM_CLOCK.monotonic_ns()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return SYSTEM_CLOCK.wait(event, seconds)


@pytest.fixture(scope="module")
def inlet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inlet]:
    store = new_event_store()
    opened = Inlet(tmp_path_factory.mktemp("replay"), store)
    yield opened
    opened.close()
    store.close()


def operation(inlet: Inlet, *, days: int = 0) -> Operation:
    return Operation(
        journal=inlet.journal,
        pipeline=inlet.pipeline,
        store=inlet.store,
        records=inlet.records,
        applications=list,
        clock=Later(days),
    )


def wire(at_us: int, uri: str) -> dict[str, Any]:
    return {"request": {"time": format_us(at_us), "uri": uri, "verb": "GET"}, "user_id": "ann"}


def ids(inlet: Inlet, application: str) -> dict[str, str]:
    rows = inlet.store.query(
        "SELECT uri, id FROM events WHERE application = {a:String}", {"a": application}
    ).rows
    return dict(rows)


def test_an_item_without_an_id_keeps_the_one_of_its_place(inlet: Inlet) -> None:
    ahead_us = SYSTEM_CLOCK.now_us() + 3 * DAY_US
    batch = [wire(ahead_us - 4 * DAY_US, "/now"), wire(ahead_us, "/a"), wire(ahead_us, "/b")]
    inlet.send("place", batch)
    inlet.drain()
    assert inlet.totals("place").held == 2
    digest = ids(inlet, "place")["/now"].partition("-")[0]
    # Too early: it is held again, and once.
    assert operation(inlet).replay(None) == 2
    inlet.drain()
    assert set(ids(inlet, "place")) == {"/now"}
    assert operation(inlet, days=3).replay(None) == 2
    inlet.drain()
    wanted = {"/now": f"{digest}-0", "/a": f"{digest}-1", "/b": f"{digest}-2"}
    assert ids(inlet, "place") == wanted
    assert operation(inlet, days=3).replay(None) == 0
    assert inlet.totals("place").counters == {"ann": (3, 3)}


def test_what_is_sent_again_twice_is_counted_once(inlet: Inlet) -> None:
    inlet.send("twice", [wire(SYSTEM_CLOCK.now_us() + 3 * DAY_US, "/a")])
    inlet.drain()
    again = operation(inlet, days=3)
    held = again.held(limit=10, after=0)[1]
    assert again.replay(None) == 1
    # As after a crash before it was noted.
    again._send_again(held)
    inlet.drain()
    assert inlet.totals("twice").counters == {"ann": (1, 1)}
    assert inlet.totals("twice").conflicts == 0
