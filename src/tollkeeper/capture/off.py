"""What adapters do with options that cannot work: say so once, and capture nothing.

Frameworks build their middleware late, some of them at the first request, where an exception of
ours would turn every answer of the host into a 500. So an adapter asks here for its agent, gets
None, and passes everything through. `Agent` and `read_options` raise for whoever builds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tollkeeper.capture.stats import LOGGER
from tollkeeper.errors import InvalidSettings

T = TypeVar("T")

_reasons: list[str] = []


def or_off(make: Callable[[], T]) -> T | None:
    """What `make` returns, or None once its refusal was logged and noted for `reasons`."""
    try:
        return make()
    except InvalidSettings as error:
        # Hosts may build their middleware many times over; it is told and noted once.
        if error.detail not in _reasons:
            _reasons.append(error.detail)
            LOGGER.error("capture is off: %s", error.detail)
        return None


def reasons() -> list[str]:
    """Why adapters of this process capture nothing; empty when all is well."""
    return list(_reasons)


def forget() -> None:
    """Lets the next refusal be told again, for tests that start afresh."""
    _reasons.clear()
