from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.sample import IDLE_NS, Sampler
from tollkeeper.errors import InvalidSettings

RATES = st.sampled_from([1, 2.5, 10, 30, 33.3, 50, 60, 99, 99.9, 100])


@given(
    RATES,
    RATES,
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["GET", "POST"]), st.integers(0, 30)),
        max_size=200,
    ),
    st.integers(2, 8),
    st.integers(),
)
def test_weights_sum_to_the_calls_in_each_stratum(
    call_fixture_rate, post_rate, traffic, limit, seed
):
    rules = ({"method": "POST", "rate": post_rate},)
    sampler = Sampler(call_fixture_rate, rules, chance=random.Random(seed), limit=limit)
    real, counted = Counter(), Counter()
    now_ns = 0
    for user, method, pause_s in traffic:
        now_ns += pause_s * 1_000_000_000
        real[user, method] += 1
        made = make(user=user, method=method)
        for kept, weight in [*sampler.take(made, now_ns), *sampler.tails(now_ns)]:
            counted[kept.user, kept.method] += weight
            assert weight >= 1
    for kept, weight in sampler.tails():
        counted[kept.user, kept.method] += weight
    assert counted == real
    assert sampler.tails() == []


def make(**fields):
    from tollkeeper.capture.call import Call

    call = Call()
    for name, value in fields.items():
        setattr(call, name, value)
    return call


@pytest.mark.parametrize("rate", [1, 30, 33.3, 60])
def test_a_rate_is_kept_exactly(rate):
    sampler = Sampler(rate, chance=random.Random(1))
    kept = sum(len(sampler.take(make(user="u"), 0)) for _ in range(10_000))
    assert kept == round(rate * 100)


def test_all_is_sent_at_full_rate_without_any_state():
    sampler = Sampler(100, chance=random.Random(1))
    assert not sampler.samples
    first = make(user="u")
    assert sampler.take(first, 0) == [(first, 1)]
    assert sampler.next_tail_ns() is None


def test_the_first_rule_that_matches_decides():
    rules = (
        {"user": ["vip-*", "513"], "rate": 100},
        {"route": "/health*", "status": "2??", "rate": 1},
        {"company": "acme", "rate": 50},
    )
    sampler = Sampler(100, rules, chance=random.Random(1))
    assert sampler.samples

    def kept(**fields):
        return sum(len(sampler.take(make(**fields), 0)) for _ in range(1000))

    assert kept(user="vip-7", route="/health", status=200) == 1000
    assert kept(user="513") == 1000
    assert kept(user="x", route="/healthz", status=204) == 10
    assert kept(user="x", route="/healthz", status=500) == 1000
    assert kept(company="acme", status=200) == 500


def test_a_rest_goes_out_when_its_stratum_falls_idle():
    sampler = Sampler(1, chance=random.Random(4))
    held = make(user="u", request_body=b"x", request=object())
    assert sampler.take(held, 5) == []
    assert sampler.next_tail_ns() == IDLE_NS + 5
    assert sampler.tails(IDLE_NS) == []
    assert sampler.tails(IDLE_NS + 5) == [(held, 1)]
    assert held.request_body is held.request is None, "what waits is small"
    assert sampler.next_tail_ns() is None


def test_no_weight_is_larger_than_the_collector_takes(monkeypatch):
    monkeypatch.setattr("tollkeeper.capture.sample.WEIGHT_LIMIT", 50)
    sampler = Sampler(0.01, chance=random.Random(1))
    weights = [weight for _ in range(1000) for _, weight in sampler.take(make(user="u"), 0)]
    weights += [weight for _, weight in sampler.tails()]
    assert max(weights) == 50
    assert sum(weights) == 1000


def test_a_forked_child_forgets_the_rests():
    sampler = Sampler(1, chance=random.Random(4))
    sampler.take(make(user="u"), 0)
    sampler.forget()
    assert sampler.tails() == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"user": "a"}, r"sample_rules\[0\].rate"),
        ({"user": "a", "rate": 0}, r"sample_rules\[0\].rate"),
        ({"user": "a", "rate": True}, r"sample_rules\[0\].rate"),
        ({"usr": "a", "rate": 5}, "unknown field usr"),
        ({"user": 1.5, "rate": 5}, r"sample_rules\[0\].user: expected a text"),
        ({"user": [], "rate": 5}, "expected a text"),
    ],
)
def test_rules_that_cannot_work_are_refused(rule, text):
    with pytest.raises(InvalidSettings, match=text):
        Sampler(100, (rule,), chance=random.Random(1))
