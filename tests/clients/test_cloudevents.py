"""CloudEvents by their own SDK, and usage events by OpenMeter's client."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tollkeeper.testing.program import Program
from tollkeeper.testing.relay import Relay
from tollkeeper.testing.tally import Tally

Run = Callable[..., Program]


def test_cloudevents_sdk_sends_structured_binary_and_batched_events(
    run: Run, tally: Tally, relay: Relay, counted_exactly: Callable[[int], None]
) -> None:
    script = run(sys.executable, "apps/cloudevents_sender.py").finish()

    assert tally.by("customer") == {"customer-1": 8, "customer-2": 4}
    counted_exactly(12)
    assert tally.by("source", "action") == {("cloudevents", "request"): 12}
    assert tally.by("method", "route", "status") == {("GET", "/hello", 200): 12}
    assert tally.by("metadata.duration_ms") == {"12.5": 12}
    assert relay.asked == {"POST /api/v1/events": 8}
    assert script.complaints == []


def test_openmeter_client_sends_events_that_count_once(
    run: Run, tally: Tally, relay: Relay
) -> None:
    script = run(sys.executable, "apps/openmeter_sender.py").finish()

    assert tally.by("customer", "action") == {
        ("customer-1", "prompt"): 4,
        ("customer-2", "prompt"): 5,
    }
    tokens = {"fn": "sum", "field": "metadata.tokens"}
    assert tally.by("customer", metrics=[tokens]) == {
        "customer-1": 100 + 101 + 102 + 108,
        "customer-2": 103 + 104 + 105 + 106 + 107,
    }
    status = tally.status
    assert (status["events_total"], status["quarantine"]["count"]) == (9, 0)
    # The relay repeats all ten events that the client sent, one of which it sent twice itself.
    assert tally.duplicate_count == 11
    assert {e.status for e in relay.exchanges} == {204}
    assert script.complaints == []
