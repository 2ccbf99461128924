"""``tollkeeper events``: single events, newest first."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tollkeeper.cli.options import Application, Data, Since, Token, Until, Url, Where
from tollkeeper.cli.row import line
from tollkeeper.cli.terminal import console
from tollkeeper.cli.where import read_moment, read_where

if TYPE_CHECKING:
    from tollkeeper.cli.reach import Server

PAGE_EVENTS = 1000


def events(
    event_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One event as a whole, as JSON.")
    ] = None,
    since: Since = "24h",
    until: Until = "now",
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    *,
    oldest: Annotated[bool, typer.Option("--oldest", help="Oldest first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Lists events, or shows one with its headers and bodies."""
    import msgspec

    from tollkeeper.cli.reach import reach

    with reach(url, token, data) as server:
        if event_id:
            whole = server.ask("GET", f"/api/events/{event_id}")
            typer.echo(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
            return
        query = question(since, until, where, order="asc" if oldest else "desc")
        if application:
            query["application"] = server.application(application)["id"]
        out = console()
        for page in pages(server, query, limit=limit):
            for event in page:
                if as_json:
                    typer.echo(msgspec.json.encode(event).decode())
                else:
                    out.print(line(event))


def question(since: str, until: str, where: list[str] | None, *, order: str) -> dict[str, Any]:
    """The parameters of ``GET /api/events``."""
    import msgspec

    query = {"from": read_moment(since), "to": read_moment(until), "order": order}
    condition = read_where(where)
    if condition is not None:
        query["filter"] = msgspec.json.encode(condition).decode()
    return query


def pages(
    server: "Server", query: dict[str, Any], *, limit: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Page after page of events, each fetched when it is asked for; memory holds one."""
    cursor, left = None, limit
    while left is None or left > 0:
        size = PAGE_EVENTS if left is None else min(left, PAGE_EVENTS)
        asked = {**query, "limit": size} | ({"cursor": cursor} if cursor else {})
        answer = server.ask("GET", "/api/events", params=asked)
        yield answer["events"]
        cursor = answer["next_cursor"]
        if cursor is None:
            return
        if left is not None:
            left -= len(answer["events"])
