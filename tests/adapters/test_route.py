"""Route templates out of bare paths, and out of every framework's notation."""

from __future__ import annotations

import base64
import random
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture import route

WORDS = st.sampled_from(
    [
        "pets",
        "v1",
        "v2.1",
        "oauth2",
        "users",
        "me",
        "search",
        "covid-19",
        "utf-8",
        "healthz",
        "api",
        "getUserByIdV2",
        "line_items",
        "well-known",
        "1.0",
        "2fa",
        "favicon.ico",
        "robots.txt",
        "a",
        "",
    ]
)
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
IDS = st.one_of(
    st.integers(0, 10**18).map(str),
    st.uuids().map(str),
    st.uuids().map(lambda u: str(u).upper()),
    st.uuids().map(lambda u: u.hex),
    st.binary(min_size=12, max_size=32).map(bytes.hex),
    st.text(CROCKFORD, min_size=25, max_size=25).map(lambda tail: "0" + tail),
    st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds")),
    st.emails(),
    st.tuples(st.sampled_from(["order", "inv", "sku"]), st.integers(10000, 10**9)).map(
        lambda p: f"{p[0]}-{p[1]}"
    ),
)


@given(st.lists(st.one_of(WORDS.map(lambda w: (w, w)), IDS.map(lambda i: (i, "{id}"))), min_size=1))
def test_ids_become_id_and_words_stay(parts):
    path = "/" + "/".join(part for part, _ in parts if "/" not in part)
    expected = "/" + "/".join(want for part, want in parts if "/" not in part)
    assert route.template(path) == expected


@given(st.text())
def test_any_text_keeps_its_segments_and_is_stable_when_applied_twice(path):
    once = route.template(path)
    assert once.count("/") == (path.count("/") if path else 1)
    assert route.template(once) == once


@given(st.text(string.ascii_letters + string.digits + "-_.~%/@{}", max_size=400))
def test_templating_twice_changes_nothing_more_for_url_text(path):
    once = route.template(path)
    assert route.template(once) == once


@pytest.mark.parametrize(("size_bytes", "most_count"), [(12, 150), (16, 80), (24, 30), (32, 10)])
def test_random_tokens_rarely_become_routes_of_their_own(size_bytes, most_count):
    dice = random.Random(size_bytes)
    tokens = [
        base64.urlsafe_b64encode(dice.randbytes(size_bytes)).decode().rstrip("=")
        for _ in range(1000)
    ]
    kept = {route.template(f"/t/{token}") for token in tokens} - {"/t/{id}"}
    assert len(kept) < most_count


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/customers/cus_NffrFeUfNV2Hib/charges", "/customers/{id}/charges"),
        ("/reports/17.pdf", "/reports/{id}.pdf"),
        ("/search/caf%C3%A9", "/search/{id}"),
        ("/geo/52.5200,13.4050", "/geo/{id}"),
        ("/api/1.0/GetOAuth2TokenForUser", "/api/1.0/GetOAuth2TokenForUser"),
        ("/get_user2profile", "/get_user2profile"),
        ("/top-10-things-2024-for-5-people", "/top-10-things-2024-for-5-people"),
        ("/pets/17/", "/pets/{id}/"),
        ("//pets//1", "//pets//{id}"),
        ("", "/"),
        ("*", "*"),
        ("/x/" + "long" * 40, "/x/{id}"),
    ],
)
def test_known_paths_read_as_a_person_would_write_them(path, expected):
    assert route.template(path) == expected


def test_memory_stays_bounded_however_many_paths_come():
    for _ in range(3 * route.MEMO_PATHS_COUNT):
        route.template(f"/users/{uuid.uuid4()}")
    route.template("/" + "a/" * route.MEMO_PATH_CHARACTERS)
    memo = route._memo.cache_info()
    assert memo.currsize == route.MEMO_PATHS_COUNT == memo.maxsize


@pytest.mark.parametrize(
    ("notation", "rule", "expected"),
    [
        (route.from_starlette, "/pets/{id:int}/{rest:path}", "/pets/{id}/{rest}"),
        (route.from_werkzeug, "/<any(a,b):x>/<int:id>/<name>", "/{x}/{id}/{name}"),
        (route.from_werkzeug, '/<regex("[a-z]{2}"):lang>', "/{lang}"),
        (route.from_bottle, "/a/<id:re:[a-z\\>]+>/<p:path>/<z>/:old", "/a/{id}/{p}/{z}/{old}"),
        (route.from_bottle, "/<:re:[0-9]+>", "/{id}"),
        (route.from_django, "pets/<int:id>/", "/pets/{id}/"),
        (route.from_django, "", "/"),
        (route.from_django, r"^pets/(?P<id>[0-9)]+)/$", "/pets/{id}/"),
        (route.from_django, r"^a/(\d+)/(?P<q>(a|b)+)?\.json\Z", "/a/{id}/{q}.json"),
        (route.from_django, r"^api/v[12]/(?P<x>[^]/]+)/?$", "/api/v[12]/{x}/"),
    ],
)
def test_each_frameworks_notation_becomes_ours(notation, rule, expected):
    assert notation(rule) == expected
