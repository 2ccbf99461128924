"""``tollkeeper check-config``: each setting with its effective value and where it comes from."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tollkeeper import config
from tollkeeper.cli.terminal import console, printable

MASK = "••••••••"


def check_config(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The settings as JSON.")] = False,
) -> None:
    """Shows the settings of server and capture as they are now; secrets are masked.

    A variable that begins with TOLLKEEPER_ and that nobody knows is refused by name.
    """
    import msgspec

    from tollkeeper.app.settings import server_settings
    from tollkeeper.capture.options import Options

    settings = server_settings(os.environ, {})
    found = {
        "server": table(config.ServerSettings, os.environ, settings),
        "capture": table(Options, os.environ, _capture(os.environ)),
    }
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _print(found)


def _capture(environment: Mapping[str, str]) -> Any:
    """The capture options of the environment; a host without a collector id has none to check."""
    from tollkeeper.capture.options import read_options

    absent = "TOLLKEEPER_APPLICATION_ID" not in environment
    return read_options({"application_id": "-"} if absent else None, environment=environment)


def table(kind: type[Any], environment: Mapping[str, str], settings: Any) -> list[dict[str, Any]]:
    """Each setting: name, effective value, origin, unit and help."""
    shown = []
    for row in config.rows(kind):
        if row.name in _CALLABLES:
            continue
        set_here = row.environment in environment
        value = getattr(settings, row.name) if set_here else row.default
        shown.append(
            {
                "name": row.name,
                "value": MASK if row.secret and value else value,
                "origin": row.environment if set_here else "default",
                "unit": row.unit,
                "help": row.help,
            }
        )
    return shown


_CALLABLES = frozenset(
    {
        "identify_user",
        "identify_company_by",
        "get_session_token",
        "get_metadata",
        "skip",
        "mask_event",
    }
)
"""What only code can give."""


def _print(found: dict[str, list[dict[str, Any]]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console()
    for name, settings in found.items():
        grid = Table(title=name, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for head in ("setting", "value", "from", "what it is"):
            grid.add_column(head, overflow="fold")
        for row in settings:
            unit = f" {row['unit']}" if row["unit"] and row["value"] not in (None, "") else ""
            shown = "" if row["value"] in (None, "", [], ()) else f"{row['value']}{unit}"
            style = "dim" if row["origin"] == "default" else "bold"
            grid.add_row(
                Text(row["name"], style=style), Text(printable(shown)), row["origin"], row["help"]
            )
        out.print(grid)
