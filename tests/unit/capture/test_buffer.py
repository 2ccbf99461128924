from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.buffer import Buffer, weigh


@given(st.lists(st.integers(1, 50) | st.just("take"), max_size=60))
def test_the_newest_is_refused_beyond_either_bound_and_order_is_kept(steps):
    buffer = Buffer(events=5, limit_bytes=100)
    model: list[tuple[bytes, int]] = []
    for number, step in enumerate(steps):
        if step == "take":
            count = 2 if sum(size for _, size in model[:2]) <= 60 else 1
            assert buffer.take(2, 60) == [item for item, _ in model[:count]]
            model = model[count:]
        else:
            fits = len(model) < 5 and sum(size for _, size in model) + step <= 100
            item = str(number).encode()
            assert buffer.put(item, step, number) == (len(model) + 1 if fits else 0)
            model += [(item, step)] if fits else []
        assert len(buffer) == len(model)
        assert buffer.bytes == sum(size for _, size in model)
        assert (buffer.oldest_ns() is None) == (not model)


def test_threads_lose_and_double_nothing():
    buffer = Buffer(events=1_000_000, limit_bytes=1 << 40)
    taken = []

    def put(start):
        for number in range(start, start + 5000):
            buffer.put(number.to_bytes(4, "big"), 1, 0)

    threads = [threading.Thread(target=put, args=(start,)) for start in range(0, 20_000, 5000)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += buffer.take(100, 1 << 40)
    taken += buffer.take_all()
    assert sorted(int.from_bytes(item, "big") for item in taken) == list(range(20_000))
    assert buffer.bytes == 0


def test_a_weight_counts_everything_that_can_be_large(call):
    light = weigh(call())
    assert weigh(call(query="q" * 1000)) >= light + 1000
    assert weigh(call(request_body=b"b" * 1000, response_body=b"b" * 1000)) >= light + 2000
    assert weigh(call(request_headers=[("a", "v" * 1000)] * 3)) >= light + 3000
