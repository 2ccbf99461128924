from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.mask import (
    Verdicts,
    mask_address,
    mask_headers,
    mask_json,
    mask_query,
    mask_text,
)
from tollkeeper.model.secret import MASK

SECRET = "s3cr3t-value"
NAMES = ["a", "name", "items", "password", "Access_Token", "CREDIT", "api-key"]
HIDDEN = {"password", "Access_Token", "CREDIT", "api-key"}
VERDICTS = Verdicts(["credit"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=25,
)


def masked(node):
    """What the mask must make of a document, written the obvious way."""
    if isinstance(node, dict):
        return {
            key: MASK if key in HIDDEN and value is not None else masked(value)
            for key, value in node.items()
        }
    return [masked(inner) for inner in node] if isinstance(node, list) else node


@given(TREES)
def test_secrets_are_masked_at_any_depth_and_nothing_else_is_touched(document):
    expected = masked(document)
    changed = mask_json(document, VERDICTS)
    assert document == expected
    assert changed == (MASK in json.dumps(expected))


def test_depth_is_no_way_out():
    document = inner = {}
    for _ in range(50_000):
        inner["a"] = inner = {}
    inner["password"] = SECRET
    assert mask_json(document, VERDICTS)
    assert inner["password"] == MASK


def test_headers_are_masked_by_the_default_list_and_the_hosts_own():
    headers = {
        "authorization": "Bearer x",
        "set-cookie": "a=b",
        "x-internal": "1",
        "accept": "*/*",
        "x-api-key": "k",
    }
    mask_headers(headers, Verdicts(["X-Internal"]))
    assert headers == {**dict.fromkeys(headers, MASK), "accept": "*/*"}


def test_addresses_in_headers_lose_their_secrets():
    headers = {
        "referer": "https://u:p@h.io/x?page=1&token=t#access_token=t",
        "location": "/y?api_key=k",
    }
    mask_headers(headers, Verdicts())
    assert headers["referer"] == f"https://h.io/x?page=1&token={MASK}#access_token={MASK}"
    assert headers["location"] == f"/y?api_key={MASK}"
    assert mask_address("/cb#id_token=t", Verdicts()) == f"/cb#id_token={MASK}"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        (
            "link",
            '<https://h/?p=2>; rel="next", <https://h/?p=1&token=t>; rel="last", <https://h/?token=t&p=1>',
            f'<https://h/?p=2>; rel="next", <https://h/?p=1&token={MASK}>; rel="last", <https://h/?token={MASK}&p=1>',
        ),
        ("refresh", "5; url=https://h/?token=t", f"5; url=https://h/?token={MASK}"),
        ("x-original-uri", "/a?token=t", f"/a?token={MASK}"),
        ("hx-current-url", "https://h/a?page=1#id_token=t", f"https://h/a?page=1#id_token={MASK}"),
        ("referer", "https://user:p@ss@h/x@y?a=b", "https://h/x@y?a=b"),
        ("sec-websocket-protocol", f"graphql-ws, {'a' * 40}", f"graphql-ws, {MASK}"),
        ("x-amzn-oidc-data", "a.b.c", MASK),
        ("user-agent", "a?token=t", "a?token=t"),
    ],
)
def test_headers_that_carry_secrets_among_other_things_lose_only_them(name, value, shown):
    headers = {name: value}
    mask_headers(headers, Verdicts())
    assert headers == {name: shown}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("a=1;token=t&b=2", f"a=1;token={MASK}&b=2"),
        ("next=/cb?token=t&b=2", f"next=/cb?token={MASK}&b=2"),
        (
            "next=https%3A%2F%2Fh%2F%3Faccess_token%3Dt%26a%3Db&c=%3D",
            f"next=https%3A%2F%2Fh%2F%3Faccess_token%3D{MASK}%26a%3Db&c=%3D",
        ),
        ("next=%252Fcb%253Ftoken%253Dt", f"next=%252Fcb%253Ftoken%253D{MASK}"),
    ],
)
def test_parameters_inside_of_parameters_are_masked(query, shown):
    assert mask_query(query, Verdicts()) == shown


def test_json_and_addresses_in_texts_are_masked():
    document = {
        "body": '{"password": "s", "n": 1}',
        "items": ['[{"token": "s"}]', "https://u:p@h/?api_key=s&a=b", "a=b&token=s"],
    }
    assert mask_json(document, VERDICTS)
    assert document == {
        "body": f'{{"password": "{MASK}", "n": 1}}',
        "items": [f'[{{"token": "{MASK}"}}]', f"https://h/?api_key={MASK}&a=b", "a=b&token=s"],
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<a><password>s</password><n>1</n></a>", f"<a><password>{MASK}</password><n>1</n></a>"),
        (
            '<wsse:Password Type="#Text">s</wsse:Password>',
            f'<wsse:Password Type="#Text">{MASK}</wsse:Password>',
        ),
        ("<token><![CDATA[s<s]]></token>", f"<token>{MASK}</token>"),
        ("<token>cut of", f"<token>{MASK}"),
        ("<a token='s' n=\"1\"/>", f'<a token={MASK} n="1"/>'),
        ("name=x\r\npassword=s\r\n", f"name=x\r\npassword={MASK}\r\n"),
        ("name: x\npassword: s s\nat: 12:30", f"name: x\npassword: {MASK}\nat: 12:30"),
        ('{"pass\\u0077ord": "s", "n":', f'{{"pass\\u0077ord": "{MASK}", "n":'),
        ("see https://h/?token=s&a=b", f"see https://h/?token={MASK}&a=b"),
        ("Why? The key is: patience.", "Why? The key is: patience."),
    ],
)
def test_names_of_secrets_are_found_in_any_text(text, shown):
    assert mask_text(text, VERDICTS) == shown


def test_secret_query_parameters_are_masked_in_any_encoding():
    query = "page=1&api_key=k&%61pi_key=k&access%5Ftoken=k&flag&empty=&password="
    assert mask_query(query, VERDICTS) == (
        f"page=1&api_key={MASK}&%61pi_key={MASK}&access%5Ftoken={MASK}&flag&empty=&password="
    )


@given(st.text(alphabet="abc=&%+;?/0 ", max_size=40))
def test_a_query_without_secrets_stays_byte_for_byte(query):
    assert mask_query(query, Verdicts()) == query


@given(TREES.filter(lambda tree: isinstance(tree, (dict, list))), st.integers(min_value=0))
def test_cut_json_shows_no_secret(document, cut):
    def plant(node):
        if isinstance(node, dict):
            return {key: SECRET if key in HIDDEN else plant(value) for key, value in node.items()}
        return [plant(inner) for inner in node] if isinstance(node, list) else node

    text = json.dumps(plant(document))
    shown = mask_text(text[: cut % (len(text) + 1)], VERDICTS)
    assert SECRET[:4] not in shown


def test_text_ends_where_an_object_stands_under_a_secret_name():
    text = 'data: {"a": 1, "password": {"old": "x", "new": "y"}}'
    assert mask_text(text, VERDICTS) == f'data: {{"a": 1, "password": "{MASK}"'


def test_json_lines_are_masked_line_by_line():
    text = '{"token": "a", "n": 1}\n{"token": 5, "n": null}\n{"token": null}'
    shown = mask_text(text, VERDICTS)
    assert (
        shown
        == f'{{"token": "{MASK}", "n": 1}}\n{{"token": "{MASK}", "n": null}}\n{{"token": null}}'
    )


def test_the_memory_of_names_is_bounded():
    verdicts = Verdicts()
    for number in range(20_000):
        assert not verdicts[f"name-{number}"]
    assert verdicts["x" * 1000 + "-password"]
    assert len(verdicts) <= 8192
    assert not any(re.search("password", name) for name in verdicts)
