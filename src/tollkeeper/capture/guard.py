"""The one place that swallows errors: what capture does never reaches the host, and is always counted.

`SystemExit`, `KeyboardInterrupt` and cancellation are not errors and pass through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol


class Failed:
    """The type of `FAILED`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """False, so that a failed answer reads as no answer."""
        return False


FAILED: Final = Failed()
"""What `quiet` returns in the place of an exception."""


class Errors(Protocol):
    """Where swallowed errors are counted."""

    def failed(self, name: str, error: Exception) -> None:
        """Counts one error under the name of what failed."""
        ...


def quiet(errors: Errors, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns, or `FAILED` after counting what it raised."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - the one permitted place
        errors.failed(name, error)
        return FAILED


async def quiet_async(errors: Errors, name: str, awaitable: Awaitable[Any]) -> Any:
    """What the awaitable comes to, or `FAILED` after counting what it raised."""
    try:
        return await awaitable
    except Exception as error:  # noqa: BLE001 - the one permitted place
        errors.failed(name, error)
        return FAILED
