"""The list of commands."""

import sys
from typing import Annotated

import typer

from tollkeeper.cli import (
    alias,
    check_config,
    doctor,
    events,
    export,
    load,
    quarantine,
    recount,
    serve,
    tail,
    usage,
)
from tollkeeper.cli.terminal import explain
from tollkeeper.errors import TollkeeperError

_HELP = {"help_option_names": ["-h", "--help"]}

cli = typer.Typer(
    name="tollkeeper",
    help="Who calls your API, how much, whether they may, and what they owe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)
cli.command("serve", context_settings=_HELP)(serve.serve)
cli.command("usage", context_settings=_HELP)(usage.usage)
cli.command("tail", context_settings=_HELP)(tail.tail)
cli.command("events", context_settings=_HELP)(events.events)
cli.command("export", context_settings=_HELP)(export.export)
cli.command("import", context_settings=_HELP)(load.load)
cli.command("recount", context_settings=_HELP)(recount.recount)
cli.command("doctor", context_settings=_HELP)(doctor.doctor)
cli.command("check-config", context_settings=_HELP)(check_config.check_config)
cli.add_typer(quarantine.cli, name="quarantine")
cli.add_typer(alias.cli, name="alias")


def _version(*, asked: bool) -> None:
    if asked:
        from tollkeeper import __version__

        typer.echo(f"tollkeeper {__version__}")
        raise typer.Exit


@cli.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda value: _version(asked=value),
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    """Who calls your API, how much, whether they may, and what they owe."""


def main() -> None:
    """Runs the command line: what cannot be done is one line on standard error and exit code 1."""
    try:
        cli()
    except TollkeeperError as error:
        explain(error)
        sys.exit(1)
