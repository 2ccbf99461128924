"""The alias table: which user and customer a credential belongs to, and when."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine, Row

from tollkeeper.clock import Clock, format_us
from tollkeeper.errors import TooLarge
from tollkeeper.identity.alias import statement
from tollkeeper.identity.bindings import Place, listing, put
from tollkeeper.identity.ledger import CREDENTIAL
from tollkeeper.identity.timeline import FOREVER_US, SINCE_EVER_US
from tollkeeper.store.records import read
from tollkeeper.web.auth import Guard
from tollkeeper.web.page import Cursor, Limit, Word, application_id, cursor, place

MAX_ITEMS = 100_000


class AliasIn(BaseModel):
    """A credential and its owner; without a credential, a user and its customer.

    The credential is kept only as a keyed digest. Without ``valid_from`` the first alias of a
    credential holds since ever, and one with another owner takes over now. An alias with the start
    and owner of one that is there replaces that one's end.
    """

    credential: str | None = Field(None, description="The token or key itself.")
    credential_sha256: str | None = Field(None, description="Or its sha256 as 64 hex digits.")
    digest: str | None = Field(None, description="Or its keyed digest as events show it.")
    user: str | None = None
    customer: str | None = None
    valid_from: str | None = Field(None, description="RFC 3339; from this instant on.")
    valid_to: str | None = Field(None, description="RFC 3339; up to, not including.")


class AliasesIn(BaseModel):
    """Aliases to state, in order."""

    model_config = ConfigDict(extra="forbid")

    application: str | None = None
    aliases: Annotated[
        list[Any],
        Field(json_schema_extra={"items": AliasIn.model_json_schema(), "maxItems": MAX_ITEMS}),
    ]


class AliasResult(BaseModel):
    """What became of one item; a rejected one says why, and costs its neighbours nothing."""

    index: int
    result: Literal["created", "unchanged", "replaced", "rejected"]
    reason: str | None = None
    field: str | None = None
    detail: str | None = None


class AliasResults(BaseModel):
    """One result for each item, in order."""

    results: list[AliasResult]


class AliasOut(BaseModel):
    """One alias. No ``valid_from`` means since ever, no ``valid_to`` for ever.

    ``credential`` is the keyed digest, and null where a user's customer is stated. ``learned``
    tells that events or SDKs told it, not a person.
    """

    credential: str | None
    user: str
    customer: str
    valid_from: str | None
    valid_to: str | None
    learned: bool


class AliasList(BaseModel):
    """A page of aliases."""

    aliases: list[AliasOut]
    next_cursor: str | None


def shown(row: Row[Any]) -> AliasOut:
    """A row of the alias table as answers show it."""
    of_credential = row.kind == CREDENTIAL
    return AliasOut(
        credential=row.key if of_credential else None,
        user=row.user if of_credential else row.key,
        customer=row.customer,
        valid_from=None if row.valid_from_us == SINCE_EVER_US else format_us(row.valid_from_us),
        valid_to=None if row.valid_to_us == FOREVER_US else format_us(row.valid_to_us),
        learned=row.learned,
    )


def router(
    records: Engine, principal: Guard, *, pepper: bytes, clock: Clock, changed: Callable[[], None]
) -> APIRouter:
    """Routes under ``/api/aliases``; ``changed`` is called after aliases were stated."""
    routes = APIRouter(prefix="/api/aliases", tags=["aliases"], dependencies=[Depends(principal)])

    @routes.put("")
    def state(body: AliasesIn) -> AliasResults:
        """States whose credentials these are; past usage moves to its owner by itself."""
        if len(body.aliases) > MAX_ITEMS:
            raise TooLarge(f"more than {MAX_ITEMS} aliases in one request", field="aliases")
        application = application_id(records, body.application)
        statements = [statement(item, pepper) for item in body.aliases]
        outcomes = put(records, application, statements, clock.now_us())
        changed()
        return AliasResults(
            results=[AliasResult(index=i, **o._asdict()) for i, o in enumerate(outcomes)]
        )

    @routes.get("")
    def show(
        application: Word | None = None,
        credential: Annotated[Word | None, Query(description="A keyed digest.")] = None,
        user: Word | None = None,
        customer: Word | None = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> AliasList:
        """Lists the aliases that hold, held or will hold, those of credentials first."""
        filters = {"kind": CREDENTIAL, "key": credential} if credential else {}
        filters |= {n: v for n, v in (("user", user), ("customer", customer)) if v}
        after = Place(*place(cursor, str, str, int)) if cursor else None
        chosen = application_id(records, application)
        with read(records) as connection:
            rows = listing(connection, chosen, filters=filters, after=after, limit=limit + 1)
        return AliasList(
            aliases=[shown(row) for row in rows[:limit]], next_cursor=_next(rows, limit)
        )

    return routes


def _next(rows: list[Row[Any]], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursor(last.kind, last.key, last.valid_from_us)
