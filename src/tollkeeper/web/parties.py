"""The users and customers that are known, and what is known of each."""

import json
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import Connection, Engine, Row, Table, select

from tollkeeper.clock import Clock, format_us
from tollkeeper.errors import NotFound
from tollkeeper.identity import roster
from tollkeeper.identity.bindings import customers_of, listing
from tollkeeper.identity.ledger import USER
from tollkeeper.store.records import read
from tollkeeper.store.tables import customers, subscriptions, users
from tollkeeper.web.aliases import AliasOut, shown
from tollkeeper.web.auth import Guard
from tollkeeper.web.page import Cursor, Limit, Word, application_id, cursor, place

_ALIASES_SHOWN = 100


class CustomerOut(BaseModel):
    """A customer: the party that pays. Moesif says company."""

    id: str
    attributes: dict[str, Any]
    created_at: str
    modified_at: str


class UserOut(CustomerOut):
    """A user, with its customer of now."""

    customer: str


class CustomerList(BaseModel):
    """A page of customers in order of their ids."""

    customers: list[CustomerOut]
    next_cursor: str | None


class UserList(BaseModel):
    """A page of users in order of their ids."""

    users: list[UserOut]
    next_cursor: str | None


class SubscriptionOut(BaseModel):
    """A subscription of a customer, as an SDK sent it."""

    id: str
    status: str
    attributes: dict[str, Any]
    modified_at: str


class CustomerDetail(CustomerOut):
    """A customer with its subscriptions and the first hundred of its aliases."""

    subscriptions: list[SubscriptionOut]
    aliases: list[AliasOut]


class UserDetail(UserOut):
    """A user with its customers over time and the first hundred of its aliases."""

    customers: list[AliasOut]
    aliases: list[AliasOut]


def router(records: Engine, principal: Guard, *, clock: Clock) -> APIRouter:
    """Routes under ``/api/users`` and ``/api/customers``."""
    routes = APIRouter(tags=["users and customers"], dependencies=[Depends(principal)])

    @routes.get("/api/users")
    def list_users(
        application: Word | None = None,
        q: Word = "",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> UserList:
        """Lists users; ``q`` looks in their ids and attributes."""
        chosen = application_id(records, application)
        with read(records) as connection:
            rows, more = _page(connection, users, chosen, q, limit, cursor)
            ids = [row.id for row in rows]
            now = customers_of(connection, chosen, ids, clock.now_us())
        return UserList(
            users=[UserOut(**_known(row), customer=now.get(row.id, "")) for row in rows],
            next_cursor=more,
        )

    @routes.get("/api/customers")
    def list_customers(
        application: Word | None = None,
        q: Word = "",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> CustomerList:
        """Lists customers; ``q`` looks in their ids and attributes."""
        chosen = application_id(records, application)
        with read(records) as connection:
            rows, more = _page(connection, customers, chosen, q, limit, cursor)
        return CustomerList(
            customers=[CustomerOut(**_known(row)) for row in rows], next_cursor=more
        )

    @routes.get("/api/users/{user:path}")
    def show_user(user: str, application: Word | None = None) -> UserDetail:
        """Shows one user."""
        chosen = application_id(records, application)
        with read(records) as connection:
            row = _found(connection, users, chosen, user)
            now = customers_of(connection, chosen, [user], clock.now_us())
            return UserDetail(
                **_known(row),
                customer=now.get(user, ""),
                customers=_aliases(connection, chosen, {"kind": USER, "key": user}),
                aliases=_aliases(connection, chosen, {"user": user}),
            )

    @routes.get("/api/customers/{customer:path}")
    def show_customer(customer: str, application: Word | None = None) -> CustomerDetail:
        """Shows one customer."""
        chosen = application_id(records, application)
        with read(records) as connection:
            row = _found(connection, customers, chosen, customer)
            return CustomerDetail(
                **_known(row),
                subscriptions=_subscriptions(connection, chosen, customer),
                aliases=_aliases(connection, chosen, {"customer": customer}),
            )

    return routes


def _page(
    connection: Connection,
    table: Table,
    application: str,
    search: str,
    limit: int,
    after: str | None,
) -> tuple[list[Row[Any]], str | None]:
    rows = roster.listing(
        connection,
        table,
        application,
        search=search,
        after=place(after, str)[0] if after else None,
        limit=limit + 1,
    )
    more = cursor(rows[limit - 1].id) if len(rows) > limit else None
    return rows[:limit], more


def _found(connection: Connection, table: Table, application: str, party: str) -> Row[Any]:
    row = None if "\0" in party else roster.find(connection, table, application, party)
    if row is None:
        raise NotFound("nothing is known of it", field="id")
    return row


def _known(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "attributes": json.loads(row.attributes),
        "created_at": format_us(row.created_us),
        "modified_at": format_us(row.modified_us),
    }


def _aliases(connection: Connection, application: str, filters: dict[str, str]) -> list[AliasOut]:
    rows = listing(connection, application, filters=filters, after=None, limit=_ALIASES_SHOWN)
    return [shown(row) for row in rows]


def _subscriptions(
    connection: Connection, application: str, customer: str
) -> list[SubscriptionOut]:
    query = select(subscriptions).where(
        subscriptions.c.application == application, subscriptions.c.customer == customer
    )
    return [
        SubscriptionOut(
            id=row.id,
            status=row.status,
            attributes=json.loads(row.attributes),
            modified_at=format_us(row.modified_us),
        )
        for row in connection.execute(query.order_by(subscriptions.c.id).limit(1000))
    ]
