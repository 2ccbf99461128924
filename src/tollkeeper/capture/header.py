"""Headers as adapters leave them, and as the rest of capture reads them.

An adapter leaves a list of pairs: of texts, names in lower case, or of bytes, as an ASGI server has
them. Bytes are decoded once, straight into the dict that is sent, and not in the host's request.
"""

from __future__ import annotations

from typing import Any

from tollkeeper.capture.call import Headers, Texts

MEMO_NAMES_COUNT = 1024
LONGEST_MEMO_NAME_BYTES = 64


class _Names(dict[bytes, str]):
    """Header names decoded once, lower-case; bounded in number and in length."""

    def __missing__(self, raw: bytes) -> str:
        name = raw.decode("latin-1").lower()
        if len(raw) <= LONGEST_MEMO_NAME_BYTES:
            if len(self) >= MEMO_NAMES_COUNT:
                self.clear()
            self[bytes(raw)] = name
        return name


_names = _Names()


def decoded(pairs: Any) -> Texts:
    """Pairs as pairs of texts, whichever of the two they were."""
    if pairs and isinstance(pairs[0][0], str):
        return list(pairs)
    return [(_names[name], value.decode("latin-1")) for name, value in pairs]


def joined(pairs: Headers) -> dict[str, str]:
    """Headers as a dict; repeated ones are joined as HTTP allows (cookies by semicolons)."""
    if not pairs:
        return {}
    given: Any = pairs
    if isinstance(pairs[0][0], str):
        headers = dict(given)
    else:
        headers = {_names[name]: value.decode("latin-1") for name, value in given}
    if len(headers) == len(pairs):
        return headers
    headers = {}
    for name, value in decoded(pairs):
        known = headers.get(name)
        headers[name] = (
            value if known is None else f"{known}{'; ' if name == 'cookie' else ', '}{value}"
        )
    return headers
