import json
from collections.abc import Callable
from typing import Any

import pytest

from tollkeeper.query.answer import Limits


def leaf(field: Any = "user", op: Any = "eq", value: Any = "x") -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def test_an_answer_has_the_promised_shape(served: Any) -> None:
    answer = served.ask(
        interval="hour",
        time_zone="Asia/Kolkata",
        metrics=[{"fn": "count"}, {"fn": "p95", "field": "duration_ms"}],
        group_by=["status"],
    )
    assert answer["columns"] == [
        {"name": "time", "type": "time", "unit": None},
        {"name": "response.status", "type": "integer", "unit": None},
        {"name": "count", "type": "integer", "unit": "calls"},
        {"name": "p95(duration_ms)", "type": "number", "unit": "ms"},
    ]
    assert answer["rows"][0] == ["2026-11-18T16:00:00+05:30", 200, 33, 23.0]
    assert sum(row[2] for row in answer["rows"]) == answer["totals"][0] == 150
    assert answer["statistics"]["as_of"].endswith("Z")
    assert answer["statistics"]["rows_read"] > 0
    assert answer["statistics"]["source"] == "events"


def test_the_calls_of_the_issue_are_counted_by_user(served: Any) -> None:
    answer = served.ask(group_by=["user"], limit=3)
    assert answer["rows"] == [
        ["user 1", 23],
        ["user 0", 22],
        ["user 2", 21],
        [None, 84],
    ]
    assert answer["totals"] == [150]
    assert served.ask(group_by=["user"], limit=3, other=False)["rows"] == answer["rows"][:3]


def test_an_alias_moves_past_usage_and_only_from_its_start_on(served: Any) -> None:
    answer = served.ask(group_by=["customer"], metrics=[{"fn": "count"}])
    by_customer = dict(answer["rows"])
    zero = sum(1 + n % 2 for n in range(0, 100, 3))
    one = sum(1 + n % 2 for n in range(50, 100) if n % 7 == 1 and n % 3 != 0)
    assert by_customer == {"zero": zero, "one": one, "": 150 - zero - one}


def test_attributes_filter_and_group(served: Any) -> None:
    answer = served.ask(group_by=["user.tier", "customer.country.code"])
    assert {(row[0], row[1]) for row in answer["rows"]} == {
        ("", ""), ("", "DE"), ("pro", ""), ("pro", "DE"),
    }  # fmt: skip
    assert served.ask(filter=leaf("user.seats", "gte", 5))["totals"] == [23]


def test_numbers_in_bodies_are_weighted(served: Any) -> None:
    answer = served.ask(
        metrics=[
            {"fn": fn, "field": "request.body.cart.total"} for fn in ("sum", "avg", "min", "max")
        ]
    )
    total = sum(n * (1 + n % 2) for n in range(100))
    assert answer["totals"] == [total, total / 150, 0, 99]
    nothing = served.ask(
        metrics=[{"fn": fn, "field": "metadata.none"} for fn in ("sum", "avg", "p50", "unique")]
    )
    assert nothing["totals"] == [0, None, None, 0]


@pytest.mark.parametrize("level", [1, 25, 50, 75, 90, 95, 99])
def test_a_percentile_is_the_least_value_that_covers_its_share(served: Any, level: int) -> None:
    answer = served.ask(metrics=[{"fn": f"p{level}", "field": "duration_ms"}])
    spread = [n for n in range(100) for _ in range(1 + n % 2)]
    wanted = next(v for v in spread if sum(x <= v for x in spread) * 100 >= level * 150)
    assert answer["totals"] == [wanted]


def test_the_rest_has_its_own_percentiles_and_unique_values(served: Any) -> None:
    answer = served.ask(
        group_by=["status"],
        limit=1,
        metrics=[
            {"fn": "count"},
            {"fn": "unique", "field": "id"},
            {"fn": "max", "field": "duration_ms"},
        ],
    )
    assert answer["rows"] == [[200, 140, 90, 99.0], [None, 10, 10, 90.0]]
    assert answer["totals"] == [150, 100, 99.0]


def test_fill_gives_a_row_for_every_bucket(served: Any) -> None:
    asked = {
        "interval": "hour",
        "metrics": [{"fn": "count"}, {"fn": "avg", "field": "duration_ms"}],
    }
    assert len(served.ask(**asked)["rows"]) == 2
    filled = served.ask(**asked, fill=True)["rows"]
    assert len(filled) == 24
    assert filled[0] == ["2026-11-18T00:00:00+00:00", 0, None]
    grouped = served.ask(**asked, fill=True, group_by=["status"])["rows"]
    assert len(grouped) == 48


def test_a_rate_is_per_second_of_what_lies_in_the_window(served: Any) -> None:
    answer = served.ask(metrics=[{"fn": "rate"}, {"fn": "error_rate"}])
    assert answer["totals"] == [150 / 86400, 10 / 150]


@pytest.mark.parametrize(
    ("question", "field", "code"),
    [
        ({"from": "yesterday"}, "from", "invalid_time"),
        ({"from": "2026-11-18T00:00:00"}, "from", "invalid_time"),
        ({"from": "-999999d"}, "from", "invalid_time"),
        ({"from": "-999999M"}, "from", "invalid_time"),
        ({"from": 5}, "from", "invalid_input"),
        ({"to": "2026-11-18T00:00:00Z"}, "to", "empty_range"),
        ({"to": "9999-12-31T23:59:59-23:59"}, "to", "invalid_time"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "unknown_time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "unknown_time_zone"),
        ({"interval": "second"}, "interval", "unknown_interval"),
        ({"interval": "minute", "from": "2026-01-01T00:00Z"}, "interval", "too_many_buckets"),
        ({"interval": "minute", "limit": 1000, "group_by": ["user"]}, "limit", "too_many_rows"),
        ({"metrics": []}, "metrics", "invalid_input"),
        ({"metrics": [{"fn": "median"}]}, "metrics[0].fn", "unknown_function"),
        ({"metrics": [{"fn": "p100", "field": "weight"}]}, "metrics[0].fn", "unknown_function"),
        ({"metrics": [{"fn": "count"}, {"fn": "sum"}]}, "metrics[1].field", "missing"),
        ({"metrics": [{"fn": "count", "field": "user"}]}, "metrics[0].field", "invalid_input"),
        ({"metrics": [{"fn": "sum", "field": "user"}]}, "metrics[0].field", "invalid_input"),
        ({"metrics": [{"fn": "max", "field": "time"}]}, "metrics[0].field", "invalid_input"),
        ({"metrics": [{"fn": "count"}] * 2}, "metrics[1]", "invalid_input"),
        ({"metrics": [{"fn": "count", "of": 1}]}, "metrics[0].of", "invalid_input"),
        ({"group_by": ["usr"]}, "group_by[0]", "unknown_field"),
        ({"group_by": ["metadata"]}, "group_by[0]", "unknown_field"),
        ({"group_by": ["metadata.a..b"]}, "group_by[0]", "unknown_field"),
        ({"group_by": ["time"]}, "group_by[0]", "not_groupable"),
        ({"group_by": ["duration_ms"]}, "group_by[0]", "not_groupable"),
        ({"group_by": ["user", "user_id"]}, "group_by[1]", "invalid_input"),
        ({"group_by": "user"}, "group_by", "invalid_input"),
        ({"limit": 0}, "limit", "invalid_input"),
        ({"limit": True}, "limit", "invalid_input"),
        ({"other": 1}, "other", "invalid_input"),
        ({"application": 5}, "application", "invalid_input"),
        ({"since": "now"}, "since", "invalid_input"),
        ({"filter": []}, "filter", "invalid_input"),
        ({"filter": {"and": [leaf(op="like")]}}, "filter.and[0].op", "unknown_operator"),
        ({"filter": leaf(op="contains_any_case")}, "filter.op", "unknown_operator"),
        ({"filter": {"or": [leaf(), {"not": leaf("no.such")}]}}, "filter.or[1].not.field", "unknown_field"),
        ({"filter": leaf("status", "eq", "200")}, "filter.value", "invalid_input"),
        ({"filter": leaf("status", "gt", 1e400)}, "filter.value", "invalid_json"),
        ({"filter": leaf("status", "eq", 2**64)}, "filter.value", "invalid_input"),
        ({"filter": leaf("status", "in", [200, None])}, "filter.value[1]", "invalid_input"),
        ({"filter": leaf("metadata.a", "in", [1, "x"])}, "filter.value", "invalid_input"),
        ({"filter": leaf("metadata.a", "gt", "5")}, "filter.value", "invalid_input"),
        ({"filter": leaf("user", "gt", 5)}, "filter.op", "unknown_operator"),
        ({"filter": leaf("user", "exists", "yes")}, "filter.value", "invalid_input"),
        ({"filter": leaf("user", "eq", None)}, "filter.value", "invalid_input"),
        ({"filter": {"field": "user", "op": "eq"}}, "filter.value", "missing"),
        ({"filter": {"and": [], "or": []}}, "filter", "invalid_input"),
        ({"filter": {"and": [], "extra": 1}}, "filter.extra", "invalid_input"),
        ({"filter": {"and": [leaf()] * 201}}, "filter.and", "invalid_input"),
        ({"filter": {"and": [{"or": [leaf()] * 150}] * 2}}, "filter", "too_complex"),
        ({"filter": {"and": [leaf(op="matches", value="a"), leaf(op="matches", value="((")]}},
         "filter.and[1].value", "invalid_pattern"),
        ({"filter": leaf("time", "gt", "soon")}, "filter.value", "invalid_time"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_culprit(
    served: Any, question: dict[str, Any], field: str, code: str
) -> None:
    if code == "invalid_json":
        text = json.dumps(question).replace("Infinity", "1e400")
        answer = served.client.post("/api/query", content=text)
        assert answer.status_code == 422
        return
    assert served.refused(**question) == (field, code)


def test_a_filter_nested_too_deep_is_refused_at_its_depth(served: Any) -> None:
    node: Any = leaf()
    for _ in range(20):
        node = {"not": node}
    field, code = served.refused(filter=node)
    assert code == "too_complex"
    assert field == "filter" + ".not" * 12


@pytest.mark.parametrize(
    ("content", "field"),
    [(b"", "body"), (b"{", "body"), (b"[" * 100_000, "body"), (b'{"from": NaN}', "body"),
     (b"[]", "body"), (b"5", "body"), (b'{"filter": "\xff"}', "body"), (b'{"a\\ud800": 1}', "body")],
)  # fmt: skip
def test_what_is_no_question_is_refused(served: Any, content: bytes, field: str) -> None:
    answer = served.client.post("/api/query", content=content)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_question_that_is_too_long_is_refused(served: Any) -> None:
    answer = served.client.post("/api/query", content=b" " * 1_000_001)
    assert answer.status_code == 413


def test_another_application_is_neither_counted_nor_completed(served: Any) -> None:
    assert served.ask()["totals"] == [150]
    assert served.ask(application="other")["totals"] == [1000]
    assert served.client.post("/api/query", json={"application": "none"}).status_code == 404
    users = [
        row[0] for row in served.ask(group_by=["user", "user.tier", "customer"], limit=1000)["rows"]
    ]
    assert not any("of b" in user for user in users)


def test_nobody_asks_without_a_credential(served: Any) -> None:
    for method, path in (("POST", "/api/query"), ("GET", "/api/fields"), ("GET", "/api/events"),
                         ("GET", "/api/fields/values"), ("GET", "/api/events/x"),
                         ("GET", "/api/events/live")):  # fmt: skip
        answer = served.client.request(method, path, headers={"authorization": "Bearer wrong"})
        assert answer.status_code == 401, path


def test_a_question_over_its_limits_gets_a_clear_answer(serve: Callable[..., Any]) -> None:
    small = serve(Limits(memory_bytes=100_000))
    field, code = "", ""
    answer = small.client.post(
        "/api/query",
        json={"from": "2026-11-18T00:00Z", "to": "2026-11-19T00:00Z",
              "metrics": [{"fn": "unique", "field": "request.body.cart.total"}], "group_by": ["id"]},
    )  # fmt: skip
    field, code = answer.json().get("field"), answer.json()["code"]
    assert (answer.status_code, field, code) == (422, None, "query_too_large")


def test_fields_and_functions_are_listed(served: Any) -> None:
    listed = served.client.get("/api/fields").json()
    fields = {(f["name"], f["map"]): f for f in listed["fields"]}
    assert fields["response.status", False]["operators"][0] == "eq"
    assert fields["metadata", True]["groupable"]
    assert not fields["time", False]["groupable"]
    assert {f["name"] for f in listed["functions"]} >= {"count", "unique", "p99", "error_rate"}


def test_every_listed_field_can_be_asked_for(served: Any) -> None:
    listed = served.client.get("/api/fields").json()
    for field in listed["fields"]:
        name = field["name"] + (".key" if field["map"] else "")
        question: dict[str, Any] = {"metrics": [{"fn": "count"}]}
        if field["groupable"]:
            question["group_by"] = [name]
        for function in listed["functions"]:
            kind = "map" if field["map"] else field["type"]
            if kind in function["fields"]:
                question["metrics"].append({"fn": function["name"], "field": name})
        question["metrics"] = question["metrics"][:10]
        values = {"text": "x", "integer": 1, "number": 1, "time": "now"}
        leaves = []
        for op in field["operators"]:
            value: Any = values[
                "integer" if op in ("gt", "gte", "lt", "lte") and field["map"] else field["type"]
            ]
            value = {"exists": True, "in": [value], "nin": [value]}.get(op, value)
            leaves.append(leaf(name, op, value))
        question["filter"] = {"or": leaves}
        answer = served.ask(**question)
        assert len(answer["totals"]) == len(question["metrics"])


def test_values_of_a_field_are_completed(served: Any) -> None:
    def values(**query: Any) -> Any:
        query = {"from": "2026-11-18T00:00Z", "to": "2026-11-19T00:00Z", **query}
        answer = served.client.get("/api/fields/values", params=query)
        assert answer.status_code == 200, answer.text
        return [(v["value"], v["count"]) for v in answer.json()["values"]]

    assert values(field="user", q="USER 1") == [("user 1", 23)]
    assert values(field="status") == [(200, 140), (500, 10)]
    assert values(field="status", q="5") == [(500, 10)]
    assert values(field="metadata.plan", limit=1) == [("gold", 125)]
    assert values(field="customer", application="other") == []
    assert values(field="user", application="other") == [("of b", 1000)]
    answer = served.client.get("/api/fields/values", params={"field": "duration_ms"})
    assert (answer.status_code, answer.json()["field"]) == (422, "field")


def test_the_document_of_the_api_describes_questions(served: Any) -> None:
    document = served.client.get("/api/openapi.json").json()
    body = document["paths"]["/api/query"]["post"]["requestBody"]
    assert set(body["content"]["application/json"]["schema"]["properties"]) >= {"from", "filter"}
    assert "$defs" not in json.dumps(document)
