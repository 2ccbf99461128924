"""Bounded copies and counted streams."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.tee import Reader, Tee


@given(st.lists(st.binary(max_size=9)), st.integers(0, 20))
def test_a_tee_keeps_the_beginning_and_says_when_there_was_more(chunks, limit_bytes):
    tee = Tee(limit_bytes)
    for chunk in chunks:
        tee.add(chunk)
    whole = b"".join(chunks)
    assert tee.body() == whole[:limit_bytes]
    assert tee.truncated == (len(whole) > limit_bytes)


def test_a_tee_holds_a_copy_of_a_buffer_that_is_used_again():
    tee, buffer = Tee(10), bytearray(b"first")
    tee.add(buffer)
    buffer[:] = b"later"
    assert tee.body() == b"first"


READS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["read", "read1", "readline", "readlines"]), st.integers(0, 5)),
        st.tuples(st.just("readinto"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["read", "readline", "readlines", "iterate"]), st.none()),
    ),
    max_size=6,
)


def perform(stream, reads):
    got = []
    for name, size in reads:
        if name == "iterate":
            got.append(list(stream))
        elif name == "readinto":
            buffer = bytearray(size)
            got.append((stream.readinto(buffer), bytes(buffer)))
        else:
            got.append(getattr(stream, name)(*([] if size is None else [size])))
    return got


@given(st.binary(max_size=30).map(lambda data: data.replace(b"\x00", b"\n")), READS)
def test_a_counted_stream_reads_like_the_stream_itself(data, reads):
    bare, tee = io.BytesIO(data), Tee(1000)
    counted = Reader(io.BytesIO(data), tee)
    assert perform(counted, reads) == perform(bare, reads)
    assert counted.read_bytes == bare.tell() == counted.tell()
    assert tee.body() == data[: bare.tell()]
