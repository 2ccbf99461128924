"""Answers questions: plans, runs the SQL, and puts the rows into the shape that was promised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from tollkeeper.clock import Clock, format_us
from tollkeeper.errors import InvalidInput, Overloaded, StoreError
from tollkeeper.query import plan
from tollkeeper.query.ask import Ask, read_ask
from tollkeeper.query.compile import Compiler, Group, as_group, rollups_know
from tollkeeper.query.metric import Metric, finish
from tollkeeper.query.parameters import Parameters
from tollkeeper.store.events import Answer, EventStore

Applications = Callable[[str | None], str]
"""Gives the id of an application: of the only or first one for none. Raises NotFound or InvalidInput."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may cost.

    Units and bounds: ``seconds`` of run time, ``memory_bytes`` in the engine.
    """

    seconds: int = 20
    memory_bytes: int = 4 * 2**30

    def settings(self) -> str:
        """The limits as a SETTINGS clause of constants."""
        return (
            f" SETTINGS max_execution_time = {int(self.seconds)}, "
            f"max_memory_usage = {int(self.memory_bytes)}"
        )


class Reader(Protocol):
    """What the modules that read events need of their surroundings."""

    store: EventStore
    clock: Clock

    def application(self, wanted: str | None) -> str:
        """The id of the application that a question is about."""
        ...

    def run(self, text: str, parameters: Parameters) -> Answer:
        """The rows of a statement within the limits."""
        ...


@dataclass(slots=True)
class _Result:
    """What a statement gave, before it is put in order.

    ``rows`` are (bucket start, group or null for the rest, aggregates).
    """

    text: str
    totals: Sequence[Any] | None = None
    rows: list[tuple[int, Group | None, Sequence[Any]]] = field(default_factory=list)


class Asker:
    """Answers ``POST /api/query`` over a store.

    Guarantee: thread-safe; a question reads rows of one application only.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        clock: Clock,
        applications: Applications,
        as_of_us: Callable[[], int] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """``as_of_us`` tells up to when what was received is in the store; now by default."""
        self.store = store
        self.clock = clock
        self._applications = applications
        self._as_of_us = as_of_us or clock.now_us
        self._limits = limits or Limits()

    def application(self, wanted: str | None) -> str:
        """The id of the application that a question is about.

        Raises:
            InvalidInput: when there is no such application.
        """
        return self._applications(wanted)

    def run(self, text: str, parameters: Parameters) -> Answer:
        """The rows of a statement within the limits.

        Raises:
            InvalidInput: it needs too much memory.
            Overloaded: it took too long.
        """
        try:
            return self.store.query(text + self._limits.settings(), parameters.values)
        except StoreError as error:
            self._explain(error)
            raise

    def ask(self, document: object, *, rollups: bool = True) -> dict[str, Any]:
        """The answer to a question as JSON has it; ``rollups`` off reads raw events only.

        Raises:
            InvalidInput: with the path of the culprit.
            Overloaded: when it would take too long now.
        """
        return self.answer(read_ask(document, now_us=self.clock.now_us()), rollups=rollups)

    def answer(self, ask: Ask, *, rollups: bool = True) -> dict[str, Any]:
        """The answer to a question that was read; see ``ask`` for its shape."""
        started_ns = self.clock.monotonic_ns()
        as_of_us = self._as_of_us()
        application = self.application(ask.application)
        bound = plan.Bindings(credentials=False, users=False, edges=0)
        if ask.owners:
            bound = plan.survey(self.store, application, ask.window)
        sources = plan.raw_only(ask.window)
        if rollups and rollups_know(ask):
            sources = plan.sources(
                self.store, application, ask.window, owners=ask.owners, bound=bound
            )
        compiler = Compiler(ask, application, sources, bound)
        result = self._run(ask, compiler)
        rows_read = self._rows_read(result.text, compiler)
        elapsed_ns = self.clock.monotonic_ns() - started_ns
        return {
            "columns": list(columns(ask)),
            "rows": _rows(ask, compiler, result),
            "totals": _values(ask, compiler, result.totals, ask.window.seconds()),
            "statistics": {
                "elapsed_ms": round(elapsed_ns / 1e6, 3),
                "rows_read": rows_read,
                "as_of": format_us(as_of_us),
                "source": plan.name(sources),
            },
        }

    def _run(self, ask: Ask, compiler: Compiler) -> _Result:
        if not ask.group_by:
            return self._ungrouped(ask, compiler)
        cut = bool(ask.window.starts_us)
        text = compiler.ranking_sql(only_first=cut)
        ranked = self.run(text, compiler.parameters).rows
        width = len(ask.group_by)
        found = [(as_group(row[1 : 1 + width]), row[1 + width :]) for row in ranked if not row[0]]
        groups = [group for group, _ in found[: ask.limit]]
        if cut:
            return self._placed(ask, compiler, groups)
        totals = next((row[1 + width :] for row in ranked if row[0]), None)
        result = _Result(text, totals, [(0, g, parts) for g, parts in found[: ask.limit]])
        if totals is None or len(found) <= ask.limit or not ask.other:
            return result
        if not all(metric.additive for metric in ask.metrics):
            return self._placed(ask, compiler, groups)
        # Whole numbers of one scan: what is left of the total is exactly the rest.
        shown = zip(*(parts for _, _, parts in result.rows), strict=True)
        rest = [int(all_) - sum(map(int, some)) for all_, some in zip(totals, shown, strict=True)]
        result.rows.append((0, None, rest))
        return result

    def _ungrouped(self, ask: Ask, compiler: Compiler) -> _Result:
        text = compiler.totals_sql()
        answer = self.run(text, compiler.parameters)
        result = _Result(text)
        for start, total, *parts in answer.rows:
            if total:
                result.totals = parts
            if not total or not ask.window.starts_us:
                result.rows.append((start, (), parts))
        return result

    def _placed(self, ask: Ask, compiler: Compiler, groups: Sequence[Group]) -> _Result:
        text = compiler.placed_sql(groups)
        result = _Result(text)
        for total, place, start, *parts in self.run(text, compiler.parameters).rows:
            if total:
                result.totals = parts
            else:
                result.rows.append((start, groups[place - 1] if place else None, parts))
        return result

    def _rows_read(self, text: str, compiler: Compiler) -> int:
        # The embedded engine reports the rows of the result, not those it read; its own estimate
        # after looking at the index is what it then reads.
        answer = self.store.query(f"EXPLAIN ESTIMATE {text}", compiler.parameters.values)
        return sum(int(row[3]) for row in answer.rows)

    def _explain(self, error: StoreError) -> None:
        """Raises what the caller can act on, when the engine's code tells."""
        code = re.search(r"Code: (\d+)\.", error.detail)
        number = int(code[1]) if code else 0
        if number in (159, 160, 209):  # TIMEOUT_EXCEEDED, TOO_SLOW, SOCKET_TIMEOUT
            raise Overloaded(
                f"took longer than {self._limits.seconds} s; take a shorter range",
                code="query_timeout",
            ) from error
        if number == 241:  # MEMORY_LIMIT_EXCEEDED
            raise InvalidInput(
                "needs too much memory; take a shorter range or fewer groups",
                code="query_too_large",
            ) from error
        if number == 427:  # CANNOT_COMPILE_REGEXP: the engine is stricter than our own check
            raise InvalidInput(
                "a regular expression is too large", field="filter", code="invalid_pattern"
            ) from error


def columns(ask: Ask) -> Iterator[dict[str, Any]]:
    """The columns of a question's answer, in order."""
    if ask.window.starts_us:
        yield {"name": "time", "type": "time", "unit": None}
    for ref in ask.group_by:
        kind = "integer" if ref.field.kind == "integer" else "text"
        yield {"name": ref.name, "type": kind, "unit": ref.field.unit}
    for metric in ask.metrics:
        yield {"name": metric.name, "type": metric.type, "unit": metric.unit}


def _rows(ask: Ask, compiler: Compiler, result: _Result) -> list[list[Any]]:
    found = [
        (start, group, _values(ask, compiler, parts, _seconds(ask, start)))
        for start, group, parts in result.rows
    ]
    if ask.fill and ask.window.starts_us:
        found += _gaps(ask, {(start, group) for start, group, _ in found})
    elif not ask.group_by and not found:
        found = [(0, (), _values(ask, compiler, None, ask.window.seconds()))]
        if ask.window.starts_us:
            found = []
    # Two stable sorts: ties and the rest at the end first, then what leads.
    found.sort(key=lambda row: _tie(row[1]))
    found.sort(key=lambda row: (row[0], row[1] is None, _descending(row[2][0])))
    return [_row(ask, start, group, values) for start, group, values in found]


def _row(ask: Ask, start: int, group: Group | None, values: list[Any]) -> list[Any]:
    time = [ask.window.local(start)] if ask.window.starts_us else []
    keys = [None] * len(ask.group_by) if group is None else list(group)
    return [*time, *keys, *values]


def _gaps(
    ask: Ask, there: set[tuple[int, Group | None]]
) -> Iterator[tuple[int, Group | None, list[Any]]]:
    groups = {group for _, group in there} if ask.group_by else {()}
    for start in ask.window.starts_us:
        for group in groups:
            if (start, group) not in there:
                yield start, group, [_nothing(metric) for metric in ask.metrics]


def _nothing(metric: Metric) -> int | None:
    return 0 if metric.fn in ("count", "sum", "unique", "rate") else None


def _seconds(ask: Ask, start: int) -> float:
    return ask.window.seconds(start if ask.window.starts_us else None)


def _values(ask: Ask, compiler: Compiler, parts: Sequence[Any] | None, seconds: float) -> list[Any]:
    if parts is None:
        return [_nothing(metric) for metric in ask.metrics]
    rest = iter(parts)
    return [
        finish(metric, list(islice(rest, len(aggregates))), seconds=seconds)
        for metric, aggregates in zip(ask.metrics, compiler.parts, strict=True)
    ]


def _tie(group: Group | None) -> tuple[Any, ...]:
    return () if group is None else tuple(v.encode() if isinstance(v, str) else v for v in group)


def _descending(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0))
