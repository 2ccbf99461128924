from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.mask import (
    Verdicts,
    joined,
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


def test_repeated_headers_are_joined():
    pairs = [("accept", "a"), ("cookie", "a=1"), ("accept", "b"), ("cookie", "b=2")]
    assert joined(pairs) == {"accept": "a, b", "cookie": "a=1; b=2"}
    assert joined(pairs[:2]) == dict(pairs[:2])


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
