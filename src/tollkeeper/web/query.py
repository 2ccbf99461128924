"""Questions over HTTP: ``POST /api/query``, the fields that can be asked for, and their values."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from tollkeeper.query import facets
from tollkeeper.query.answer import Asker
from tollkeeper.query.ask import MAX_GROUP_BY, MAX_LIMIT, MAX_METRICS, read_application
from tollkeeper.query.values import text
from tollkeeper.query.window import read_window
from tollkeeper.web.answers import REFUSALS, answer, question
from tollkeeper.web.auth import Guard

INSTANT = (
    "now; relative: -30m, -24h, -7d, -1w, -3M (s, m, h, d of 24 hours, w, M of the calendar); "
    "or ISO 8601 with an offset"
)
FILTER = (
    '{"and": [..]}, {"or": [..]}, {"not": {..}} or {"field", "op", "value"}; operators: eq, ne, '
    "gt, gte, lt, lte, in, nin, contains, starts_with, ends_with, matches (RE2), exists (boolean)"
)


class MetricIn(BaseModel):
    """A function, over a field where it needs one.

    count (sum of weights), rate (count per second) and error_rate (share of API calls with status
    500 and above or without response) take none. sum and avg are weighted; percentiles are exact.
    """

    model_config = ConfigDict(extra="forbid")

    fn: str = Field(
        pattern="^(count|rate|error_rate|unique|sum|avg|min|max|p[1-9][0-9]?)$",
        examples=["count", "p95"],
    )
    field: str | None = Field(None, examples=["duration_ms", "metadata.cart.total"])


class Question(BaseModel):
    """What to compute over which events. The window is half-open."""

    model_config = ConfigDict(extra="forbid")

    application: str | None = Field(None, description="null: the only or first one")
    from_: str = Field("-24h", alias="from", description=INSTANT)
    to: str = Field("now", description=INSTANT)
    time_zone: str = Field("UTC", description="IANA name; buckets follow its calendar")
    interval: Literal["minute", "hour", "day", "week", "month"] | None = None
    metrics: list[MetricIn] = Field(
        [MetricIn(fn="count", field=None)], min_length=1, max_length=MAX_METRICS
    )
    group_by: list[str] = Field([], max_length=MAX_GROUP_BY)
    filter: dict[str, Any] | None = Field(None, description=FILTER)
    limit: int = Field(10, ge=1, le=MAX_LIMIT, description="how many groups are shown")
    other: bool = Field(
        default=True, description="add a row for all remaining events, its groups null"
    )
    fill: bool = Field(default=False, description="rows of zeros for buckets without events")


class ColumnOut(BaseModel):
    """A column of the answer."""

    name: str
    type: Literal["time", "text", "integer", "number"]
    unit: str | None


class Statistics(BaseModel):
    """What the answer cost and how fresh it is.

    ``source`` is the coarsest kind of rows that took part: day and hour are rollups.
    """

    elapsed_ms: float
    rows_read: int
    as_of: str
    source: Literal["day", "hour", "events"]


class AnswerOut(BaseModel):
    """Columns are time (with an interval), the groups, the metrics; totals are the metrics.

    Rows are sorted by time, then by the first metric, greatest first. A row whose group columns
    are all null stands for all events outside the groups shown; a real group never has null.
    """

    columns: list[ColumnOut]
    rows: list[list[str | int | float | None]]
    totals: list[int | float | None]
    statistics: Statistics


class FieldOut(BaseModel):
    """A field; with ``map`` a key follows its name, such as request.headers.user-agent."""

    name: str
    type: Literal["text", "integer", "number", "time"]
    unit: str | None
    operators: list[str]
    groupable: bool
    map: bool
    aliases: list[str]


class FunctionOut(BaseModel):
    """A function; ``fields`` are the types of fields it takes."""

    name: str
    field: bool
    fields: list[str]


class CatalogOut(BaseModel):
    """What questions can be made of."""

    fields: list[FieldOut]
    functions: list[FunctionOut]


class ValueOut(BaseModel):
    """A value and how many calls have it."""

    value: str | int
    count: int


class ValuesOut(BaseModel):
    """The most frequent values."""

    values: list[ValueOut]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Question.model_json_schema()}},
    }
}
# Definitions inside a body's schema cannot be referred to from an OpenAPI document: put them in.
_SCHEMA = _BODY["requestBody"]["content"]["application/json"]["schema"]  # type: ignore[index]
_SCHEMA["properties"]["metrics"]["items"] = _SCHEMA.pop("$defs")["MetricIn"]


def router(asker: Asker, principal: Guard) -> APIRouter:
    """Routes that answer questions."""
    routes = APIRouter(tags=["query"], dependencies=[Depends(principal)], responses=REFUSALS)

    @routes.post(
        "/api/query",
        response_class=Response,
        responses={200: {"model": AnswerOut}},
        openapi_extra=_BODY,
    )
    def ask(document: Annotated[object, Depends(question)]) -> Response:
        """Answers a question over events."""
        return answer(asker.ask(document))

    @routes.get("/api/fields", response_class=Response, responses={200: {"model": CatalogOut}})
    def fields() -> Response:
        """Lists the fields and functions of questions."""
        return answer(facets.catalog())

    @routes.get(
        "/api/fields/values", response_class=Response, responses={200: {"model": ValuesOut}}
    )
    def values(
        field: Annotated[str, Query(description="a field that can be grouped by")],
        q: Annotated[str, Query(description="a part that the values contain")] = "",
        application: str | None = None,
        since: Annotated[str, Query(alias="from", description=INSTANT)] = "-24h",
        until: Annotated[str, Query(alias="to", description=INSTANT)] = "now",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    ) -> Response:
        """Lists the most frequent values of a field."""
        window = read_window(since, until, "UTC", None, now_us=asker.clock.now_us())
        part = text(q, "q", limit=500)
        return answer(
            facets.values(asker, read_application(application), field, part, window, limit)
        )

    return routes
