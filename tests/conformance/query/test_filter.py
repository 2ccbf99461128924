"""A filter means the same in SQL and in Python: one table of events and conditions for both."""

from collections.abc import Iterator
from typing import Any

import pytest

from tollkeeper.clock import SYSTEM_CLOCK, format_us
from tollkeeper.model.event import Event
from tollkeeper.query.answer import Asker
from tollkeeper.query.events import Page, page
from tollkeeper.query.filter import read_filter
from tollkeeper.query.match import predicate
from tollkeeper.query.window import read_window
from tollkeeper.store.events import EventStore
from tollkeeper.testing.calls import START_US, call
from tollkeeper.testing.chdb import new_event_store

APPLICATION = "app_filter"
EVENTS: list[Event] = [
    call(application=APPLICATION, id=str(n), item=n, time=START_US + n, **said)
    for n, said in enumerate(
        [
            {},
            {
                "uri": "https://User:pw@API.Example.com:8443/a/b?limit=10&x=1&x=2#y=3",
                "method": "PUT",
            },
            {"uri": "https://host", "status": 0, "outcome": "disconnect"},
            {"uri": "http://host?next=/p", "status": 500},
            {"uri": "/only/a/path?e=&f&g=%20a+b%C3%A9", "status": 404, "duration_us": 0},
            {"uri": "no address", "kind": "action", "action": "bought", "weight": 10},
            {"captured_user": "ann", "captured_customer": "acme", "credential": "ab" * 32},
            {"captured_user": "Ann", "ip": "2001:db8::1", "api_version": "2", "trace_id": "t\n1"},
            {"captured_user": "o'neil\\ \"", "tags": "a,b", "blocked_by": "quota"},
            {"request_headers": '{"user-agent":"curl/8","x-n":"12","accept":""}'},
            {"response_headers": '{"x-cost":"0.5","content-type":"application/json"}'},
            {"request_body": '{"a":{"b":5,"c":"text","d":true,"e":null,"f":[1,"z"],"g":1.5}}'},
            {"request_body": '{"a":{"b":"5","c":"","d":false,"g":-2e2}}', "duration_us": 999_999},
            {"request_body": '{"a":{"b":500000000000,"g":1e999}}', "request_bytes": 500},
            {"request_body": "[1,2]", "response_body": '"text"', "response_bytes": 2**40},
            {"metadata": '{"plan":"gold","seats":3,"ö":{"ü":"ß"}}', "subscription": "s1"},
            {"metadata": '{"plan":"Silver","seats":"many","deep":{"er":{"still":1}}}'},
            {"metadata": "not json", "route": "/a\nb", "direction": "outgoing", "source": "moesif"},
        ]
    )
]
LEAVES: list[tuple[str, str, Any]] = [
    ("id", "in", ["0", "3", "99"]),
    ("id", "nin", []),
    ("id", "in", []),
    ("kind", "eq", "action"),
    ("source", "ne", "native"),
    ("direction", "starts_with", "out"),
    ("action", "exists", True),
    ("user", "eq", "ann"),
    ("user_id", "ne", "ann"),
    ("user", "matches", "(?i)^ANN$"),
    ("user", "matches", "^.*n$"),
    ("user", "contains", "\\"),
    ("user", "ends_with", '"'),
    ("user", "eq", "o'neil\\ \""),
    ("user", "exists", False),
    ("user", "eq", 513),
    ("customer", "in", ["acme", "other"]),
    ("company_id", "exists", True),
    ("credential", "eq", "ab" * 32),
    ("method", "in", ["PUT", "POST"]),
    ("verb", "eq", "get"),
    ("host", "eq", "api.example.com:8443"),
    ("host", "eq", "host"),
    ("host", "exists", False),
    ("path", "eq", "/a/b"),
    ("path", "eq", "/p"),
    ("path", "eq", ""),
    ("path", "contains", "only"),
    ("uri", "matches", r"\?limit=\d+$"),
    ("uri", "contains", "#"),
    ("route", "matches", "a.b"),
    ("route", "contains", "\n"),
    ("route", "matches", "^$"),
    ("trace_id", "matches", "t.1"),
    ("ip", "starts_with", "2001:"),
    ("request.api_version", "eq", 2),
    ("tags", "contains", ","),
    ("blocked_by", "exists", True),
    ("outcome", "in", ["disconnect"]),
    ("subscription", "eq", "s1"),
    ("status", "gte", 404),
    ("status", "lt", 404.5),
    ("status", "in", [200, 500]),
    ("status", "nin", [200, 0.5]),
    ("status", "eq", -1),
    ("status", "exists", False),
    ("response.status", "ne", 200),
    ("duration_ms", "gt", 1.5),
    ("duration_ms", "gte", 1.5),
    ("duration_ms", "eq", 999.999),
    ("duration_ms", "lte", 0),
    ("weight", "gt", 1),
    ("request.bytes", "eq", 500),
    ("response.bytes", "gt", 2**39),
    ("response.bytes", "lt", 9.2e18),
    ("time", "gte", format_us(START_US + 5)),
    ("time", "eq", format_us(START_US + 5)),
    ("time", "ne", format_us(START_US + 5)),
    ("time", "lt", "2026-11-18T11:06:40.000003Z"),
    ("received_at", "gt", format_us(START_US)),
    ("request.query.limit", "eq", "10"),
    ("request.query.limit", "gt", 9),
    ("request.query.x", "eq", "1"),
    ("request.query.y", "exists", True),
    ("request.query.e", "exists", True),
    ("request.query.f", "exists", True),
    ("request.query.g", "eq", " a bé"),
    ("request.query.next", "starts_with", "/"),
    ("request.query.x", "ne", "1"),
    ("request.headers.User-Agent", "contains", "curl"),
    ("request.headers.x-n", "eq", 12),
    ("request.headers.x-n", "eq", "12"),
    ("request.headers.x-n", "in", [11, 12.0]),
    ("request.headers.accept", "exists", True),
    ("request.headers.accept", "eq", ""),
    ("request.headers.none", "eq", ""),
    ("request.headers.none", "ne", ""),
    ("response.headers.x-cost", "lt", 1),
    ("response.headers.x-cost", "nin", ["0.5"]),
    ("request.body.a.b", "eq", 5),
    ("request.body.a.b", "eq", "5"),
    ("request.body.a.b", "gt", 4.5),
    ("request.body.a.b", "gt", 400_000_000_000),
    ("request.body.a.c", "eq", "text"),
    ("request.body.a.c", "exists", True),
    ("request.body.a.c", "gt", 0),
    ("request.body.a.d", "eq", True),
    ("request.body.a.d", "in", [True, False]),
    ("request.body.a.e", "exists", True),
    ("request.body.a.e", "exists", False),
    ("request.body.a.f", "contains", '"z"'),
    ("request.body.a.g", "eq", 1.5),
    ("request.body.a.g", "lt", 0),
    ("request.body.a.g", "gt", 1e300),
    ("request.body.a", "exists", True),
    ("request.body.0", "exists", True),
    ("response.body.x", "exists", True),
    ("metadata.plan", "in", ["gold", "Silver"]),
    ("metadata.plan", "matches", "^[a-z]+$"),
    ("metadata.seats", "gte", 3),
    ("metadata.seats", "nin", [3]),
    ("metadata.ö.ü", "eq", "ß"),
    ("metadata.deep.er.still", "eq", 1),
    ("metadata.deep.er.still.more", "exists", True),
]
TREES: list[Any] = [
    {"and": []},
    {"or": []},
    {"not": {"or": []}},
    {"and": [{"field": "status", "op": "eq", "value": 200},
             {"not": {"field": "user", "op": "exists", "value": False}}]},
    {"or": [{"field": "customer", "op": "eq", "value": "acme"},
            {"and": [{"field": "status", "op": "gte", "value": 400},
                     {"field": "request.query.next", "op": "exists", "value": True}]}]},
    {"not": {"field": "metadata.plan", "op": "contains", "value": "o"}},
    {"not": {"not": {"field": "request.body.a.b", "op": "gt", "value": 1}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    store: EventStore = new_event_store()
    store.insert_block(EVENTS, token="filter")
    yield Asker(store, clock=SYSTEM_CLOCK, applications=lambda _: APPLICATION)
    store.close()


@pytest.mark.parametrize(
    "tree",
    [*({"field": f, "op": op, "value": v} for f, op, v in LEAVES), *TREES],
    ids=lambda tree: f"{tree.get('field')}-{tree.get('op')}-{str(tree.get('value'))[:30]!r}",
)
def test_sql_and_python_choose_the_same_events(asker: Asker, tree: Any) -> None:
    node = read_filter(tree, "filter", now_us=START_US)
    holds = predicate(node)
    in_python = [e.id for e in EVENTS if holds(e, (e.captured_user, e.captured_customer))]
    window = read_window("2026-01-01T00:00Z", "2027-01-01T00:00Z", "UTC", None, now_us=START_US)
    listed = page(asker, Page(None, window, node, limit=100, order="asc"))
    assert [e["id"] for e in listed["events"]] == in_python
    counted = asker.ask({"from": "2026-01-01T00:00Z", "to": "2027-01-01T00:00Z", "filter": tree})
    assert counted["totals"] == [sum(e.weight for e in EVENTS if e.id in in_python)]


def test_the_table_has_conditions_that_hold_for_some_and_not_for_others() -> None:
    kept = 0
    for field, op, value in LEAVES:
        leaf = read_filter({"field": field, "op": op, "value": value}, "filter", now_us=START_US)
        holds = predicate(leaf)
        chosen = sum(holds(e, (e.captured_user, e.captured_customer)) for e in EVENTS)
        kept += 0 < chosen < len(EVENTS)
    assert kept > len(LEAVES) * 0.75
