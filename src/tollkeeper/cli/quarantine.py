"""``tollkeeper quarantine``: what could not be understood, and sending it again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tollkeeper.cli.options import Data, Token, Url
from tollkeeper.cli.terminal import console, printable

if TYPE_CHECKING:
    from tollkeeper.cli.reach import Server

_PAGE = 1000
_SHOWN_CHARACTERS = 60

cli = typer.Typer(
    help="What the server could not understand: kept, counted, and replayed on demand.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@cli.command("list")
def listing(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Lists what is held, oldest first, each with its reason."""
    import msgspec

    from tollkeeper.cli.reach import reach

    with reach(url, token, data) as server:
        count, items = _held(server, limit)
        if as_json:
            for item in items:
                typer.echo(msgspec.json.encode(item).decode())
        else:
            _print(count, list(items))


def _held(server: "Server", limit: int) -> tuple[int, Iterator[dict[str, Any]]]:
    first = server.ask("GET", "/api/quarantine", params={"limit": min(limit, _PAGE)})

    def rest() -> Iterator[dict[str, Any]]:
        page, left = first["items"], limit
        while page and left > 0:
            yield from page[:left]
            left -= len(page)
            if left > 0:
                query = {"limit": min(left, _PAGE), "after": page[-1]["id"]}
                page = server.ask("GET", "/api/quarantine", params=query)["items"]

    return first["count"], rest()


def _print(count: int, items: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not items:
        out.print("Nothing is held: everything was understood.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("id", "what", "reason", "detail", "seen", "last seen", "content"):
        table.add_column(name, overflow="fold")
    for item in items:
        reason = item["reason"] + (f" ({item['field']})" if item["field"] else "")
        cells = (
            str(item["id"]),
            item["resource"],
            reason,
            item["detail"],
            f"{item['seen_count']} times",
            item["last_seen_at"][:19],
            item["content"][:_SHOWN_CHARACTERS],
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    out.print(table)
    out.print(f"{count:,} held; send them again with: tollkeeper quarantine replay")


@cli.command("replay")
def replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Which; all when none is given.")] = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Sends held items through the pipeline again; what still is not understood is held again."""
    from tollkeeper.cli.reach import reach

    with reach(url, token, data) as server:
        answer = server.ask("POST", "/api/quarantine/replay", json={"ids": ids or None})
    typer.echo(f"{answer['replayed']:,} sent again")
