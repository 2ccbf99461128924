"""Operators' access: admin tokens and the sessions that browsers make of them.

Only digests are kept. A token has more than 128 random bits, so a fast hash is the right one.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Engine, delete, select

from tollkeeper.errors import InvalidSettings
from tollkeeper.store.records import insert_missing, read, write
from tollkeeper.store.tables import admin_tokens, sessions

TOKEN_LEAST = 20
SESSION_SECONDS = 30 * 24 * 3600


def new_token() -> str:
    """A fresh admin token."""
    return "tka_" + secrets.token_urlsafe(32)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def set_token(engine: Engine, token: str, *, name: str, now_us: int, instead_of: str = "") -> None:
    """Lets a token in, in the place of another one; one that is known stays as it is.

    Sessions end with the token that goes: whoever had it may have opened them.

    Raises:
        InvalidSettings: it is too short to be safe.
    """
    if len(token) < TOKEN_LEAST:
        raise InvalidSettings(
            f"an admin token has at least {TOKEN_LEAST} characters", field="admin_token"
        )
    with write(engine) as connection:
        row = {"digest": _digest(token), "name": name, "created_us": now_us}
        insert_missing(connection, admin_tokens, [row])
        if instead_of and instead_of != token:
            gone = admin_tokens.c.digest == _digest(instead_of)
            if connection.execute(delete(admin_tokens).where(gone)).rowcount:
                connection.execute(delete(sessions))


def is_token(engine: Engine, token: str) -> bool:
    """True when the token is an admin's."""
    with read(engine) as connection:
        found = connection.execute(
            select(admin_tokens.c.digest).where(admin_tokens.c.digest == _digest(token))
        ).first()
    return found is not None


def open_session(engine: Engine, *, now_us: int) -> str:
    """A new session's secret, for a cookie; sessions that ended are swept."""
    secret = secrets.token_urlsafe(32)
    with write(engine) as connection:
        connection.execute(delete(sessions).where(sessions.c.expires_us <= now_us))
        connection.execute(
            sessions.insert().values(
                digest=_digest(secret),
                created_us=now_us,
                expires_us=now_us + SESSION_SECONDS * 1_000_000,
            )
        )
    return secret


def is_session(engine: Engine, secret: str, *, now_us: int) -> bool:
    """True while the session lives."""
    with read(engine) as connection:
        found = connection.execute(
            select(sessions.c.digest).where(
                sessions.c.digest == _digest(secret), sessions.c.expires_us > now_us
            )
        ).first()
    return found is not None


def close_session(engine: Engine, secret: str) -> None:
    """Ends a session at once."""
    with write(engine) as connection:
        connection.execute(delete(sessions).where(sessions.c.digest == _digest(secret)))
