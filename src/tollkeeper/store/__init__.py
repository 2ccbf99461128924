"""Where things are kept: events (ClickHouse SQL), records (SQLAlchemy), counters.

``open`` is the one place where the embedded and the scaled-out shape differ. SQL lives in
``sql/*.sql``, one statement a file with its purpose in the first line.

Invariants: an insert block is stored once per journal range, whatever is killed when; raw events
are never changed.

Boundaries: this room keeps and finds; it does not know what an alias or a quota means.
"""
