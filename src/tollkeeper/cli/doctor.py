"""``tollkeeper doctor``: looks at a server from outside and says what to do about what is wrong."""

from typing import Annotated

import typer

from tollkeeper.cli.options import Data, Token, Url
from tollkeeper.cli.terminal import console, printable

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Checks that a server can be reached, is ready, keeps up and loses nothing.

    Ends with code 1 when something fails; warnings alone end with 0.
    """
    import msgspec

    from tollkeeper.cli.checks import examine
    from tollkeeper.clock import SYSTEM_CLOCK

    findings = examine(url, token, data, clock=SYSTEM_CLOCK)
    if as_json:
        typer.echo(msgspec.json.encode([f._asdict() for f in findings]).decode())
    else:
        out = console()
        for finding in findings:
            mark, style = _MARKS[finding.state]
            out.print(f"{mark} {finding.name:<12} {printable(finding.detail)}", style=style)
            if finding.advice:
                out.print(f"  {'':<12} → {finding.advice}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
