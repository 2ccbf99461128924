"""One run of the demo, from the first process to the last comparison."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tollkeeper.clock import Clock, format_us
from tollkeeper.demo import board
from tollkeeper.demo.callers import Callers
from tollkeeper.demo.cast import Partner, partners
from tollkeeper.demo.process import Process, start_api, start_server
from tollkeeper.demo.sample import Sent, fill
from tollkeeper.demo.watch import Watch, expected, wait_stored
from tollkeeper.errors import TollkeeperError

_REFRESH_SECONDS = 1.0
_PLAIN_EVERY = 5
_BIND_AFTER_SECONDS = 20.0
_SETTLE_SECONDS = 30.0
_ALIAS_NS = 10_000_000_000
_YEAR_US = 366 * 24 * 3600 * 1_000_000
_FRAME_LINES = 7
_WIDE = 100


class Plan(NamedTuple):
    """How a run goes. ``seconds`` of calls (none: until stopped); ``days`` of sample history."""

    folder: Path
    port: int
    seconds: float | None
    days: int
    seed: int
    miscount: int


class Stage(NamedTuple):
    """What a run works with."""

    callers: Callers
    watch: Watch
    cast: Sequence[Partner]
    client: httpx.Client


def run(plan: Plan, *, stop: threading.Event, clock: Clock, console: Console) -> bool:
    """Plays until ``stop`` is set or the time is over; whether server and partners agree.

    Raises:
        TollkeeperError: a process did not start, ended too early, or refused.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    cast = partners()
    with ExitStack() as stack:
        console.print("Starting a server, and filling the past month with sample history …")
        server, address = start_server(plan.folder, plan.port)
        stack.callback(server.stop)
        client = stack.enter_context(_client(address))
        started_ns = clock.monotonic_ns()
        sent = fill(
            plan.folder, client, address["collector_id"], cast,
            clock=clock, seed=plan.seed, days=plan.days,
        )  # fmt: skip
        took = (clock.monotonic_ns() - started_ns) / 1e9
        console.print(_told(sent, took))
        api, api_url = start_api(plan.folder, address)
        stack.callback(api.stop)
        since_us = clock.now_us()
        watch = Watch(
            client,
            host=urlsplit(api_url).netloc,
            since=format_us(since_us),
            until=format_us(since_us + _YEAR_US),
        )
        callers = Callers(api_url, cast, seed=since_us, miscount=plan.miscount)
        _greet(console, address, api_url, plan)
        stage = Stage(callers, watch, cast, client)
        callers.start()
        stack.callback(callers.stop)
        _play(stage, plan, (server, api), stop=stop, clock=clock, console=console)
        console.print(
            "\nStopping the partners, and letting the last calls arrive … (Ctrl-C: end at once)"
        )
        callers.stop()
        api.stop()
        return _compare(stage, clock=clock, console=console)


def _told(sent: Sent, took: float) -> str:
    if sent.added:
        return (
            "The sample history is there already, from an earlier start; "
            f"{sent.events:,} events brought it up to now."
        )
    return f"{sent.events:,} sample events sent and stored in {took:.1f} s."


@contextmanager
def _client(address: dict[str, Any]) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {address['admin_token']}"}
    with httpx.Client(base_url=address["url"], headers=headers, timeout=60) as client:
        yield client


def _greet(console: Console, address: dict[str, Any], api_url: str, plan: Plan) -> None:
    end = "Ctrl-C ends it" if plan.seconds is None else f"ends by itself in {plan.seconds:g} s"
    link = f"{address['url']}/login#token={address['admin_token']}"
    console.print(f"\n  dashboard    {link}", soft_wrap=True)
    console.print(f"  sample API   {api_url}  (partners call it now; {end})\n", soft_wrap=True)


def _play(
    stage: Stage,
    plan: Plan,
    processes: Sequence[Process],
    *,
    stop: threading.Event,
    clock: Clock,
    console: Console,
) -> None:
    """Shows the table until the end, and binds the opaque key to its owner on the way."""
    seconds = plan.seconds
    bind_at = _BIND_AFTER_SECONDS if seconds is None else min(_BIND_AFTER_SECONDS, seconds / 2)
    started_ns, asked, turn = clock.monotonic_ns(), False, 0
    with _screen(console) as live:
        while True:
            elapsed = (clock.monotonic_ns() - started_ns) / 1e9
            if stop.is_set() or (seconds is not None and elapsed >= seconds):
                return
            for process in processes:
                process.check()
            if not asked and elapsed >= bind_at:
                _bind(stage, console)
                asked = True
            if live is not None:
                live.update(_frame(stage, console), refresh=True)
            elif turn % _PLAIN_EVERY == 0:
                _tell(stage, console, elapsed)
            turn += 1
            left = _REFRESH_SECONDS if seconds is None else min(_REFRESH_SECONDS, seconds - elapsed)
            clock.wait(stop, left)


@contextmanager
def _screen(console: Console) -> Iterator[Live | None]:
    """A table that is drawn over itself; nothing where there is no terminal."""
    if not console.is_terminal:
        yield None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield live


def _frame(stage: Stage, console: Console) -> Table:
    height = max(console.height - _FRAME_LINES, 5)
    narrow = console.width < _WIDE
    return board.table(_rows(stage), height=height, narrow=narrow)


def _tell(stage: Stage, console: Console, elapsed: float) -> None:
    counted = sum(seen.calls for seen in stage.watch.seen().values())
    made = stage.callers.made.total()
    console.print(f"{elapsed:6.1f} s   {made:>7,} calls made   {counted:>7,} counted")


def _bind(stage: Stage, console: Console) -> None:
    for partner in stage.cast:
        if partner.bound_later:
            result = stage.watch.bind(partner)
            moved = (
                "all its calls, a month of them, move to their owner now"
                if result == "created"
                else "an earlier run had told so already"
            )
            console.print(f"The alias table learns whose key {partner.name} uses: {moved}.")


def _rows(stage: Stage) -> list[board.Row]:
    # Asked, not remembered: an earlier run on the same folder, or somebody in the dashboard, may
    # have told whose key it is.
    later = [partner for partner in stage.cast if partner.bound_later]
    bound = {partner.user for partner in later if stage.watch.bound(partner)}
    # The partners' numbers are read before the server's, which can only be ahead of them then by
    # calls that are answered but not counted by their caller yet.
    made = expected(stage.callers.made, stage.cast, bound=bound)
    errors = expected(stage.callers.errors, stage.cast, bound=bound)
    return board.rows(stage.watch.seen(), made, errors, stage.watch.last_seen(), stage.cast)


def _compare(stage: Stage, *, clock: Clock, console: Console) -> bool:
    """Prints the last table; whether it agrees, to the call."""
    wait_stored(stage.client, clock, seconds=_SETTLE_SECONDS)
    never, until_ns = threading.Event(), clock.monotonic_ns() + _ALIAS_NS
    found = _rows(stage)
    # An alias reaches the event store a moment after it was stated.
    while board.differences(found) and clock.monotonic_ns() < until_ns:
        clock.wait(never, 0.25)
        found = _rows(stage)
    console.print(board.table(found, narrow=console.width < _WIDE))
    others = stage.watch.others()
    if others:
        console.print(f"Not in the table: {others:,} events that partners did not cause.")
    lost = stage.callers.lost
    if lost:
        raise TollkeeperError(f"{len(lost)} calls were not answered, first {lost[0]}")
    wrong = board.differences(found)
    for text in wrong:
        console.print(text, style="bold red")
    if not wrong:
        total = sum(row.counted for row in found)
        console.print(
            f"Equal: {total:,} calls of {len(stage.cast)} partners made, {total:,} counted, "
            "each with its owner.",
            style="green",
        )
    return not wrong
