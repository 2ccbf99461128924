import pytest

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.timeline import FOREVER_US, Owner, Span, holder, paint, state

A, B, C = Owner("a", "acme"), Owner("b", ""), Owner("", "corp")
NOW = 1_000


def told(timeline, owner, start=None, end=None, now=NOW):
    return state(timeline, owner, valid_from_us=start, valid_to_us=end, now_us=now)


def test_the_first_statement_holds_since_ever_and_for_ever():
    assert told((), A) == (Span(0, FOREVER_US, A),)


def test_another_owner_without_a_start_takes_over_now():
    moved = told(told((), A), B)
    assert moved == (Span(0, NOW, A), Span(NOW, FOREVER_US, B))
    assert holder(moved, NOW - 1).owner == A
    assert holder(moved, NOW).owner == B


def test_the_same_statement_again_is_the_very_same_timeline():
    timeline = told(told((), A), B)
    assert told(timeline, B, now=NOW + 5) is timeline
    assert told(timeline, A, 0, NOW) is timeline
    assert told(timeline, A, 10, 20) is timeline


def test_an_interval_cuts_what_was_there_and_leaves_the_rest():
    assert told(told((), A), B, 100, 200) == (
        Span(0, 100, A),
        Span(100, 200, B),
        Span(200, FOREVER_US, A),
    )


def test_an_interval_over_several_spans_removes_those_inside():
    timeline = (Span(0, 10, A), Span(10, 20, B), Span(30, 40, C))
    assert paint(timeline, Span(5, 35, C)) == (Span(0, 5, A), Span(5, 35, C), Span(35, 40, C))


def test_stating_a_span_again_with_another_end_changes_its_end():
    timeline = told((), A)
    assert told(timeline, A, 0, 500) == (Span(0, 500, A),)
    assert told(timeline, A, None, 500) == (Span(0, 500, A),)
    assert told((Span(0, 500, A),), A, 0, None) == (Span(0, FOREVER_US, A),)


def test_an_end_that_was_stated_survives_the_plain_statement_of_the_same_owner():
    timeline = told((), A, None, NOW + 50)
    assert told(timeline, A) is timeline


def test_a_first_statement_replaces_what_was_only_learned():
    learned = (Span(0, FOREVER_US, A, learned=True),)
    assert told(learned, B) == (Span(0, FOREVER_US, B),)
    assert told(learned, A) == (Span(0, FOREVER_US, A),)


def test_an_interval_leaves_what_was_learned_outside_of_it():
    learned = (Span(0, FOREVER_US, A, learned=True),)
    assert told(learned, B, 10, 20) == (
        Span(0, 10, A, learned=True),
        Span(10, 20, B),
        Span(20, FOREVER_US, A, learned=True),
    )


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (None, 0)])
def test_an_empty_interval_is_refused(start, end):
    with pytest.raises(InvalidInput) as caught:
        told((), A, start, end)
    assert caught.value.field == "valid_to"


def test_an_end_in_the_past_for_a_new_owner_is_refused():
    with pytest.raises(InvalidInput):
        told(told((), A), B, None, NOW)
