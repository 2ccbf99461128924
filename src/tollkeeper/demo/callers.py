"""The partners at work: each calls the sample API over real HTTP and counts by itself."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from random import Random

import httpx

from tollkeeper.demo.cast import AGENT_SUFFIX, Partner
from tollkeeper.demo.habit import HABITS, Step

_TIMEOUT_SECONDS = 30.0
_IDLE_SECONDS = 5.0


class Callers:
    """All partners on a thread of their own.

    ``made`` and ``errors`` are what they counted: calls that were answered, and answers of 400 and
    above, by user id. ``lost`` are calls without an answer, of which nobody knows whether they
    came to the API.

    Guarantee: ``stop`` lets every call under way come to its end, so that what was counted is
    what the API has answered.
    """

    def __init__(
        self, url: str, partners: Sequence[Partner], *, seed: int, miscount: int = 0
    ) -> None:
        """``miscount`` is added to the first call's count: for the test of the comparison."""
        self.made: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.lost: list[str] = []
        self._url = url
        self._partners = partners
        self._seed = seed
        self._miscount = miscount
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="callers", daemon=True)

    def start(self) -> None:
        """Begins to call."""
        self._thread.start()

    def stop(self) -> None:
        """Ends when the last call under way is answered."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        # Idle connections end here before they do at the API, so that no call meets a closing one.
        limits = httpx.Limits(
            max_connections=None, max_keepalive_connections=None, keepalive_expiry=_IDLE_SECONDS
        )
        async with (
            httpx.AsyncClient(
                base_url=self._url, timeout=_TIMEOUT_SECONDS, limits=limits
            ) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for place, partner in enumerate(self._partners):
                tasks.create_task(self._one(client, partner, Random(self._seed + place)))

    async def _one(self, client: httpx.AsyncClient, partner: Partner, dice: Random) -> None:
        for turn, step in enumerate(HABITS[partner.habit](dice, partner.pace)):
            try:
                await asyncio.wait_for(self._stopping.wait(), step.pause)
            except TimeoutError:
                await self._call(client, partner, step, partner.tokens[turn % len(partner.tokens)])
            else:
                return

    async def _call(
        self, client: httpx.AsyncClient, partner: Partner, step: Step, token: str
    ) -> None:
        headers = {
            "authorization": f"Bearer {token}",
            "user-agent": f"{partner.company or 'curl'}{AGENT_SUFFIX}",
        }
        try:
            answer = await client.request(step.method, step.path, json=step.body, headers=headers)
        except httpx.HTTPError as error:
            self.lost.append(f"{partner.user} {step.method} {step.path}: {error!r}")
            return
        self.made[partner.user] += 1 + self._miscount
        self._miscount = 0
        if answer.status_code >= 400:
            self.errors[partner.user] += 1
