"""Text that would be SQL changes nothing, whatever position of a request it stands in."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RANGE = {"from": "2026-11-18T00:00:00Z", "to": "2026-11-19T00:00:00Z"}
EVIL = [
    "'", '"', "`", "\\", "\\'", "' OR 1=1 --", "') OR ('1'='1", "x' UNION ALL SELECT * FROM events --",
    "}", "{", "{p0:String}", "{p0:Identifier}", "{application:String}", "%s", "%(a)s", "?", "$1", "$$x$$",
    "; DROP TABLE events", "/*", "*/", "--", "#", "\x00", "a\x00b", "\n", "\r\n", "\t", "NULL", "\\N", "[]",
    "'b'", "b", "of b", "a' OR application = 'other", "tuple('b')", "1 OR 1", "user.x'", "metadata.'", "metadata.`a`",
    "metadata.a') OR 1 --", "request.headers.x', 'y", "request.query.x') = '' OR application='other", "request.body.{p0:String}",
    "é" * 50, "\u202e", "\ufeff", "ﬀ", "🦄", "x" * 400, "a" * 301, "sleep(3)", "url('http://127.0.0.1/')",
    "p95)(1", "count()", "avg(x) FROM system.tables --", "UTC'; --", "-1h'", "2026-11-18T00:00:00Z' OR 1",
    "(((((((((((((((", "[[:alpha:]]", "(?s).*", "\\C", "a{1000}{1000}", "desc; DROP",
]  # fmt: skip
evil = st.one_of(
    st.sampled_from(EVIL),
    st.text(max_size=30),
    st.sampled_from(EVIL).flatmap(lambda e: st.text(max_size=5).map(lambda t: t + e)),
)
prefixed = st.builds(
    lambda prefix, tail: prefix + tail,
    st.sampled_from(
        ["metadata.", "request.headers.", "request.query.", "request.body.", "response.body.",
         "response.headers.", "user.", "customer.", ""]
    ),
    evil,
)  # fmt: skip
fields = st.one_of(
    prefixed, st.sampled_from(["user", "status", "metadata.plan", "time", "duration_ms"])
)
operators = st.one_of(
    evil,
    st.sampled_from(["eq", "ne", "in", "nin", "gt", "lte", "contains", "starts_with", "ends_with",
                     "matches", "exists"]),
)  # fmt: skip
values = st.one_of(
    evil, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.lists(evil, max_size=3), st.dictionaries(evil, evil, max_size=1),
)  # fmt: skip
leaves = st.fixed_dictionaries({"field": fields, "op": operators, "value": values})
filters = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.builds(
            lambda k, n: {k: n}, st.sampled_from(["and", "or", "xor"]), st.lists(below, max_size=3)
        ),
        st.builds(lambda n: {"not": n}, below),
    ),
    max_leaves=4,
)
questions = st.fixed_dictionaries(
    {},
    optional={
        "application": evil,
        "from": evil,
        "to": evil,
        "time_zone": evil,
        "interval": st.one_of(evil, st.sampled_from(["hour", "day"])),
        "metrics": st.lists(
            st.fixed_dictionaries(
                {"fn": st.one_of(evil, st.sampled_from(["count", "unique", "sum", "p95", "max"]))},
                optional={"field": fields},
            ),
            max_size=3,
        ),
        "group_by": st.lists(fields, max_size=3),
        "filter": filters,
        "limit": values,
        "other": values,
        "fill": st.booleans(),
    },
)
quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(answer: Any) -> None:
    assert answer.status_code in (200, 404, 422), answer.text
    assert "of b" not in json.dumps(answer.json().get("rows", answer.json().get("events", "")))
    if answer.status_code == 200 and "totals" in answer.json():
        totals = answer.json()["totals"]
        assert all(t is None or t < 1e6 for t in totals[:1]), totals


@quick
@given(question=questions, valid=st.booleans())
def test_no_part_of_a_question_becomes_sql(served: Any, question: Any, valid: bool) -> None:
    asked = {**question, **RANGE, "application": None} if valid else question
    check(served.client.post("/api/query", json=asked))


@quick
@given(leaf=st.tuples(fields, operators, values), group=fields)
def test_no_part_of_a_condition_becomes_sql(served: Any, leaf: Any, group: str) -> None:
    condition = dict(zip(("field", "op", "value"), leaf, strict=True))
    for asked in ({"filter": condition}, {"group_by": [group], "filter": condition},
                  {"group_by": [group], "interval": "hour"}):  # fmt: skip
        check(served.client.post("/api/query", json={**RANGE, **asked}))


@quick
@given(
    filter=filters,
    extra=evil,
    name=st.sampled_from(["cursor", "order", "application", "from", "to", "limit", "none"]),
)
def test_no_part_of_a_list_becomes_sql(served: Any, filter: Any, extra: str, name: str) -> None:
    check(
        served.client.get(
            "/api/events", params={**RANGE, "filter": json.dumps(filter), name: extra}
        )
    )


@quick
@given(event_id=evil, field=fields, q=evil)
def test_no_id_and_no_completion_becomes_sql(
    served: Any, event_id: str, field: str, q: str
) -> None:
    answer = served.client.get("/api/events/" + quote(event_id or "x", safe=""))
    # An id that equals the name of another route is that route's business.
    assert answer.status_code in (200, 404, 422), answer.text
    answer = served.client.get("/api/fields/values", params={**RANGE, "field": field, "q": q})
    assert answer.status_code in (200, 422), answer.text
    assert "of b" not in answer.text or "of b" in q or "of b" in field


@pytest.mark.parametrize("text", EVIL)
def test_a_value_is_found_as_it_is(served: Any, text: str) -> None:
    from tollkeeper.testing.calls import START_US, call

    time = START_US + 10 * 3600 * 1_000_000
    event = call(application="extra", id=f"evil {text}", time=time, captured_user=text,
                 metadata=json.dumps({"k": text}))  # fmt: skip
    served.store.insert_block([event], token=f"evil {text}")
    answer = served.ask(
        application="extra",
        group_by=["user", "metadata.k"],
        filter={"and": [{"field": "metadata.k", "op": "in", "value": [text, "other"]},
                        {"field": "user", "op": "eq", "value": text}]},
        interval="hour",
    )  # fmt: skip
    assert [row[1:] for row in answer["rows"]] == [[text, text, 1]]


@pytest.mark.parametrize("surrogate", ['"\\ud800"', '"a\\udfffb"'])
def test_a_lone_surrogate_is_refused_not_stumbled_over(served: Any, surrogate: str) -> None:
    for template in ('{"filter": {"field": "user", "op": "eq", "value": %s}}', '{%s: 1}',
                     '{"group_by": [%s]}', '{"filter": {%s: []}}', '{"time_zone": %s}',
                     '{"filter": {"field": "metadata.x", "op": %s, "value": 1}}'):  # fmt: skip
        answer = served.client.post("/api/query", content=template % surrogate)
        assert answer.status_code == 422, answer.text
