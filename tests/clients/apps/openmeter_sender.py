"""Usage events through OpenMeter's own client, single, as a batch, and as plain JSON."""

import os
from datetime import UTC, datetime

from openmeter import Client
from openmeter.models import Event


def event(number: int, subject: str) -> Event:
    return Event(
        id=f"om-{number}",
        source="my-app",
        specversion="1.0",
        type="prompt",
        subject=subject,
        time=datetime.now(UTC),
        data={"tokens": 100 + number, "model": "small"},
    )


with Client(
    endpoint=os.environ["MOESIF_BASE_URI"], token=os.environ["MOESIF_APPLICATION_ID"]
) as client:
    for number in range(3):
        client.events.ingest_event(event(number, "customer-1"))
    client.events.ingest_events([event(number, "customer-2") for number in range(3, 8)])
    last = event(8, "customer-1")
    client.events.ingest_events_json(last)
    # The same event again is taken, and counts once.
    client.events.ingest_event(last)
print("done")
