"""The composition root: the only place that builds objects.

``server.App`` opens a data folder and joins the rooms: the journal feeds the pipeline, the
pipeline the stores, the stores the queries; what must meet, meets here. ``listen`` puts it behind
a port.

Boundaries: it joins, it decides nothing.
"""
