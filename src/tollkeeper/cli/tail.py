"""``tollkeeper tail``: calls as they come in, over server-sent events; nothing missed on a lost line."""

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tollkeeper.cli.options import Application, Data, Token, Url, Where
from tollkeeper.cli.row import line
from tollkeeper.cli.terminal import console
from tollkeeper.cli.where import read_where

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from tollkeeper.cli.reach import Server

_SILENCE_SECONDS = 45.0
_LONGEST_PAUSE_SECONDS = 10.0


class Message(NamedTuple):
    """One server-sent event."""

    kind: str
    id: str
    data: str


def tail(
    where: Where = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many calls.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Shows calls live, until Ctrl-C. After a lost connection it goes on where it was."""
    import msgspec

    from tollkeeper.cli.reach import reach

    query: dict[str, Any] = {}
    condition = read_where(where)
    if condition is not None:
        query["filter"] = msgspec.json.encode(condition).decode()
    out = console()
    try:
        with reach(url, token, data, running=True) as server:
            if application:
                query["application"] = server.application(application)["id"]
            for place, text in enumerate(_calls(server, query), 1):
                if as_json:
                    typer.echo(text)
                else:
                    out.print(line(msgspec.json.decode(text)))
                if place == limit:
                    return
    except KeyboardInterrupt:
        # Ends a command that has no other end: nothing went wrong.
        return
    except BrokenPipeError:
        # Whoever read has enough; Python must not complain when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _calls(server: "Server", query: dict[str, Any]) -> Iterator[str]:
    """The data of each call, for ever: reconnects behind the last call seen."""
    import httpx

    said = console(error=True)
    seen, pause, never = "", 0.5, threading.Event()
    while True:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": seen} if seen else {})
        try:
            with server.client.stream(
                "GET",
                "/api/events/live",
                params=query,
                headers=headers,
                timeout=httpx.Timeout(10.0, read=_SILENCE_SECONDS),
            ) as response:
                _check(response)
                said.print("live; Ctrl-C ends", style="dim")
                for message in messages(response.iter_lines()):
                    pause = 0.5
                    seen = message.id or seen
                    if message.kind == "call":
                        yield message.data
        except httpx.HTTPError as error:
            said.print(f"connection lost ({type(error).__name__}); trying again", style="yellow")
        never.wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _check(response: "httpx.Response") -> None:
    from tollkeeper.cli.reach import refused_or_json

    # A proxy's or a stopping server's 5xx passes; what the server refuses by its rules does not.
    if response.status_code in (502, 503, 504):
        response.raise_for_status()
    if not response.is_success:
        response.read()
        refused_or_json(response)


def messages(lines: "Iterable[str]") -> Iterator[Message]:
    """Server-sent events of a stream's lines.

    Source: WHATWG HTML, "Interpreting an event stream".
    """
    kind, last, data = "", "", list[str]()
    for text in lines:
        if not text:
            if data:
                yield Message(kind or "message", last, "\n".join(data))
            kind, data = "", []
            continue
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last = value
