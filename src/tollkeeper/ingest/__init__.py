"""Taking events: from a request's body to a stored, counted row.

``collector`` validates a body, appends it to the journal and answers; ``pipeline`` reads the
journal as one ordered list of named steps: decode → normalise → dedupe → store → count → announce.

Invariants: 201 means on disk; a bad item costs its neighbours nothing and is kept in quarantine
with its reason; each event counts once, whatever is resent, reordered or killed.

Boundaries: who owns the usage is not decided here (``identity`` knows, ``query`` asks when it
answers); what a caller may do is not known here at all.
"""
