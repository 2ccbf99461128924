"""The errors of Tollkeeper, one small hierarchy.

    TollkeeperError           code, detail (for the caller), field (the culprit), status (HTTP)
    ├── InvalidInput          422  something in the request is wrong; ``field`` names it
    ├── InvalidSettings       a setting is unknown, missing or of the wrong type
    ├── Unauthorized          401  no or unknown credential
    ├── Forbidden             403  known, but not allowed
    ├── NotFound              404
    ├── TooLarge              413  body, decompressed size, depth or count over a limit
    ├── Overloaded            503  refusing now; ``retry_after_seconds`` says when to come back
    └── StoreError            500  a store failed; nothing was acknowledged

On the wire each becomes an RFC 9457 problem document: ``type``, ``title``, ``status``, ``detail``
plus our ``code`` and ``field``.
"""

from __future__ import annotations

from typing import Any


class TollkeeperError(Exception):
    """Anything that Tollkeeper refuses or fails to do, with a stable code."""

    code = "error"
    status = 500
    title = "Something went wrong"

    def __init__(self, detail: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        if code is not None:
            self.code = code

    def problem(self) -> dict[str, Any]:
        """The RFC 9457 members of this error."""
        body: dict[str, Any] = {
            "type": f"urn:tollkeeper:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.field is not None:
            body["field"] = self.field
        return body


class InvalidInput(TollkeeperError):
    """A part of the caller's input is wrong; ``field`` names it."""

    code = "invalid_input"
    status = 422
    title = "The input is not valid"


class InvalidSettings(TollkeeperError):
    """A setting is unknown, missing, or has a value that it cannot have."""

    code = "invalid_settings"
    title = "A setting is not valid"


class Unauthorized(TollkeeperError):
    """The caller showed no credential, or one that nobody knows."""

    code = "unauthorized"
    status = 401
    title = "A valid credential is needed"


class Forbidden(TollkeeperError):
    """The caller is known but may not do this."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class NotFound(TollkeeperError):
    """The thing asked for is not here."""

    code = "not_found"
    status = 404
    title = "Not found"


class TooLarge(TollkeeperError):
    """The input is over a stated limit."""

    code = "too_large"
    status = 413
    title = "The input is too large"


class Overloaded(TollkeeperError):
    """The server refuses for now, so that nothing acknowledged is ever lost.

    ``retry_after_seconds`` goes out as the ``Retry-After`` header.
    """

    code = "overloaded"
    status = 503
    title = "Not accepting now"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_after_seconds: int = 5
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after_seconds = retry_after_seconds


class StoreError(TollkeeperError):
    """A store failed to do its work; the caller may try again."""

    code = "store_failed"
    title = "A store failed"
