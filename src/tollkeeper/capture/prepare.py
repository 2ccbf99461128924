"""The way of a call to an event, as a list of steps: identify, skip, sample, encode (which masks)."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable

from tollkeeper.capture.address import Proxies
from tollkeeper.capture.call import Call
from tollkeeper.capture.encode import Encoder
from tollkeeper.capture.guard import quiet
from tollkeeper.capture.header import joined
from tollkeeper.capture.identify import Identifier
from tollkeeper.capture.ids import Ids
from tollkeeper.capture.jwk import read_keys
from tollkeeper.capture.jwt import Tokens
from tollkeeper.capture.loop import OwnLoop
from tollkeeper.capture.options import Options
from tollkeeper.capture.sample import Sampler
from tollkeeper.capture.skip import Seen, SkipRule
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import Clock


class Preparer:
    """Makes encoded events out of calls.

    Guarantee: thread safe. Each call handed in ends as one event, as a share of another event's
    weight, or as `skipped`.

    Raises:
        InvalidSettings: at once, for keys, rules or expressions that cannot work.
    """

    def __init__(
        self, options: Options, counts: Counts, clock: Clock, chance: random.Random, loop: OwnLoop
    ) -> None:
        self._counts = counts
        self._clock = clock
        keys = read_keys(options.jwt_key, options.jwks, options.jwt_algorithms)
        self.tokens = Tokens(keys, leeway_seconds=options.jwt_leeway_seconds)
        self._ids = Ids(clock)
        self._identifier = Identifier(options, self.tokens)
        self._proxies = Proxies(options.trusted_proxies)
        self._rule = SkipRule(options.should_skip) if options.should_skip else None
        self._sampler = Sampler(options.sample_rate, options.sample_rules, chance=chance)
        self.samples = self._sampler.samples
        self._encoder = Encoder(options, self._ids, counts, self._proxies, loop)
        self._lock = threading.RLock()

    def reset(self) -> None:
        """In a forked child: new ids, and no rests, which are the parent's to send."""
        self._lock = threading.RLock()
        self._ids.reseed()
        self._sampler.forget()
        self.tokens.rejected = 0

    def prepare(self, call: Call) -> list[bytes]:
        """The events that go out now that this call came: none, itself, or also a rest that made room."""
        request = joined(call.request_headers)
        credential = self._identifier.identify(call, request)
        if self._rule is not None and self._skips(call, request):
            self._counts.add("skipped")
            return []
        if not self.samples:
            return [
                self._encoder.encode(call, request, joined(call.response_headers), credential, 1)
            ]
        with self._lock:
            due = self._sampler.take(call, self._clock.monotonic_ns())
        self._counts.add("sampled_out", 1 - len(due))
        return self._weighted(due)

    def tails(self, *, everything: bool) -> list[bytes]:
        """The rests that sampling left behind: those of idle strata, or all of them."""
        if not self.samples:
            return []
        with self._lock:
            due = self._sampler.tails(None if everything else self._clock.monotonic_ns())
        self._counts.add("sampled_out", -len(due))
        return self._weighted(due)

    def next_tail_ns(self) -> int | None:
        """When the next rest falls due, None when there is none."""
        if not self.samples:
            return None
        with self._lock:
            return self._sampler.next_tail_ns()

    def _skips(self, call: Call, request: dict[str, str]) -> bool:
        """True when the host's expression says so; one that fails skips nothing."""
        if self._rule is None:
            return False
        ip = self._proxies.client_ip(call.peer_ip, request.get("x-forwarded-for", ""))
        seen = Seen(
            call,
            request,
            joined(call.response_headers),
            ip,
            lambda: self._identifier.claims(call, request),
        )
        return bool(quiet(self._counts, "should_skip", self._rule.skips, seen))

    def _weighted(self, due: Iterable[tuple[Call, int]]) -> list[bytes]:
        """Events of calls that stand for several."""
        out = []
        for call, weight in due:
            request = joined(call.request_headers)
            credential = self._identifier.identify(call, request)
            out.append(
                self._encoder.encode(
                    call, request, joined(call.response_headers), credential, weight
                )
            )
        return out
