"""The table of the demo: what the server counted beside what the partners made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.table import Table

from tollkeeper.demo.cast import Partner
from tollkeeper.demo.watch import UNKNOWN, Seen


class Row(NamedTuple):
    """One partner (or all unknown callers together): counted by the server, made by the caller."""

    user: str
    name: str
    counted: int
    made: int
    counted_errors: int
    made_errors: int
    p95_ms: float | None
    last_seen: str

    @property
    def is_equal(self) -> bool:
        """Whether both sides agree."""
        return self.counted == self.made and self.counted_errors == self.made_errors


def rows(
    seen: dict[str, Seen],
    made: Counter[str],
    errors: Counter[str],
    last_seen: dict[str, str],
    partners: Sequence[Partner],
) -> list[Row]:
    """A row for each user that either side knows, the busiest first."""
    names = {partner.user: partner.name for partner in partners} | {UNKNOWN: "(nobody knows)"}
    nothing = Seen(0, None, 0)
    found = []
    for user in {*seen, *made}:
        server = seen.get(user, nothing)
        found.append(
            Row(
                user,
                names.get(user, "?"),
                server.calls,
                made[user],
                server.errors,
                errors[user],
                server.p95_ms,
                last_seen.get(user, ""),
            )
        )
    return sorted(found, key=lambda row: (-row.counted, -row.made, row.user))


def table(found: Sequence[Row], *, height: int | None = None, narrow: bool = False) -> Table:
    """The rows as a table with a total.

    ``height`` shows only so many and sums up the rest; ``narrow`` leaves the names out.
    """
    grid = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = _sum(found, "total", "")
    equal = "equal" if all(row.is_equal for row in found) else ""
    shown = [*found] if height is None or len(found) <= height else [*found[:height]]
    rest = found[len(shown) :]
    if rest:
        shown.append(_sum(rest, "...", f"{len(rest)} more"))
    lines = [_cells(row) for row in shown]
    heads = ("user", "partner", "counted", "made", "errors", "p95 ms", "last seen")
    feet = (*_cells(total)[:5], "", equal)
    for place, (head, foot) in enumerate(zip(heads, feet, strict=True)):
        if place != 1 or not narrow:
            grid.add_column(
                head, footer=foot, justify="left" if place < 2 else "right", no_wrap=True
            )
    for row, cells in zip(shown, lines, strict=True):
        kept = [cell for place, cell in enumerate(cells) if place != 1 or not narrow]
        grid.add_row(*kept, style="" if row.is_equal else "dim")
    return grid


def _sum(found: Sequence[Row], user: str, name: str) -> Row:
    return Row(
        user,
        name,
        counted=sum(row.counted for row in found),
        made=sum(row.made for row in found),
        counted_errors=sum(row.counted_errors for row in found),
        made_errors=sum(row.made_errors for row in found),
        p95_ms=None,
        last_seen="",
    )


def _cells(row: Row) -> list[str]:
    p95 = "" if row.p95_ms is None else f"{row.p95_ms:,.1f}"
    numbers = [f"{value:,}" for value in (row.counted, row.made, row.counted_errors)]
    return [row.user or "-", row.name, *numbers, p95, row.last_seen[11:19]]


def differences(found: Sequence[Row]) -> list[str]:
    """Where server and partners disagree, in words."""
    said = []
    for row in found:
        who = row.user or row.name
        if row.counted != row.made:
            said.append(f"{who}: the server counted {row.counted:,} calls, {row.made:,} were made")
        if row.counted_errors != row.made_errors:
            said.append(
                f"{who}: the server counted {row.counted_errors:,} errors, "
                f"{row.made_errors:,} were answered"
            )
    return said
