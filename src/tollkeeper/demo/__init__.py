"""A sample API, the partners that call it, and a table that shows Tollkeeper counting them.

Three processes over real HTTP: a Tollkeeper server, the sample API with our middleware (``api``),
and this one, in which the partners live (``partners``) and count their calls by themselves. At
the end what the server counted must equal what the partners made, call by call and error by
error, or the demo fails. ``history`` fills the month before, marked as sample.

Boundaries: it uses Tollkeeper only as its users do: the middleware, the command line, the API.
"""
