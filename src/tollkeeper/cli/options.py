"""Options that several commands share, each said once."""

from typing import Annotated

import typer

_SERVER = "Which server"
_WHICH = "Which events"

Url = Annotated[
    str | None,
    typer.Option(
        help="Address of a running server (environment: TOLLKEEPER_URL).", rich_help_panel=_SERVER
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        help="Admin token (environment: TOLLKEEPER_ADMIN_TOKEN).", rich_help_panel=_SERVER
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="Data folder of a server on this machine; it need not run.", rich_help_panel=_SERVER
    ),
]
Application = Annotated[
    str | None,
    typer.Option(help="Application id; the first one by default.", rich_help_panel=_WHICH),
]
Since = Annotated[
    str,
    typer.Option(
        help="Start: 30d, 24h, 15m before now (s m h d w M), or ISO 8601.", rich_help_panel=_WHICH
    ),
]
Until = Annotated[
    str,
    typer.Option(help="End, not included: now, 1h ago as 1h, or ISO 8601.", rich_help_panel=_WHICH),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        help="Filter, as in the dashboard: 'status>=500', 'route~/v1/*', '-user:bot', or JSON; may repeat.",
        rich_help_panel=_WHICH,
    ),
]
