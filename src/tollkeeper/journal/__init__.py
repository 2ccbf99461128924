"""The durable inbox: what was acknowledged is on disk before the answer goes out.

An entry is one accepted request body with what is needed to understand it later. Entries have
consecutive positions for ever; the pipeline reads them in that order and releases what it stored.

Invariants: ``append`` answers only after the commit that holds the entry was fsynced; many
waiting appends share one commit. A drained file is dropped whole, never vacuumed.

Boundaries: the journal does not look into bodies and does not know how far they are stored; the
records database holds that position.
"""
