"""A question over events, read from JSON: ``POST /api/query``.

Shape of the answer (``answer`` makes it): ``columns`` are ``time`` when an interval is set, then
the ``group_by`` fields, then the metrics; ``rows`` are lists in that order, sorted by time, then
by the first metric, greatest first, ties by group; ``totals`` are the metrics over everything
that was asked.

With ``group_by``, the ``limit`` groups with the greatest first metric over the whole window are
shown. With ``other`` (as by default), one more row follows them (in each bucket where there is
something to show) that stands for all remaining events: its group columns are all null. A real
group never has null: what an event does not have is the empty text. So counts and sums of the
rows add up to the totals.

Without groups and without an interval there is always exactly one row. Buckets without events give
no row; with ``fill`` they give rows of zeros (count, sum, unique,
rate) and nulls (all other functions), for each group shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollkeeper.errors import InvalidInput
from tollkeeper.query.fields import Ref, find
from tollkeeper.query.filter import Node, read_filter
from tollkeeper.query.metric import Metric, read_metric
from tollkeeper.query.values import boolean, integer, items, mapping, text
from tollkeeper.query.window import Window, read_window

KEYS = (
    "application", "from", "to", "time_zone", "interval", "metrics", "group_by", "filter",
    "limit", "other", "fill",
)  # fmt: skip
MAX_METRICS = 10
MAX_GROUP_BY = 4
MAX_LIMIT = 1000
MAX_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that can be answered: every part was checked."""

    application: str | None
    window: Window
    metrics: tuple[Metric, ...] = (Metric("count"),)
    group_by: tuple[Ref, ...] = ()
    filter: Node | None = None
    limit: int = 10
    other: bool = True
    fill: bool = False

    @property
    def owners(self) -> frozenset[str]:
        """Whether the answer hangs on users, on customers, on both or on neither."""
        refs = [*self.group_by, *(m.ref for m in self.metrics if m.ref)]
        if self.filter is not None:
            refs += [leaf.ref for leaf in self.filter.leaves]
        return frozenset(ref.owner for ref in refs if ref.owner)


def read_ask(document: object, *, now_us: int) -> Ask:
    """The question of a JSON document.

    Raises:
        InvalidInput: ``field`` names the culprit by its path.
    """
    given = mapping(document, "", KEYS)
    window = read_window(
        given.get("from", "-24h"),
        given.get("to", "now"),
        given.get("time_zone", "UTC"),
        given.get("interval"),
        now_us=now_us,
    )
    ask = Ask(
        application=read_application(given.get("application")),
        window=window,
        metrics=_metrics(given.get("metrics", [{"fn": "count"}])),
        group_by=_group_by(given.get("group_by", [])),
        filter=read_filter(given.get("filter"), "filter", now_us=now_us),
        limit=integer(given.get("limit", 10), "limit", low=1, high=MAX_LIMIT),
        other=boolean(given.get("other", True), "other"),
        fill=boolean(given.get("fill", False), "fill"),
    )
    if ask.group_by and len(window.starts_us) * (ask.limit + 1) > MAX_ROWS:
        raise InvalidInput(
            f"could give more than {MAX_ROWS} rows; take fewer groups or a longer interval",
            field="limit",
            code="too_many_rows",
        )
    return ask


def read_application(value: object) -> str | None:
    """The application of a question; none stands for the only or first one."""
    return None if value is None else text(value, "application", limit=100)


def _metrics(value: object) -> tuple[Metric, ...]:
    listed = items(value, "metrics", limit=MAX_METRICS)
    if not listed:
        raise InvalidInput("must have at least one entry", field="metrics")
    metrics = tuple(read_metric(m, f"metrics[{i}]") for i, m in enumerate(listed))
    for place, metric in enumerate(metrics):
        if metric in metrics[:place]:
            raise InvalidInput("is there twice", field=f"metrics[{place}]")
    return metrics


def _group_by(value: object) -> tuple[Ref, ...]:
    listed = items(value, "group_by", limit=MAX_GROUP_BY)
    refs: list[Ref] = []
    for place, name in enumerate(listed):
        at = f"group_by[{place}]"
        ref = find(name, at)
        if not groupable(ref):
            raise InvalidInput(f"cannot group by {ref.name}", field=at, code="not_groupable")
        if ref in refs:
            raise InvalidInput("is there twice", field=at)
        refs.append(ref)
    return tuple(refs)


def groupable(ref: Ref) -> bool:
    """Whether a field's values make groups."""
    return ref.field.kind in ("text", "integer", "map")
