"""Watches API calls inside the host's process and brings them to the collector.

    adapter (asgi, wsgi, django, outgoing) -> agent.finish -> buffer or spool
                                              -> identify, skip, sample, mask, encode -> send

Owns everything between a call and the collector's 201: what is read off a call (`call`), who made
it (`identify`, `jwt`, `address`), what must not leave (`mask`, `body`), what is left out (`skip`,
`sample`), where it waits (`buffer`, `spool`) and how it travels (`courier`, `send`).

Invariants: the host is never harmed (no exception, no wait for the network, memory bounded in
bytes; the only broad `except` is in `guard`); what is lost is counted and reported; a raw secret
never leaves the process; each call is counted exactly once, whatever is sampled or sent twice.

Boundaries: it does not know the server's store or its rules; it imports msgspec and the standard
library only (`cel` and `cryptography` when an option needs them).
"""

from __future__ import annotations

from tollkeeper.capture.agent import Agent, stats
from tollkeeper.capture.call import Call
from tollkeeper.capture.options import Options, read_options
from tollkeeper.capture.outgoing import capture_outgoing

__all__ = ["Agent", "Call", "Options", "capture_outgoing", "read_options", "stats"]
