"""The list of commands."""

import typer

from tollkeeper.cli import serve

cli = typer.Typer(
    name="tollkeeper",
    help="Who calls your API, how much, whether they may, and what they owe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command("serve")(serve.serve)


@cli.callback()
def root() -> None:
    """Keeps subcommands named even while there is only one."""


def main() -> None:
    """Runs the command line."""
    cli()
