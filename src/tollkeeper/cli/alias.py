"""``tollkeeper alias``: whose credentials these are, one by one or from a file."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tollkeeper.cli.options import Application, Data, Token, Url
from tollkeeper.cli.terminal import console
from tollkeeper.cli.where import read_moment
from tollkeeper.errors import InvalidInput

if TYPE_CHECKING:
    from tollkeeper.cli.reach import Server

_BATCH = 10_000
_PAGE = 1000
KEYS = ("credential", "credential_sha256", "digest", "user", "customer", "valid_from", "valid_to")

cli = typer.Typer(
    help="The alias table: which user and customer a credential belongs to, and when.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@cli.command("put")
def put(
    credential: Annotated[
        str | None,
        typer.Argument(
            help="Token or key; '-' reads it from standard input, so that no shell history keeps it."
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    customer: Annotated[str | None, typer.Option(help="Which customer pays.")] = None,
    valid_from: Annotated[
        str | None, typer.Option("--from", help="From this time on; by default since ever.")
    ] = None,
    valid_to: Annotated[str | None, typer.Option("--to", help="Up to this time.")] = None,
    file: Annotated[
        str | None,
        typer.Option(help=f"Many at once: CSV with a head, or JSON lines ({', '.join(KEYS)})."),
    ] = None,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Binds credentials to users and customers; past usage moves to its owner by itself."""
    from tollkeeper.cli.reach import reach

    if file:
        aliases = read_file(file)
    elif user or customer:
        secret = sys.stdin.readline().strip() if credential == "-" else credential
        given = (secret, None, None, user, customer, valid_from, valid_to)
        aliases = [_alias(dict(zip(KEYS, given, strict=True)))]
    else:
        raise InvalidInput("name a --user, a --customer or a --file", field="alias")
    results: Counter[str] = Counter()
    refused = 0
    with reach(url, token, data) as server:
        chosen = server.application(application)["id"]
        for start in range(0, len(aliases), _BATCH):
            body = {"application": chosen, "aliases": aliases[start : start + _BATCH]}
            for item in server.ask("PUT", "/api/aliases", json=body)["results"]:
                results[item["result"]] += 1
                if item["result"] == "rejected":
                    refused += 1
                    _explain(start + item["index"] + 1, item)
    typer.echo(", ".join(f"{count:,} {name}" for name, count in sorted(results.items())) or "none")
    if refused:
        raise typer.Exit(1)


def _explain(place: int, item: dict[str, Any]) -> None:
    why = item.get("detail") or item.get("reason")
    where = f" ({item['field']})" if item.get("field") else ""
    console(error=True).print(f"alias {place}: {why}{where}", style="red")


def read_file(file: str) -> list[dict[str, Any]]:
    """The aliases of a CSV file with a head, or of JSON lines.

    Raises:
        InvalidInput: the file cannot be read, or has a column that nobody knows.
    """
    import csv

    import msgspec

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
        if text.lstrip().startswith("{"):
            rows = [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
        else:
            rows = list(csv.DictReader(text.splitlines(), restkey="more"))
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise InvalidInput(f"cannot read {file}: {error}", field="file") from error
    for place, row in enumerate(rows, 1):
        unknown = set(row) - set(KEYS) if isinstance(row, dict) else {"no object"}
        if unknown:
            raise InvalidInput(
                f"alias {place}: unknown {min(unknown)!r}; known are {', '.join(KEYS)}",
                field="file",
            )
    return [_alias(row) for row in rows]


def _alias(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is empty, times as the API wants them."""
    said = {key: value for key, value in row.items() if value not in (None, "")}
    for key in ("valid_from", "valid_to"):
        if isinstance(said.get(key), str):
            said[key] = read_moment(said[key])
    return said


@cli.command("list")
def listing(
    user: Annotated[str | None, typer.Option(help="Only those of this user.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only those of this customer.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Lists the alias table; credentials stand as keyed digests."""
    import msgspec

    from tollkeeper.cli.reach import reach

    query: dict[str, Any] = {}
    query |= {k: v for k, v in (("user", user), ("customer", customer)) if v}
    with reach(url, token, data) as server:
        if application:
            query["application"] = server.application(application)["id"]
        found = _aliases(server, query, limit)
        if as_json:
            for alias in found:
                typer.echo(msgspec.json.encode(alias).decode())
        else:
            _print(list(found))


def _aliases(server: "Server", query: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    left, cursor = limit, None
    while left > 0:
        asked = {**query, "limit": min(left, _PAGE)} | ({"cursor": cursor} if cursor else {})
        answer = server.ask("GET", "/api/aliases", params=asked)
        yield from answer["aliases"]
        left -= len(answer["aliases"])
        cursor = answer["next_cursor"]
        if cursor is None:
            return


def _print(found: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tollkeeper.cli.terminal import printable

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("credential", "user", "customer", "from", "to", "told by"):
        table.add_column(name, overflow="fold")
    for alias in found:
        cells = (
            alias["credential"] or "",
            alias["user"],
            alias["customer"],
            (alias["valid_from"] or "since ever")[:19],
            (alias["valid_to"] or "for ever")[:19],
            "events" if alias["learned"] else "a person",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    out = console()
    if found:
        out.print(table)
    else:
        out.print("The alias table is empty.")
