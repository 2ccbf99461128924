"""What events and SDKs teach of credentials, without ever guessing.

An event that carries both a session token and a user says whose token it is. That is weaker than
what a person stated: a learned binding is made only for a credential that nobody stated anything
about, and once a second user is seen with it, it is taken back and never learned again.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from tollkeeper.identity.attributes import MAX_ID_CHARACTERS
from tollkeeper.identity.ledger import CREDENTIAL, Ledger
from tollkeeper.identity.timeline import FOREVER_US, SINCE_EVER_US, Owner, Span

_MEMO_PAIRS = 50_000

Pair = tuple[str, str, str, int]
"""Credential's digest, user, customer (may be empty), the event's time in microseconds."""


def teach(ledger: Ledger, credential: str, owner: Owner) -> bool:
    """Lets a credential be known as an owner's, if that contradicts nothing; true on a change.

    A second user, or a second customer without any user, takes the binding back. A second
    customer of the same user leaves the user alone: whose customer he was is then for the events
    and for the user's own binding to say.
    """
    timeline = ledger.timeline(CREDENTIAL, credential)
    if any(not span.learned for span in timeline) or ledger.ambiguous(credential):
        return False
    known = timeline[0].owner if timeline else owner
    agreed = _agree(known, owner)
    if agreed is None:
        ledger.retire(credential)
        return True
    if timeline and agreed == known:
        return False
    span = Span(SINCE_EVER_US, FOREVER_US, agreed, learned=True)
    ledger.change(CREDENTIAL, credential, (span,))
    return True


def _agree(known: Owner, said: Owner) -> Owner | None:
    """The owner that both can mean; none when they name different parties."""
    if known.user and said.user and known.user != said.user:
        return None
    user = known.user or said.user
    customer = known.customer
    if said.customer and said.customer != known.customer:
        # A user who was there without a customer may have lost it to a contradiction: not refilled.
        customer = said.customer if not known.user and not known.customer else ""
    return Owner(user, customer) if user or customer else None


class Learner:
    """Learns from the events of blocks; remembers what is settled, so that most cost no SQL.

    Guarantee: what was learned in a transaction that is rolled back is learned again. Call it
    from one thread at a time.
    """

    def __init__(self, *, memo_pairs: int = _MEMO_PAIRS) -> None:
        """Remembers up to twice ``memo_pairs`` pairs."""
        self._limit = memo_pairs
        self._young: set[tuple[str, ...]] = set()
        self._old: set[tuple[str, ...]] = set()
        self._transaction: object = None
        self._touched: set[str] = set()

    def learn(
        self, connection: Connection, application: str, pairs: Iterable[Pair], now_us: int
    ) -> bool:
        """Learns the pairs of one block, within its transaction; true when anything changed.

        Guarantee: the same pairs again, in the same order, change nothing.
        """
        del now_us  # A learned binding holds since ever: nothing else is known of its start.
        wanted = dict.fromkeys((application, *pair[:3]) for pair in pairs if _usable(pair))
        new = [pair for pair in wanted if not self._settled(pair)]
        if not new:
            return False
        ledger = Ledger(connection, application)
        ledger.load(CREDENTIAL, (credential for _, credential, _, _ in new))
        self._enter(connection)
        for _, credential, user, customer in new:
            if teach(ledger, credential, Owner(user, customer)):
                self._touched.add(credential)
        for pair in new:
            if pair[1] not in self._touched:
                self._keep(pair)
        return ledger.flush()

    @property
    def settled_count(self) -> int:
        """How many pairs are remembered as settled; one may count twice."""
        return len(self._young) + len(self._old)

    def _enter(self, connection: Connection) -> None:
        # A pair is settled only when it was found as it is before this transaction changed
        # anything for its credential: what this one writes may still be rolled back.
        transaction = connection.get_transaction()
        if transaction is not self._transaction:
            self._transaction = transaction
            self._touched.clear()

    def _settled(self, pair: tuple[str, ...]) -> bool:
        if pair in self._young:
            return True
        if pair in self._old:
            self._keep(pair)
            return True
        return False

    def _keep(self, pair: tuple[str, ...]) -> None:
        if len(self._young) >= self._limit:
            self._old, self._young = self._young, set()
        self._young.add(pair)


def _usable(pair: Pair) -> bool:
    """Whether a pair says something, in ids that every database can hold and index."""
    credential, user, customer, _ = pair
    return bool(credential and user) and all(
        len(text) <= MAX_ID_CHARACTERS and "\0" not in text for text in (user, customer)
    )
