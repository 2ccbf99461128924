import pytest
from sqlalchemy import select

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.bindings import Place, Statement, customers_of, listing, put
from tollkeeper.identity.ledger import CREDENTIAL, USER, Ledger
from tollkeeper.identity.timeline import FOREVER_US, Owner, Span
from tollkeeper.store.records import last_version, read, write
from tollkeeper.store.tables import bindings, customers, users

APP = "app_1"
NOW = 1_000_000


def token(key, user="", customer="", start=None, end=None):
    return Statement(CREDENTIAL, key, Owner(user, customer), start, end)


def timeline(records, kind, key, application=APP):
    with write(records) as connection:
        return Ledger(connection, application).timeline(kind, key)


def results(outcomes):
    return [outcome.result for outcome in outcomes]


def test_bindings_are_created_replaced_and_left_unchanged(records):
    first = [token("t1", "alice", "acme"), token("t2", "bob")]
    assert results(put(records, APP, first, NOW)) == ["created", "created"]
    assert results(put(records, APP, first, NOW + 1)) == ["unchanged", "unchanged"]
    assert results(put(records, APP, [token("t1", "carol", "corp")], NOW + 2)) == ["replaced"]
    assert timeline(records, CREDENTIAL, "t1") == (
        Span(0, NOW + 2, Owner("alice", "acme")),
        Span(NOW + 2, FOREVER_US, Owner("carol", "corp")),
    )


def test_what_is_unchanged_takes_no_version(records):
    put(records, APP, [token("t1", "alice", "acme")], NOW)
    with read(records) as connection:
        before = last_version(connection)
    put(records, APP, [token("t1", "alice", "acme")], NOW + 1)
    with read(records) as connection:
        assert last_version(connection) == before


def test_every_changed_row_has_a_version_of_its_own(records):
    put(records, APP, [token("t1", "a"), token("t2", "b"), token("t1", "c", start=5, end=9)], NOW)
    with read(records) as connection:
        versions = list(connection.execute(select(bindings.c.version)).scalars())
    assert len(set(versions)) == len(versions) == 4


def test_a_covered_binding_stays_as_a_deleted_row_with_a_new_version(records):
    put(records, APP, [token("t", "a", start=10, end=20)], NOW)
    put(records, APP, [token("t", "b", start=5, end=30)], NOW)
    with read(records) as connection:
        rows = connection.execute(select(bindings).order_by(bindings.c.valid_from_us)).all()
    assert [(row.valid_from_us, row.user, row.deleted) for row in rows] == [
        (5, "b", False),
        (10, "a", True),
    ]
    assert timeline(records, CREDENTIAL, "t") == (Span(5, 30, Owner("b", "")),)


def test_a_rejected_item_costs_its_neighbours_nothing(records):
    outcomes = put(
        records,
        APP,
        [
            token("t1", "alice"),
            InvalidInput("is missing", field="credential", code="missing"),
            token("t2", "bob", start=10, end=10),
            token("t3", "carol"),
        ],
        NOW,
    )
    assert [(o.result, o.reason, o.field) for o in outcomes] == [
        ("created", None, None),
        ("rejected", "missing", "credential"),
        ("rejected", "empty_interval", "valid_to"),
        ("created", None, None),
    ]
    assert timeline(records, CREDENTIAL, "t2") == ()
    assert len(timeline(records, CREDENTIAL, "t3")) == 1


def test_a_credential_with_user_and_customer_teaches_the_users_customer_once(records):
    put(records, APP, [token("t1", "alice", "acme"), token("t2", "alice", "corp")], NOW)
    assert timeline(records, USER, "alice") == (Span(0, FOREVER_US, Owner("", "acme")),)


def test_the_same_credential_twice_in_one_bulk_is_applied_in_order(records):
    outcomes = put(records, APP, [token("t", "a"), token("t", "b"), token("t", "b")], NOW)
    assert results(outcomes) == ["created", "replaced", "unchanged"]
    assert timeline(records, CREDENTIAL, "t") == (
        Span(0, NOW, Owner("a", "")),
        Span(NOW, FOREVER_US, Owner("b", "")),
    )


def test_applications_do_not_see_each_others_bindings(records):
    put(records, APP, [token("t", "a")], NOW)
    put(records, "app_2", [token("t", "b")], NOW)
    assert timeline(records, CREDENTIAL, "t")[0].owner.user == "a"
    assert timeline(records, CREDENTIAL, "t", "app_2")[0].owner.user == "b"


def test_named_users_and_customers_are_known_from_then_on(records):
    put(records, APP, [token("t", "alice", "acme"), Statement(USER, "bob", Owner("", "corp"))], NOW)
    with read(records) as connection:
        assert sorted(connection.execute(select(users.c.id)).scalars()) == ["alice", "bob"]
        assert sorted(connection.execute(select(customers.c.id)).scalars()) == ["acme", "corp"]


def test_ten_thousand_aliases_need_ten_transactions_and_few_statements(records):
    from sqlalchemy import event

    counts = {"commit": 0, "statement": 0}
    event.listen(records, "commit", lambda _: counts.__setitem__("commit", counts["commit"] + 1))
    event.listen(
        records,
        "after_cursor_execute",
        lambda *_: counts.__setitem__("statement", counts["statement"] + 1),
    )
    items = [token(f"t{i}", f"user{i % 500}", f"customer{i % 50}") for i in range(10_000)]
    assert set(results(put(records, APP, items, NOW))) == {"created"}
    assert counts["commit"] == 10
    assert counts["statement"] < 400
    with read(records) as connection:
        rows = listing(connection, APP, filters={"kind": CREDENTIAL}, after=None, limit=20_000)
    assert len(rows) == 10_000


def test_the_list_goes_on_where_it_ended_and_filters(records):
    put(records, APP, [token(f"t{i}", "alice", "acme") for i in range(5)], NOW)
    put(records, APP, [token("t3", "bob", "corp", start=10, end=20)], NOW)
    seen = []
    after = None
    with read(records) as connection:
        while rows := listing(connection, APP, filters={}, after=after, limit=3):
            seen += [(row.kind, row.key, row.valid_from_us) for row in rows]
            after = Place(rows[-1].kind, rows[-1].key, rows[-1].valid_from_us)
        by_customer = listing(connection, APP, filters={"customer": "corp"}, after=None, limit=9)
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 5 + 2 + 2
    assert {row.key for row in by_customer} == {"t3", "bob"}


def test_a_users_customer_is_the_one_of_that_instant(records):
    moves = [Statement(USER, "alice", Owner("", name)) for name in ("acme", "corp")]
    put(records, APP, moves, NOW)
    with read(records) as connection:
        before = customers_of(connection, APP, ["alice", "bob"], NOW - 1)
        after = customers_of(connection, APP, ["alice", "bob"], NOW)
    assert (before, after) == ({"alice": "acme"}, {"alice": "corp"})


@pytest.mark.parametrize("start", [0, 123_456_789_012_345])
def test_times_come_back_to_the_microsecond(records, start):
    put(records, APP, [token("t", "a", start=start, end=start + 1)], NOW)
    assert timeline(records, CREDENTIAL, "t") == (Span(start, start + 1, Owner("a", "")),)
