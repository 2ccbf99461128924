"""``tollkeeper usage``: how much each caller uses, as a table with bars, JSON or CSV."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer

from tollkeeper.cli import sheet
from tollkeeper.cli.options import Application, Data, Since, Token, Until, Url, Where
from tollkeeper.cli.terminal import bar, console, number, printable
from tollkeeper.cli.where import read_moment, read_where
from tollkeeper.errors import InvalidInput

_METRIC = re.compile(r"([a-z0-9_]+)(?:\(([^()]+)\))?", re.ASCII)
_NOBODY = {"user": "(not known)", "customer": "(not known)", "credential": "(none)"}


_TIME_CHARACTERS = {"day": 10, "week": 10, "month": 7}
"""How much of an RFC 3339 text tells the start of a bucket; to the minute for shorter ones."""


class Shape(NamedTuple):
    """How wide each part of an answer's row is: time, groups, and then metrics."""

    times: int
    groups: int

    @property
    def lead(self) -> int:
        """The place of the first metric."""
        return self.times + self.groups


def usage(
    by: Annotated[
        list[str] | None,
        typer.Option(help="Field to group by: user, customer, route, …; may repeat."),
    ] = None,
    since: Since = "30d",
    until: Until = "now",
    metric: Annotated[
        list[str] | None,
        typer.Option(help="count, error_rate, 'p95(duration_ms)', 'unique(user)', …; may repeat."),
    ] = None,
    where: Where = None,
    interval: Annotated[
        str | None, typer.Option(help="Also by minute, hour, day, week or month.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of the calendar.")] = "UTC",
    limit: Annotated[int, typer.Option(help="Show so many, and the rest as one row.")] = 20,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The rows as CSV.")] = False,
    application: Application = None,
    url: Url = None,
    token: Token = None,
    data: Data = None,
) -> None:
    """Shows who calls how much, with each one's share and the total."""
    from tollkeeper.cli.reach import reach

    groups = [name.strip() for given in by or ["user"] for name in given.split(",")]
    metrics = [read_metric(text) for text in metric or ["count"]]
    question = {
        "from": read_moment(since),
        "to": read_moment(until),
        "time_zone": zone,
        "interval": interval,
        "metrics": metrics,
        "group_by": groups,
        "filter": read_where(where),
        "limit": limit,
        "other": True,
    }
    with reach(url, token, data) as server:
        if application:
            question["application"] = server.application(application)["id"]
        answer = server.ask("POST", "/api/query", json=question)
    shape = Shape(1 if interval else 0, len(groups))
    if as_json:
        _print_json(answer)
    elif as_csv:
        names = [column["name"] for column in answer["columns"]]
        sheet.write(sys.stdout, [names, *(_named(row, shape) for row in answer["rows"])])
    else:
        _print_table(answer, shape, interval)


def read_metric(text: str) -> dict[str, str]:
    """A metric as people write it: ``count``, ``p95(duration_ms)``.

    Raises:
        InvalidInput: it is not written so.
    """
    found = _METRIC.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{text!r} is not written as count or p95(duration_ms)", field="metric")
    return {"fn": found[1], "field": found[2].strip()} if found[2] else {"fn": found[1]}


def _named(row: Sequence[Any], shape: Shape) -> list[Any]:
    """The row with the rest called ``other``."""
    groups = row[shape.times : shape.lead]
    named = ["other" if value is None else value for value in groups]
    return [*row[: shape.times], *named, *row[shape.lead :]]


def _print_json(answer: dict[str, Any]) -> None:
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def _print_table(answer: dict[str, Any], shape: Shape, interval: str | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns, rows, totals = answer["columns"], answer["rows"], answer["totals"]
    table = Table(box=box.SIMPLE_HEAD, show_footer=bool(rows), pad_edge=False)
    metrics = columns[shape.lead :]
    for place, column in enumerate(columns[: shape.lead]):
        table.add_column(column["name"], footer="total" if place == 0 else "", overflow="fold")
    for column, total in zip(metrics, totals, strict=True):
        table.add_column(column["name"], justify="right", footer=number(total, column["unit"]))
    shares = _shares(rows, totals, metrics[0]["name"], shape)
    if shares is not None:
        table.add_column("share", justify="right", footer="100%")
        table.add_column("", no_wrap=True)
    rest = [shape.groups > 0 and row[shape.times] is None for row in rows]
    # The rest has no bar: beside it nobody else's could be seen.
    most = max(
        (s for s, is_rest in zip(shares or (), rest, strict=False) if not is_rest), default=0
    )
    for place, row in enumerate(rows):
        cells = [Text(name) for name in _labels(row, columns, shape, interval)]
        cells += [
            Text(number(value, column["unit"]))
            for value, column in zip(row[shape.lead :], metrics, strict=True)
        ]
        if shares is not None:
            length = "" if rest[place] or not most else bar(shares[place] / most)
            cells += [Text(f"{shares[place]:.1%}"), Text(length, style="cyan")]
        table.add_row(*cells)
    out = console()
    if rows:
        out.print(table)
    else:
        out.print("No calls in this time.")


def _labels(
    row: Sequence[Any], columns: Sequence[Any], shape: Shape, interval: str | None
) -> list[str]:
    labels = [
        value[: _TIME_CHARACTERS.get(interval or "", 16)].replace("T", " ")
        for value in row[: shape.times]
    ]
    for value, column in zip(row[shape.times : shape.lead], columns[shape.times :], strict=False):
        if value is None:
            labels.append("other")
        elif value == "":
            labels.append(_NOBODY.get(column["name"], "(empty)"))
        else:
            labels.append(printable(str(value)))
    return labels


def _shares(
    rows: Sequence[Any], totals: Sequence[Any], name: str, shape: Shape
) -> list[float] | None:
    """Each row's part of the whole; none where rows of the metric do not add up."""
    if not (name == "count" or name.startswith("sum(")) or not totals[0]:
        return None
    return [(row[shape.lead] or 0) / totals[0] for row in rows]
