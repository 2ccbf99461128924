"""How commands speak: errors in one line on standard error, with exit code 1."""

from typing import NoReturn

import typer

from tollkeeper.errors import TollkeeperError


def fail(error: TollkeeperError) -> NoReturn:
    """Prints what is wrong and ends the command with code 1."""
    where = f"{error.field}: " if error.field else ""
    typer.secho(f"error: {where}{error.detail}", fg="red", err=True)
    raise typer.Exit(1)
