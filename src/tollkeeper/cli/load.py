"""``tollkeeper import``: events from a file of JSON lines; repeating it changes nothing."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NamedTuple

import typer

from tollkeeper.cli.options import Application, Data, Token, Url
from tollkeeper.cli.terminal import console, progress
from tollkeeper.cli.wire import to_wire
from tollkeeper.errors import InvalidInput, Overloaded

if TYPE_CHECKING:
    from rich.progress import Progress

    from tollkeeper.cli.reach import Server

_TRIES = 10
_SHOWN_REASONS = 20


class Line(NamedTuple):
    """One line of the file: its number from 1 on, its bytes."""

    number: int
    content: bytes


class Refused(NamedTuple):
    """Why a line was not taken."""

    line: int
    reason: str
    field: str


def load(
    file: Annotated[str, typer.Argument(help="JSON lines, also gzipped; '-' is standard input.")],
    batch: Annotated[int, typer.Option(min=1, max=20_000, help="Events in one request.")] = 2000,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Imports events: as SDKs send them, or as 'tollkeeper export' writes them.

    What is already there is counted as duplicate and stored once. Ends with code 1 when lines were
    rejected; the others are stored.
    """
    from tollkeeper.cli.reach import reach

    results: Counter[str] = Counter()
    refused: list[Refused] = []
    with reach(url, token, data) as server, _source(file) as (stream, size_bytes):
        headers = {
            "x-moesif-application-id": server.application(application)["collector_id"],
            "x-tollkeeper-source": "import",
            "content-type": "application/json",
            "content-encoding": "gzip",
        }
        with progress("{task.fields[events]:,} events") as shown:
            task = shown.add_task("importing", total=size_bytes, events=0)
            for lines in _batches(_lines(stream), batch):
                _send(server, headers, lines, results, refused)
                _advance(shown, task, stream, results)
    _report(results, sorted(refused), as_json=as_json)
    if refused:
        raise typer.Exit(1)


def _advance(shown: "Progress", task: Any, stream: BinaryIO, results: Counter[str]) -> None:
    raw = getattr(stream, "fileobj", None) or stream
    done = raw.tell() if raw.seekable() else None
    shown.update(task, completed=done, events=results.total())


@contextmanager
def _source(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file's bytes, inflated when they are gzipped, and its size on disk."""
    import gzip

    if file == "-":
        yield sys.stdin.buffer, None
        return
    try:
        with Path(file).open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            size_bytes = Path(file).stat().st_size
            if is_gzip:
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield stream, size_bytes  # type: ignore[misc]
            else:
                yield raw, size_bytes
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"cannot read {file}: {why}", field="file") from error


def _lines(stream: Iterable[bytes]) -> Iterator[Line]:
    for place, content in enumerate(stream, 1):
        if content.strip():
            yield Line(place, content.strip())


def _batches(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    while part := list(islice(lines, size)):
        yield part


def _send(
    server: "Server",
    headers: dict[str, str],
    lines: list[Line],
    results: Counter[str],
    refused: list[Refused],
) -> None:
    """Sends one batch and counts what became of each line."""
    import gzip

    sent: list[Line] = []
    bodies: list[bytes] = []
    for line in lines:
        try:
            bodies.append(to_wire(line.content))
            sent.append(line)
        except InvalidInput as error:
            refused.append(Refused(line.number, error.detail, error.field or ""))
    results["rejected"] += len(lines) - len(sent)
    if not sent:
        return
    packed = gzip.compress(b"[" + b",".join(bodies) + b"]", 1)
    answer = _post(server, headers, packed)
    for item in answer["results"]:
        results[item["result"]] += 1
        if item["result"] == "rejected":
            number = sent[item["index"]].number
            refused.append(Refused(number, item.get("reason", ""), item.get("field", "")))


def _post(server: "Server", headers: dict[str, str], body: bytes) -> Any:
    """The answer to a batch; a server that is full is asked again when it says so.

    Raises:
        TollkeeperError: it refuses, or stays full.
    """
    import threading

    from tollkeeper.cli.reach import refused_or_json

    for _ in range(_TRIES):
        response = server.send(
            "POST", "/v1/events/batch", params={"results": "items"}, headers=headers, content=body
        )
        if response.status_code != 503:
            return refused_or_json(response)
        threading.Event().wait(float(response.headers.get("retry-after", "2")))
    raise Overloaded("the server stays full; run the import again later, nothing is stored twice")


def _report(results: Counter[str], refused: list[Refused], *, as_json: bool) -> None:
    import msgspec

    names = ("stored", "duplicate", "conflict", "accepted", "rejected")
    if as_json:
        counts = {name: results[name] for name in names}
        rejections = [line._asdict() for line in refused]
        typer.echo(msgspec.json.encode({**counts, "rejections": rejections}).decode())
        return
    words = {
        "stored": "stored",
        "duplicate": "there already",
        "conflict": "there already with other content (the first stays)",
        "accepted": "accepted, still on their way into the store",
        "rejected": "rejected",
    }
    out = console()
    for name in names:
        if results[name] or name == "stored":
            out.print(f"{results[name]:>12,}  {words[name]}")
    said = console(error=True)
    for line in refused[:_SHOWN_REASONS]:
        where = f" ({line.field})" if line.field else ""
        said.print(f"line {line.line}: {line.reason}{where}", style="red")
    if len(refused) > _SHOWN_REASONS:
        said.print(f"… and {len(refused) - _SHOWN_REASONS:,} more", style="red")
