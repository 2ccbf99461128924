"""``tollkeeper recount``: counts raw events again and says whether every number agrees."""

from typing import Annotated

import typer

from tollkeeper.cli.options import Data, Token, Url
from tollkeeper.cli.terminal import console


def recount(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Compares rollups and counters with the raw events; ends with code 1 when they differ."""
    import msgspec

    from tollkeeper.cli.reach import reach

    with reach(url, token, data) as server:
        answer = server.ask("POST", "/api/recount", timeout=None)
    if as_json:
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        out = console()
        for name, total in sorted(answer["applications"].items()):
            out.print(f"{name}: {total['calls']:,} calls in {total['events']:,} events")
        for d in answer["differences"]:
            out.print(
                f"differs: {d['what']} of {d['application']}, day {d['day']}: "
                f"counted {d['counted']:,}, found {d['found']:,}",
                style="bold red",
            )
        if answer["equal"]:
            out.print("raw events, rollups and counters agree", style="green")
    if not answer["equal"]:
        raise typer.Exit(1)
