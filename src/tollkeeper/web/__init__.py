"""HTTP: one module per resource, authentication, live streams, and the built dashboard.

Invariants: every refusal is an RFC 9457 problem that names the field at fault; nothing here
decides or counts, it only translates.

Boundaries: the collector is not here, it is a plain ASGI handler of ``ingest``; ``edge`` puts
both behind one port.
"""
