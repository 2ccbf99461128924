import hashlib
import json

import pytest

from tollkeeper.identity.credential import digest_from_secret

PEPPER = b"p" * 32


def put(client, *items, application=None):
    answer = client.put("/api/aliases", json={"application": application, "aliases": list(items)})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def listed(client, **parameters):
    answer = client.get("/api/aliases", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["aliases"]


def test_an_alias_is_created_then_unchanged_then_replaced(client, changes):
    alice = {"credential": "Bearer tok-1", "user": "alice", "customer": "acme"}
    assert put(client, {**alice, "valid_from": None, "valid_to": None})[0]["result"] == "created"
    assert put(client, alice)[0]["result"] == "unchanged"
    assert put(client, {**alice, "user": "bob"})[0]["result"] == "replaced"
    assert changes == ["changed"] * 3
    first, second = listed(client, credential=digest_from_secret(PEPPER, "tok-1"))
    assert (first["user"], first["valid_from"], second["user"]) == ("alice", None, "bob")
    assert first["valid_to"] == second["valid_from"]
    assert second["valid_to"] is None
    assert first["learned"] is False


def test_a_token_its_sha256_and_its_digest_name_the_same_credential(client):
    sha256 = hashlib.sha256(b"tok-1").hexdigest()
    digest = digest_from_secret(PEPPER, "tok-1")
    results = put(
        client,
        {"credential": "tok-1", "user": "alice"},
        {"credential_sha256": sha256, "user": "alice"},
        {"digest": digest, "user": "alice"},
    )
    assert [one["result"] for one in results] == ["created", "unchanged", "unchanged"]
    assert [one["credential"] for one in listed(client)] == [digest]


def test_times_are_kept_to_the_microsecond_and_shown_in_utc(client):
    put(
        client,
        {
            "credential": "t",
            "user": "a",
            "valid_from": "2026-11-20T12:00:00.123456+02:00",
            "valid_to": "2026-11-21",
        },
    )
    (alias,) = listed(client)
    assert alias["valid_from"] == "2026-11-20T10:00:00.123456Z"
    assert alias["valid_to"] == "2026-11-21T00:00:00.000000Z"


def test_a_user_without_a_credential_gets_its_customer(client):
    assert put(client, {"user": "alice", "customer": "acme"})[0]["result"] == "created"
    (alias,) = listed(client)
    assert (alias["credential"], alias["user"], alias["customer"]) == (None, "alice", "acme")


def test_the_secret_is_nowhere_in_the_database(client, records, tmp_path):
    put(client, {"credential": "very-secret-token", "user": "a"})
    records.dispose()
    for file in tmp_path.iterdir():
        assert b"very-secret-token" not in file.read_bytes()


@pytest.mark.parametrize(
    ("item", "field", "reason"),
    [
        ("text", None, "wrong_type"),
        (None, None, "wrong_type"),
        ([], None, "wrong_type"),
        ({}, "credential", "missing"),
        ({"user": "a"}, "customer", "missing"),
        ({"customer": "c"}, "credential", "missing"),
        ({"credential": "t"}, "user", "missing"),
        ({"credential": "t", "user": "", "customer": None}, "user", "missing"),
        ({"credential": " ", "user": "a"}, "credential", "missing"),
        ({"credential": 5, "user": "a"}, "credential", "wrong_type"),
        ({"credential": "t" * 20_000, "user": "a"}, "credential", "too_long"),
        ({"credential": "t", "digest": "d", "user": "a"}, "digest", "ambiguous"),
        ({"digest": "d", "user": "a"}, "digest", "wrong_type"),
        ({"credential_sha256": "d", "user": "a"}, "credential_sha256", "wrong_type"),
        ({"credential": "t", "user": {}}, "user", "wrong_type"),
        ({"credential": "t", "user": "a" * 600}, "user", "too_long"),
        ({"credential": "t", "user": "a\0"}, "user", "bad_character"),
        ({"credential": "t", "user": "a", "valid_from": "soon"}, "valid_from", "invalid_time"),
        ({"credential": "t", "user": "a", "valid_from": 5}, "valid_from", "wrong_type"),
        ({"credential": "t", "user": "a", "valid_to": "1950-01-01"}, "valid_to", "out_of_range"),
        (
            {"credential": "t", "user": "a", "valid_from": "2026-01-02", "valid_to": "2026-01-02"},
            "valid_to",
            "empty_interval",
        ),
        ({"credential": "t", "usr": "a"}, "usr", "unknown_field"),
    ],
)
def test_a_bad_item_is_rejected_with_its_field_and_its_neighbours_are_taken(
    client, item, field, reason
):
    results = put(client, {"credential": "x", "user": "a"}, item, {"credential": "y", "user": "b"})
    assert [one["result"] for one in results] == ["created", "rejected", "created"]
    assert (results[1]["index"], results[1]["field"], results[1]["reason"]) == (1, field, reason)
    assert results[1]["detail"]
    assert len(listed(client)) == 2


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 422, None),
        (b"[]", 422, ""),
        (b"{}", 422, "aliases"),
        (b'{"aliases": {}}', 422, "aliases"),
        (b'{"aliases": [], "other": 1}', 422, "other"),
        (b'{"aliases": [], "application": "app_none"}', 404, "application"),
        (b'{"aliases": [], "application": "\\ud800"}', 404, "application"),
        (b'{"aliases": [' + b"1," * 100_000 + b"1]}", 413, "aliases"),
    ],
)
def test_a_bad_request_is_a_problem_that_names_the_field(client, body, status, field):
    answer = client.put("/api/aliases", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if field is not None:
        assert answer.json()["field"] == field


def test_odd_text_in_an_item_is_no_server_error(client):
    body = '{"aliases": [{"credential": "\\ud800", "user": "a\\udfff"}, NaN]}'
    answer = client.put("/api/aliases", content=body, headers={"content-type": "application/json"})
    assert [one["result"] for one in answer.json()["results"]] == ["created", "rejected"]
    assert listed(client)[0]["user"] == "a?"


def test_ten_thousand_aliases_go_in_one_request_and_come_back_in_pages(client):
    items = [{"credential": f"t{i}", "user": f"u{i}"} for i in range(10_000)]
    assert {one["result"] for one in put(client, *items)} == {"created"}
    seen, cursor = set(), None
    while True:
        page = client.get("/api/aliases", params={"limit": 1000, "cursor": cursor or ""}).json()
        seen.update(alias["user"] for alias in page["aliases"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 10_000


def test_the_list_filters_by_user_and_customer(client):
    put(
        client,
        {"credential": "t1", "user": "alice", "customer": "acme"},
        {"credential": "t2", "user": "bob", "customer": "acme"},
    )
    assert {a["user"] for a in listed(client, customer="acme")} == {"alice", "bob"}
    assert {a["user"] for a in listed(client, user="bob")} == {"bob"}
    assert listed(client, user="nobody") == []


def test_applications_are_apart_and_the_first_is_meant_when_none_is_named(client, records):
    from tollkeeper.identity import applications

    first, second = (found.id for found in applications.listing(records))
    put(client, {"credential": "t", "user": "one"})
    put(client, {"credential": "t", "user": "two"}, application=second)
    assert [a["user"] for a in listed(client)] == ["one"]
    assert [a["user"] for a in listed(client, application=first)] == ["one"]
    assert [a["user"] for a in listed(client, application=second)] == ["two"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "W10=",
        "WyJhIl0=",
        "bnVsbA==",
        "WyJjcmVkZW50aWFsIiwiYSIsIDFlNDBd",
        "WyJhXHUwMDAwIiwiYSIsMV0=",
    ],
)
def test_a_cursor_that_nobody_gave_is_refused(client, cursor):
    answer = client.get("/api/aliases", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["field"] == "cursor"


@pytest.mark.parametrize("path", ["/api/aliases", "/api/users", "/api/customers", "/api/users/a"])
def test_nobody_reads_without_a_token(client, path):
    answer = client.get(path, headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401


def test_nobody_writes_without_a_token(client):
    answer = client.put("/api/aliases", json={"aliases": []}, headers={"authorization": ""})
    assert answer.status_code == 401


def test_the_openapi_document_shows_what_an_alias_is(client):
    document = json.dumps(client.get("/api/openapi.json").json())
    assert "credential_sha256" in document
    assert '"maxItems": 100000' in document
