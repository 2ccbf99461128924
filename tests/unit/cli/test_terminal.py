import pytest

from tollkeeper.cli.tail import Message, messages
from tollkeeper.cli.terminal import bar, number, printable
from tollkeeper.cli.usage import read_metric
from tollkeeper.errors import InvalidInput


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(0, width=4) == ""
    assert bar(1, width=4) == bar(7, width=4) == "████"
    assert bar(0.5, width=4) == "██"
    assert bar(0.03125, width=4) == "▏"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234567, "calls", "1,234,567"),
        (0.0123, "ratio", "1.2%"),
        (3.14159, "ms", "3.14"),
        (1234.5, "ms", "1,234"),
        (2.0, None, "2"),
        (None, "ms", "-"),
    ],
)
def test_numbers_are_written_for_people(value: object, unit: str | None, text: str) -> None:
    assert number(value, unit) == text


def test_nothing_from_outside_steers_the_terminal() -> None:
    assert printable("a\x1b[2Jb\n") == "a\ufffd[2Jb\ufffd"


def test_a_metric_is_a_function_with_or_without_a_field() -> None:
    assert read_metric("count") == {"fn": "count"}
    assert read_metric(" p95(duration_ms) ") == {"fn": "p95", "field": "duration_ms"}
    with pytest.raises(InvalidInput):
        read_metric("p95 of duration")


def test_a_stream_is_cut_into_its_messages() -> None:
    lines = [
        ": heartbeat",
        "",
        "event: call",
        "id: 7.1",
        'data: {"a":',
        "data: 1}",
        "",
        "event: rate",
        "data:x",
        "",
        "data: cut off",
    ]
    assert list(messages(lines)) == [
        Message("call", "7.1", '{"a":\n1}'),
        Message("rate", "7.1", "x"),
    ]
