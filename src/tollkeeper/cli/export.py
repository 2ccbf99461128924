"""``tollkeeper export``: events as Parquet, CSV or JSON lines; page by page, in constant memory."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from tollkeeper.cli import sheet
from tollkeeper.cli.events import pages, question
from tollkeeper.cli.options import Application, Data, Since, Token, Until, Url, Where
from tollkeeper.cli.terminal import console, progress
from tollkeeper.errors import InvalidInput

if TYPE_CHECKING:
    from tollkeeper.cli.reach import Server

Pages = Iterable[list[dict[str, Any]]]

COLUMNS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("id", ("id",), "text"),
    ("application", ("application",), "text"),
    ("time", ("time",), "time"),
    ("received_at", ("received_at",), "time"),
    ("kind", ("kind",), "text"),
    ("source", ("source",), "text"),
    ("direction", ("direction",), "text"),
    ("action", ("action",), "text"),
    ("user", ("user",), "text"),
    ("customer", ("customer",), "text"),
    ("credential", ("credential",), "text"),
    ("method", ("request", "method"), "text"),
    ("uri", ("request", "uri"), "text"),
    ("host", ("request", "host"), "text"),
    ("path", ("request", "path"), "text"),
    ("route", ("request", "route"), "text"),
    ("request_bytes", ("request", "bytes"), "integer"),
    ("ip", ("request", "ip"), "text"),
    ("api_version", ("request", "api_version"), "text"),
    ("status", ("response", "status"), "integer"),
    ("response_bytes", ("response", "bytes"), "integer"),
    ("duration_ms", ("duration_ms",), "number"),
    ("weight", ("weight",), "integer"),
    ("trace_id", ("trace_id",), "text"),
    ("blocked_by", ("blocked_by",), "text"),
    ("tags", ("tags",), "text"),
    ("outcome", ("outcome",), "text"),
    ("subscription", ("subscription",), "text"),
)
"""Columns of the flat formats: name, way into the event, type."""


class Form(StrEnum):
    """The file formats."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


_ENDINGS = {".parquet": Form.PARQUET, ".csv": Form.CSV, ".jsonl": Form.JSONL, ".ndjson": Form.JSONL}


def export(
    file: Annotated[str, typer.Argument(help="Where to; '-' is standard output.")] = "-",
    form: Annotated[
        Form | None, typer.Option("--format", help="By default from the file's name, else jsonl.")
    ] = None,
    since: Since = "30d",
    until: Until = "now",
    where: Where = None,
    *,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="With headers, bodies, metadata (jsonl; one request an event)."
        ),
    ] = False,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Writes events to a file, oldest first. A file is only there once it is complete."""
    from tollkeeper.cli.reach import reach

    chosen = form or _ENDINGS.get(Path(file.removesuffix(".gz")).suffix, Form.JSONL)
    if whole and chosen is not Form.JSONL:
        raise InvalidInput("goes with jsonl only", field="whole")
    with reach(url, token, data) as server:
        query = question(since, until, where, order="asc")
        if application:
            query["application"] = server.application(application)["id"]
        found: Pages = pages(server, query)
        if whole:
            found = _whole(server, found)
        with _target(file) as out:
            count = _WRITERS[chosen](_watched(server, query, found), out)
    if file != "-":
        console(error=True).print(f"{count:,} events written to {file}")


def _whole(server: "Server", found: Pages) -> Iterator[list[dict[str, Any]]]:
    for page in found:
        yield [server.ask("GET", f"/api/events/{event['id']}") for event in page]


def _watched(
    server: "Server", query: dict[str, Any], found: Pages
) -> Iterator[list[dict[str, Any]]]:
    """The pages, with a bar that grows by the calls of all that the filter holds for."""
    import msgspec

    asked: dict[str, Any] = {"from": query["from"], "to": query["to"]}
    if "filter" in query:
        asked["filter"] = msgspec.json.decode(query["filter"])
    if "application" in query:
        asked["application"] = query["application"]
    total = server.ask("POST", "/api/query", json=asked)["totals"][0]
    with progress("{task.fields[events]:,} events") as shown:
        task = shown.add_task("exporting", total=total, events=0)
        count = 0
        for page in found:
            yield page
            count += len(page)
            shown.update(task, advance=sum(e["weight"] for e in page), events=count)


@contextmanager
def _target(file: str) -> Iterator[BinaryIO]:
    """Standard output, or a file that takes its name once everything is in it."""
    if file == "-":
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Whoever read has enough (``| head``); Python must not complain when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        return
    path = Path(file)
    draft = path.with_name(f".{path.name}.part")
    try:
        with _opened(draft, gz=path.suffix == ".gz") as out:
            yield out
        draft.replace(path)
    except OSError as error:
        raise InvalidInput(f"cannot write {file}: {error.strerror}", field="file") from error
    finally:
        draft.unlink(missing_ok=True)


def _opened(draft: Path, *, gz: bool) -> BinaryIO:
    import gzip

    return gzip.open(draft, "wb") if gz else draft.open("wb")  # type: ignore[return-value]


def _jsonl(found: Pages, out: BinaryIO) -> int:
    import msgspec

    encoder, count = msgspec.json.Encoder(), 0
    for page in found:
        out.write(encoder.encode_lines(page))
        count += len(page)
    return count


def _csv(found: Pages, out: BinaryIO) -> int:
    import io

    text = io.TextIOWrapper(out, "utf-8", newline="", write_through=True)
    sheet.write(text, [[name for name, _, _ in COLUMNS]])
    count = 0
    for page in found:
        sheet.write(text, [_flat(event) for event in page])
        count += len(page)
    text.flush()
    text.detach()
    return count


def _parquet(found: Pages, out: BinaryIO) -> int:
    import pyarrow
    from pyarrow import parquet

    types = {
        "text": pyarrow.string(),
        "time": pyarrow.timestamp("us", tz="UTC"),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, _, kind in COLUMNS])
    count = 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _groups(found, 20_000):
            columns = zip(*(_flat(event) for event in group), strict=True)
            arrays = [
                pyarrow.array(
                    [_instant(v) for v in values] if kind == "time" else values, types[kind]
                )
                for values, (_, _, kind) in zip(columns, COLUMNS, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _groups(found: Pages, size: int) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for page in found:
        group += page
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group


def _flat(event: dict[str, Any]) -> list[Any]:
    values = []
    for _, way, _ in COLUMNS:
        value: Any = event
        for key in way:
            value = value[key]
        values.append(value)
    return values


def _instant(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


_WRITERS: dict[Form, Callable[[Pages, BinaryIO], int]] = {
    Form.JSONL: _jsonl,
    Form.CSV: _csv,
    Form.PARQUET: _parquet,
}
