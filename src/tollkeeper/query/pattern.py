"""Regular expressions of ``matches``: RE2, as the store's engine has them, so none can hang."""

from __future__ import annotations

from typing import Any

import re2  # type: ignore[import-untyped]

from tollkeeper.errors import InvalidInput

MAX_PATTERN = 1000


def compiled(pattern: str, at: str) -> Any:
    """The expression; ``search`` finds it anywhere in a text.

    Raises:
        InvalidInput: it is none.
    """
    options = re2.Options()
    options.dot_nl = True  # as in the store's engine
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise InvalidInput(
            "is no regular expression (RE2 syntax)", field=at, code="invalid_pattern"
        ) from None
