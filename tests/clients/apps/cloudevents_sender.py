"""CloudEvents made by the CloudEvents SDK, sent structured, as a batch, and binary."""

import json
import os

import httpx
from cloudevents.conversion import to_binary, to_dict, to_structured
from cloudevents.http import CloudEvent

url = os.environ["MOESIF_BASE_URI"] + "/api/v1/events"
authorization = {"authorization": f"Bearer {os.environ['MOESIF_APPLICATION_ID']}"}


def event(number: int, subject: str, **more: str) -> CloudEvent:
    attributes = {
        "id": str(number),
        "source": "https://gateway.example.test/svc",
        "type": "request",
        "subject": subject,
        **more,
    }
    data = {"method": "GET", "route": "/hello", "status": 200, "duration_ms": 12.5}
    return CloudEvent(attributes, data)


with httpx.Client(timeout=30, headers=authorization) as client:
    for number in range(3):
        headers, body = to_structured(event(number, "customer-1"))
        client.post(url, headers=headers, content=body).raise_for_status()
    for number in range(3, 7):
        headers, body = to_binary(event(number, "customer-2", sampledrate="1"))
        client.post(url, headers=headers, content=body).raise_for_status()
    # The SDK has no function for a batch; the array of its own events is one.
    batch = [to_dict(event(number, "customer-1")) for number in range(7, 12)]
    for item in batch:
        item["data"] = json.loads(item["data"]) if isinstance(item["data"], str) else item["data"]
    client.post(
        url, headers={"content-type": "application/cloudevents-batch+json"}, json=batch
    ).raise_for_status()
print("done")
