"""Rows as CSV that a spreadsheet opens without running anything in it.

Source: OWASP "CSV injection": a cell that begins like a formula is prefixed with an apostrophe;
so are the full-width twins of those signs, which spreadsheets take for the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(value: Any) -> Any:
    """A value as it may stand in a cell; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def write(file: TextIO, rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows."""
    csv.writer(file, lineterminator="\n").writerows([cell(v) for v in row] for row in rows)
