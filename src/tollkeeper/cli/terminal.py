"""How commands speak: errors in one line on standard error, tables that fit, bars and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tollkeeper.errors import TollkeeperError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

BAR_WIDTH = 24
_BLOCKS = " ▏▎▍▌▋▊▉█"


def explain(error: TollkeeperError) -> None:
    """Prints what is wrong in one line on standard error."""
    where = f"{error.field}: " if error.field else ""
    said = " ".join(f"{where}{error.detail}".split())
    typer.secho(f"error: {said}", fg="red", err=True)


def fail(error: TollkeeperError) -> NoReturn:
    """Prints what is wrong and ends the command with code 1."""
    explain(error)
    raise typer.Exit(1)


def console(*, error: bool = False) -> Console:
    """The terminal, or what stands in its place; nothing in the text is taken for markup."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, markup=False, emoji=False)


def progress(shown: str) -> Progress:
    """A progress bar on standard error, so that standard output stays data.

    ``shown`` is the format of the task's own numbers, over its fields.
    """
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    where = console(error=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(shown),
        TimeElapsedColumn(),
        console=where,
        disable=not where.is_terminal,
    )


def bar(share: float, *, width: int = BAR_WIDTH) -> str:
    """A bar as long as a share (0 to 1) of the width, in eighths of a character."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_BLOCKS[rest] if rest else "")


def number(value: Any, unit: str | None = None) -> str:
    """A number as people read it; nothing for one that is not known."""
    if value is None:
        return "-"
    if unit == "ratio":
        return f"{value:.1%}"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{int(value):,}"


def printable(text: str) -> str:
    """Text from outside without the control characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)
