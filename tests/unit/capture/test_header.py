from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture import header
from tollkeeper.capture.header import decoded, joined


def test_repeated_headers_are_joined():
    pairs = [("accept", "a"), ("cookie", "a=1"), ("accept", "b"), ("cookie", "b=2")]
    assert joined(pairs) == {"accept": "a, b", "cookie": "a=1; b=2"}
    assert joined(pairs[:2]) == dict(pairs[:2])
    assert joined([]) == {}


@given(st.lists(st.tuples(st.sampled_from([b"Cookie", b"accept", b"X-A"]), st.binary(max_size=9))))
def test_bytes_read_like_the_texts_that_they_stand_for(pairs):
    texts = [(name.decode().lower(), value.decode("latin-1")) for name, value in pairs]
    assert decoded(pairs) == decoded(texts) == texts
    assert joined(pairs) == joined(texts)


def test_names_are_remembered_in_bounds():
    for number in range(3 * header.MEMO_NAMES_COUNT):
        joined([(b"x-%d" % number, b""), (b"y" * 100 + b"%d" % number, b"")])
    assert len(header._names) <= header.MEMO_NAMES_COUNT
    assert max(len(name) for name in header._names) <= header.LONGEST_MEMO_NAME_BYTES
