"""Frozen values of the domain: what an event is, on the wire and inside; no I/O.

Owns the shapes that several rooms share. Boundaries: it opens nothing, reads no clock and no
environment, and imports msgspec and the standard library only, because it also lives in the
host's process.
"""
