"""Values on their way into a statement: each is bound, none is written into the text."""

from __future__ import annotations

from typing import Any


class Parameters:
    """Collects a statement's bound values and hands out their placeholders.

    Equal values of one type share a placeholder, so that the same expression written twice is
    the same text, which the engine then computes once.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[tuple[str, str], str] = {}

    def bind(self, value: Any, kind: str) -> str:
        """The placeholder, such as ``{p0:String}``, for a value of a ClickHouse type."""
        identity = (kind, repr(value))
        name = self._names.get(identity)
        if name is None:
            name = f"p{len(self.values)}"
            self._names[identity] = name
            self.values[name] = value
        return f"{{{name}:{kind}}}"

    def text(self, value: str) -> str:
        """The placeholder of a text."""
        return self.bind(value, "String")

    def integer(self, value: int) -> str:
        """The placeholder of a signed 64-bit number."""
        return self.bind(value, "Int64")
