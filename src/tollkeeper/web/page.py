"""What lists have in common: which application is meant, and where the next page begins."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import Engine

from tollkeeper.errors import InvalidInput, NotFound
from tollkeeper.identity import applications
from tollkeeper.identity.attributes import storable

# NUL is the one character that PostgreSQL cannot look for.
Word = Annotated[str, Query(max_length=512, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=8192)]


def application_id(records: Engine, asked: str | None) -> str:
    """The id of the application that is meant: the one asked for, else the first.

    Raises:
        NotFound: there is none of that id.
    """
    for known in applications.listing(records):
        if asked is None or known.id == asked:
            return known.id
    raise NotFound("there is no such application", field="application")


def cursor(*place: str | int) -> str:
    """The text by which the page after this place is asked for."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode()


def place(text: str, *kinds: type) -> tuple[Any, ...]:
    """The place in a cursor, with values of these kinds.

    Raises:
        InvalidInput: it is no cursor of this list.
    """
    try:
        found = json.loads(urlsafe_b64decode(text.encode("ascii")))
    except (ValueError, RecursionError) as error:
        raise _no_cursor() from error
    if not isinstance(found, list) or [type(value) for value in found] != list(kinds):
        raise _no_cursor()
    for value in found:
        if not (_findable(value) if isinstance(value, str) else abs(value) < 2**63):
            raise _no_cursor()
    return tuple(found)


def _findable(text: str) -> bool:
    """Whether every database can look for a text."""
    return "\0" not in text and storable(text) == text


def _no_cursor() -> InvalidInput:
    return InvalidInput("is not a cursor that this list gave", field="cursor")
