"""One event in one line of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollkeeper.cli.terminal import printable

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {0: "magenta", 1: "cyan", 2: "green", 3: "cyan", 4: "yellow", 5: "bold red"}


def line(event: dict[str, Any]) -> Text:
    """Time, status, method, path, duration, and whose call it was; coloured by status."""
    from rich.text import Text

    request, status = event["request"], event["response"]["status"]
    what = event["action"] or request["path"] or request["uri"]
    who = event["user"] or "(not known)"
    if event["customer"]:
        who = f"{who} · {event['customer']}"
    return Text.assemble(
        (event["time"][:23].replace("T", " "), "dim"),
        "  ",
        (f"{status or '-':>3}", _STYLES.get(status // 100, "")),
        "  ",
        (f"{printable(request['method'])[:7]:<7}", "bold"),
        (f"{event['duration_ms']:>9,.1f} ms", "dim"),
        "  ",
        printable(what),
        "  ",
        (printable(who), "blue"),
        no_wrap=True,
        overflow="ellipsis",
    )
