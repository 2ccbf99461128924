"""An API call as a value: its shape on the wire and its row in the store.

``WireEvent`` is the Moesif event plus our fields, as SDKs send it. ``Event`` is one row of the
table ``events``, in the order of its columns; the two are joined by ``ingest.normalise``.

Source: protocol notes section 1.3 for the wire; ``store/sql/schema`` for the columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

Text = str | int | float | bool | None
"""Ids arrive as text, but some SDKs send numbers; they are read as text."""


class WireRequest(msgspec.Struct, gc=False):
    """What was asked. Unknown keys are ignored; ``time`` and ``uri`` are needed."""

    time: Text = None
    uri: Text = None
    verb: Text = None
    headers: dict[str, Any] | None = None
    body: msgspec.Raw = msgspec.Raw()
    transfer_encoding: Text = None
    ip_address: Text = None
    api_version: Text = None
    route: Text = None
    bytes: int | None = None
    content_length: Text = None
    user_agent_string: Text = None


class WireResponse(msgspec.Struct, gc=False):
    """What was answered; absent when no answer ever came."""

    time: Text = None
    status: Text = None
    headers: dict[str, Any] | None = None
    body: msgspec.Raw = msgspec.Raw()
    transfer_encoding: Text = None
    bytes: int | None = None
    content_length: Text = None


class WireEvent(msgspec.Struct, gc=False):
    """One call (or, with ``action_name``, one action) as it stands in a request's body."""

    request: WireRequest
    response: WireResponse | None = None
    transaction_id: Text = None
    user_id: Text = None
    company_id: Text = None
    subscription_id: Text = None
    anonymous_id: Text = None
    session_token: Text = None
    credential: Text = None
    metadata: msgspec.Raw = msgspec.Raw()
    direction: Text = None
    weight: int | float | None = None
    tags: Text = None
    blocked_by: Text = None
    trace_id: Text = None
    action_name: Text = None
    duration_us: int | None = None
    outcome: Text = None


class Event(NamedTuple):
    """One row of ``events``.

    Units: ``*_us`` microseconds, ``*_bytes`` bytes. Unknown text is empty, an unknown number 0;
    ``status`` 0 means that no response was seen. ``key`` is the hash of (application, id),
    ``content`` the hash of what the event says; (``position``, ``item``) is its place in the
    journal. From ``kind`` on stands what the event says and what ``content`` covers. ``user`` and ``customer`` are as captured; who owns the usage is resolved when asked.
    """

    application: str
    time: int
    id: str
    key: int
    content: int
    position: int
    item: int
    received_at: int
    ip: str
    route: str
    source: str
    kind: str
    direction: str
    action: str
    method: str
    uri: str
    status: int
    duration_us: int
    request_bytes: int
    response_bytes: int
    request_headers: str
    response_headers: str
    request_body: str
    request_encoding: str
    response_body: str
    response_encoding: str
    captured_user: str
    captured_customer: str
    credential: str
    metadata: str
    api_version: str
    weight: int
    trace_id: str
    blocked_by: str
    tags: str
    outcome: str
    subscription: str
