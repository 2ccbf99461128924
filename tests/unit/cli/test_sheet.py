import csv
import io

import pytest

from tollkeeper.cli import sheet


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1", "=cmd|' /C calc'!A0"]
)
def test_text_that_looks_like_a_formula_is_disarmed(text: str) -> None:
    assert sheet.cell(text) == f"'{text}"


def test_numbers_and_plain_text_stay_what_they_are() -> None:
    assert [sheet.cell(v) for v in (-1, 1.5, "a=b", "", None, True)] == [
        -1,
        1.5,
        "a=b",
        "",
        "",
        True,
    ]


def test_every_cell_of_every_row_is_disarmed() -> None:
    file = io.StringIO()
    sheet.write(file, [["user", "=x"], ['a,"b"', "@y"]])
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [["user", "'=x"], ['a,"b"', "'@y"]]
