import pytest

from tollkeeper.cli.where import read_moment, read_where
from tollkeeper.errors import InvalidInput


def leaf(field: str, op: str, value: object) -> dict[str, object]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("signed", "dashboard", "expected"),
    [
        ("status>=500", "status:>=500", leaf("status", "gte", 500)),
        ("status<400", "status:<400", leaf("status", "lt", 400)),
        ("status!=200", "status:!=200", leaf("status", "ne", 200)),
        ("user=513", "user:=513", leaf("user", "eq", "513")),
        ("route~/v1/*", "route:/v1/*", leaf("route", "starts_with", "/v1/")),
        ("path~^/v[12]/", "path:~^/v[12]/", leaf("path", "matches", "^/v[12]/")),
        ("ms>1.5", "duration:>1.5", leaf("duration_ms", "gt", 1.5)),
        ('user="a b"', 'user:="a b"', leaf("user", "eq", "a b")),
    ],
)
def test_a_sign_means_what_it_means_in_the_dashboards_text(
    signed: str, dashboard: str, expected: dict[str, object]
) -> None:
    assert read_where([signed]) == read_where([dashboard]) == {"and": [expected]}


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("user:513", leaf("user", "eq", "513")),
        ("-customer:acme", leaf("customer", "ne", "acme")),
        ("user:a,b", leaf("user", "in", ["a", "b"])),
        ('-user:"a,1",b', leaf("user", "nin", ["a,1", "b"])),
        ("status:200,201", leaf("status", "in", [200, 201])),
        ("trace_id:*", leaf("trace_id", "exists", value=True)),
        ("-trace_id:*", leaf("trace_id", "exists", value=False)),
        ("uri:*pets*", leaf("uri", "contains", "pets")),
        ("host:*.example.com", leaf("host", "ends_with", ".example.com")),
        ("request.headers.user-agent:curl*", leaf("request.headers.user-agent", "starts_with", "curl")),
        ("metadata.size>3", leaf("metadata.size", "gt", 3)),
        ("pets", leaf("request.uri", "contains", "pets")),
        ("https://api/x?a=b", leaf("request.uri", "contains", "https://api/x?a=b")),
        ("path~a.*", leaf("path", "matches", "a.*")),
    ],
)  # fmt: skip
def test_a_term_says_one_condition(term: str, expected: dict[str, object]) -> None:
    assert read_where([term]) == {"and": [expected]}


def test_a_hundred_of_statuses_is_a_range() -> None:
    assert read_where(["status:5xx"]) == {
        "and": [leaf("status", "gte", 500), leaf("status", "lt", 600)]
    }


def test_terms_and_json_hold_together() -> None:
    given = ['status>=500 user:"a b"', '{"or": [{"field": "route", "op": "eq", "value": "/"}]}']
    assert read_where(given) == {
        "and": [
            leaf("status", "gte", 500),
            leaf("user", "eq", "a b"),
            {"or": [leaf("route", "eq", "/")]},
        ]
    }
    assert read_where([]) is read_where(None) is None


@pytest.mark.parametrize(
    "term", ["status>=many", "status:", "user>=", "status:2*0*", "-status>=500", "{nonsense"]
)
def test_what_cannot_be_understood_is_refused(term: str) -> None:
    with pytest.raises(InvalidInput):
        read_where([term])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", "-30d"),
        ("-24h", "-24h"),
        ("3M", "-3M"),
        ("now", "now"),
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        ("2026-11-01 12:30", "2026-11-01 12:30Z"),
        ("2026-11-01T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
    ],
)
def test_times_are_written_as_people_do(text: str, moment: str) -> None:
    assert read_moment(text) == moment
