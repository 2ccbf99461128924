"""From bytes to items: nothing is read twice, nothing is guessed."""

import gzip
import json
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.errors import InvalidInput, TooLarge
from tollkeeper.ingest.body import BodyLimits, inflate
from tollkeeper.ingest.decode import MAX_DEPTH, relaxed, split, too_deep

LIMITS = BodyLimits(10_000, 10_000)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(json_values))
def test_an_array_is_cut_into_its_items(items: list[Any]) -> None:
    for text in (json.dumps(items), json.dumps(items, indent=1, ensure_ascii=False)):
        found = split(text.encode("utf-8", "surrogatepass"))
        assert [json.loads(item.decode("utf-8", "surrogatepass")) for item in found] == items


@given(json_values)
def test_relaxed_reading_keeps_what_is_strict(value: Any) -> None:
    content = json.dumps(value).encode()
    if not too_deep(content):
        assert json.loads(relaxed(content)) == json.loads(relaxed(relaxed(content)))


def nest(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(nest, value), default=0) if isinstance(value, list) else 0


@given(json_values, st.integers(0, 80), st.text('[]{}\\"a'))
def test_depth_is_counted_as_it_is(value: Any, levels: int, text: str) -> None:
    for _ in range(levels):
        value = [text, {"[": value}]
    assert too_deep(json.dumps(value).encode()) == (nest(value) > MAX_DEPTH)


@pytest.mark.parametrize("body", [b'["', b'["' + b'\\"' * 500_000, b'[{"a": "' + b"x" * 10**6])
def test_a_string_without_an_end_is_given_up_in_one_pass(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="breaks off"):
        split(body)


def test_a_byte_order_mark_is_no_content() -> None:
    assert split(b"\xef\xbb\xbf[1, 2]") == [b"1", b" 2"]


def test_numbers_that_python_refuses_to_read_are_null() -> None:
    assert relaxed(b'{"a": ' + b"9" * 5000 + b', "b": 1e999, "c": 12}') == (
        b'{"a":null,"b":null,"c":12}'
    )


@given(st.binary(max_size=5000), st.integers(1, 9))
def test_what_was_packed_is_unpacked(body: bytes, level: int) -> None:
    packer = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    raw = packer.compress(body) + packer.flush()
    assert inflate(gzip.compress(body, level), "gzip", LIMITS) == body
    assert inflate(zlib.compress(body, level), "deflate", LIMITS) == body
    assert inflate(raw, "deflate", LIMITS) == body
    assert inflate(body, "", LIMITS) == body


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_unpacked_or_refused(body: bytes) -> None:
    for encoding in ("gzip", "deflate"):
        with suppress(InvalidInput, TooLarge):
            assert len(inflate(body, encoding, LIMITS)) <= LIMITS.inflated_bytes


def test_the_limit_is_what_comes_out() -> None:
    assert len(inflate(gzip.compress(b"x" * 10_000), "gzip", LIMITS)) == 10_000
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 10_001), "gzip", LIMITS)
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 6000) * 2, "gzip", LIMITS)
