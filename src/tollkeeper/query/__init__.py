"""Questions over events: counting, grouping, listing, and watching them live.

``ask`` reads a question, ``window`` its calendar, ``filter`` its conditions, ``fields`` the names
they use. ``plan`` decides whether rollups or raw events answer which stretch of time, ``owner``
says who each row belongs to, ``compile`` writes the SQL and ``answer`` runs it. ``events`` lists
single events, ``stream`` shows them as they come, ``match`` is the filter in Python.

Invariants: a question for one application never reads a row of another. Whatever a caller sends
is bound as a parameter or refused; no part of it becomes SQL. A rollup answers only what raw
events would answer equally. Windows are half-open, calendars belong to the asked zone. The usage
of a credential belongs to its owner at the time of the call, as known when the question is asked.

Boundaries: stores nothing and changes nothing; knows no HTTP; does not decide who may ask.
"""
