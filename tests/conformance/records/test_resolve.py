from sqlalchemy import Engine

from tollkeeper.identity.resolve import Resolver
from tollkeeper.identity.timeline import FOREVER_US, Owner
from tollkeeper.store.records import write
from tollkeeper.store.tables import bindings


def bind(
    records: Engine, kind: str, key: str, start: int, end: int, user: str, customer: str
) -> None:
    with write(records) as connection:
        connection.execute(
            bindings.insert().values(
                application="app",
                kind=kind,
                key=key,
                valid_from_us=start,
                valid_to_us=end,
                user=user,
                customer=customer,
                learned=False,
                deleted=False,
                version=1,
            )
        )


def owner(resolver: Resolver, at_us: int, **captured: str) -> Owner:
    known = {"credential": "", "user": "", "customer": "", **captured}
    return resolver.owner("app", at_us=at_us, **known)  # type: ignore[arg-type]


def test_what_was_captured_wins_over_every_binding(records: Engine) -> None:
    bind(records, "credential", "c1", 0, FOREVER_US, "bob", "acme")
    resolver = Resolver(records)
    found = owner(resolver, 5, credential="c1", user="eve", customer="own")
    assert found == Owner("eve", "own")


def test_a_credential_belongs_to_its_owner_of_that_time(records: Engine) -> None:
    bind(records, "credential", "c1", 0, 100, "bob", "acme")
    bind(records, "credential", "c1", 100, FOREVER_US, "sue", "")
    bind(records, "user", "sue", 0, FOREVER_US, "", "corp")
    resolver = Resolver(records)
    assert owner(resolver, 99, credential="c1") == Owner("bob", "acme")
    assert owner(resolver, 100, credential="c1") == Owner("sue", "corp")
    assert owner(resolver, 100, credential="other") == Owner("", "")


def test_a_new_binding_counts_once_the_resolver_is_told_to_forget(records: Engine) -> None:
    resolver = Resolver(records)
    assert owner(resolver, 1, user="ann") == Owner("ann", "")
    bind(records, "user", "ann", 0, FOREVER_US, "", "acme")
    resolver.forget()
    assert owner(resolver, 1, user="ann") == Owner("ann", "acme")
