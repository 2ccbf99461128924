"""What ``doctor`` looks at: a list of checks, each with a finding and what to do about it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tollkeeper import __version__
from tollkeeper.cli.reach import Server, reach
from tollkeeper.clock import Clock, to_us
from tollkeeper.config import ServerSettings
from tollkeeper.errors import TollkeeperError

_SKEW_WARN_SECONDS = 2.0
_SKEW_FAIL_SECONDS = 60.0
_BACKLOG_WARN_BYTES = 64 * 1024**2
_LOW_DISK = 4


class Finding(NamedTuple):
    """What a check found. ``advice`` says what to do; empty when there is nothing to do."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    advice: str = ""


def examine(url: str | None, token: str | None, data: str | None, *, clock: Clock) -> list[Finding]:
    """All findings, in the order in which one would look."""
    try:
        with reach(url, token, data) as server:
            return list(_checks(server, clock))
    except TollkeeperError as error:
        advice = "start it with: tollkeeper serve, or name it with --url and --token"
        return [Finding("connection", "fail", error.detail, advice)]


def _checks(server: Server, clock: Clock) -> Iterator[Finding]:
    before_us = clock.now_us()
    status = server.ask("GET", "/api/status")
    after_us = clock.now_us()
    if server.is_running:
        yield Finding("connection", "ok", f"{server.place.url} answers, the token is good")
    else:
        yield Finding(
            "connection",
            "warn",
            f"no server runs on {server.place.folder}; its folder was opened here",
            f"start it with: tollkeeper serve --data {server.place.folder}",
        )
    yield _ready(server)
    yield _version(status)
    yield _clock(status, before_us, after_us)
    yield _accepting(status)
    yield _backlog(status)
    yield _quarantine(status)
    yield _drops(status)
    yield _last_event(status)
    if server.place.folder is not None:
        yield _disk(server.place.folder)
        yield from _permissions(server.place.folder)


def _ready(server: Server) -> Finding:
    response = server.send("GET", "/health/ready")
    if response.is_success:
        return Finding("ready", "ok", "events are taken and stored")
    reason = response.json().get("reason", f"HTTP {response.status_code}")
    return Finding("ready", "fail", str(reason), "look into the server's log")


def _version(status: dict[str, Any]) -> Finding:
    theirs = status["version"]
    if theirs == __version__:
        return Finding("version", "ok", f"{theirs}, the same as this command line")
    return Finding(
        "version",
        "warn",
        f"the server is {theirs}, this command line {__version__}",
        "install the same version on both sides",
    )


def _clock(status: dict[str, Any], before_us: int, after_us: int) -> Finding:
    theirs_us = to_us(datetime.fromisoformat(status["as_of"]))
    skew = max(before_us - theirs_us, theirs_us - after_us, 0) / 1e6
    if skew < _SKEW_WARN_SECONDS:
        return Finding("clock", "ok", "the server's clock agrees with this machine's")
    return Finding(
        "clock",
        "warn" if skew < _SKEW_FAIL_SECONDS else "fail",
        f"the server's clock is {skew:,.0f} s off this machine's",
        "let both machines synchronise their clocks (NTP); calls land in the wrong hour otherwise",
    )


def _accepting(status: dict[str, Any]) -> Finding:
    if status["accepting"]:
        return Finding("accepting", "ok", "new events are accepted")
    return Finding(
        "accepting",
        "fail",
        str(status.get("refusal") or "new events are refused"),
        "free disk space, or let the backlog drain; SDKs keep and repeat what is refused",
    )


def _backlog(status: dict[str, Any]) -> Finding:
    journal = status["journal"]
    size, entries = journal["backlog_bytes"], journal["backlog_entries"]
    text = f"{entries:,} entries, {_size(size)} wait to be stored"
    if size < _BACKLOG_WARN_BYTES:
        return Finding("backlog", "ok", text)
    return Finding("backlog", "warn", text, "more arrives than is stored; watch whether it drains")


def _quarantine(status: dict[str, Any]) -> Finding:
    count = status["quarantine"]["count"]
    if not count:
        return Finding("quarantine", "ok", "everything was understood")
    return Finding(
        "quarantine",
        "warn",
        f"{count:,} things were not understood",
        "see why with: tollkeeper quarantine list",
    )


def _drops(status: dict[str, Any]) -> Finding:
    lost = {reason: count for reason, count in status["dropped"].items() if count}
    if not lost:
        return Finding("drops", "ok", "no host reports a lost event")
    text = ", ".join(f"{count:,} {reason}" for reason, count in sorted(lost.items()))
    return Finding(
        "drops",
        "warn",
        f"hosts lost events: {text}",
        "set a spool_directory, or raise event_queue_size, in the host's capture options",
    )


def _last_event(status: dict[str, Any]) -> Finding:
    if status["last_event_at"] is None:
        return Finding(
            "events",
            "warn",
            "no event has ever come",
            "add the middleware to an API; 'tollkeeper serve' prints the lines to paste",
        )
    return Finding(
        "events", "ok", f"{status['events_total']:,} events, last {status['last_event_at']}"
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    least = ServerSettings().min_free_bytes
    text = f"{_size(free)} free below {folder}"
    if free < least:
        return Finding("disk", "fail", text, f"free some: below {_size(least)} events are refused")
    if free < least * _LOW_DISK:
        return Finding("disk", "warn", text, f"free some before it falls below {_size(least)}")
    return Finding("disk", "ok", text)


def _permissions(folder: Path) -> Iterator[Finding]:
    """What lies in the folder is for its owner: events, digests, the admin token."""
    opened = [
        path
        for path in (folder, folder / "journal", folder / "admin-token", folder / "pepper")
        if path.exists() and _is_open(folder, path)
    ]
    if opened:
        yield Finding(
            "permissions",
            "warn",
            f"others may read {', '.join(str(path) for path in opened)}",
            f"chmod -R go-rwx {folder}",
        )
    else:
        yield Finding("permissions", "ok", f"{folder} is its owner's alone")


def _is_open(folder: Path, path: Path) -> bool:
    mode = stat.S_IMODE(path.stat().st_mode)
    if path != folder and not stat.S_IMODE(folder.stat().st_mode) & 0o077:
        # Behind a closed folder nobody else comes this far.
        return False
    return bool(mode & 0o077)


def _size(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
