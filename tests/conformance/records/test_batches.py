"""However the same work is cut into transactions, the outcome is the same."""

from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.bindings import Statement, put_here
from tollkeeper.identity.learn import Learner
from tollkeeper.identity.ledger import CREDENTIAL, USER
from tollkeeper.identity.party import Item, apply_all
from tollkeeper.identity.timeline import Owner
from tollkeeper.store.records import read, write
from tollkeeper.store.tables import bindings, customers, subscriptions, users

PEPPER = b"p" * 32
NOW = 1_000
PARTIES = st.sampled_from(["", "a", "b"])
NAMES = st.sampled_from(["a", "b"])
TOKENS = st.sampled_from(["s", "t"])
INSTANTS = st.none() | st.integers(0, 30)
numbers = count(1)

stated = st.builds(
    Statement,
    st.just(CREDENTIAL),
    TOKENS,
    st.builds(Owner, NAMES, PARTIES),
    INSTANTS,
    st.none() | st.integers(31, 60),
) | st.builds(
    Statement, st.just(USER), NAMES, st.builds(Owner, st.just(""), NAMES), st.none(), st.none()
)
learned = st.tuples(TOKENS, PARTIES, PARTIES, st.just(5))
said = st.builds(
    Item,
    st.just("users"),
    st.fixed_dictionaries(
        {"user_id": NAMES | st.just([])},
        optional={
            "company_id": PARTIES,
            "session_token": TOKENS,
            "metadata": st.dictionaries(NAMES, st.integers(0, 3)),
        },
    ),
    st.integers(NOW, NOW + 5),
) | st.builds(
    Item,
    st.just("companies"),
    st.fixed_dictionaries({"company_id": PARTIES}, optional={"session_token": TOKENS}),
    st.integers(NOW, NOW + 5),
)


def everything(records, application):
    """All rows of an application, without their versions.

    A binding that came and went within one transaction was never written, so what is deleted
    counts only where it is the memory of an ambiguous credential.
    """
    with read(records) as connection:
        return [
            sorted(
                tuple(value for name, value in row._mapping.items() if name not in HIDDEN)
                for row in connection.execute(
                    select(table).where(table.c.application == application)
                )
                if table is not bindings or row.learned or not row.deleted
            )
            for table in (bindings, users, customers, subscriptions)
        ]


HIDDEN = {"version", "application"}
RELAXED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def parts(items, cuts):
    edges = sorted({0, len(items), *(cut for cut in cuts if cut < len(items))})
    return [items[a:b] for a, b in pairwise(edges)]


CUTS = st.sets(st.integers(0, 8), max_size=4)


def run_twice(records, items, cuts, work):
    """Does the work one by one, and cut into parts; gives what both left behind."""
    left = []
    for cut in (parts(items, range(len(items))), parts(items, cuts)):
        application = f"app_{next(numbers)}"
        for part in cut:
            with write(records) as connection:
                work(connection, application, part)
        left.append(everything(records, application))
    return left


@given(st.lists(stated, max_size=8), CUTS)
@RELAXED
def test_statements(records, items, cuts):
    one_by_one, in_parts = run_twice(
        records, items, cuts, lambda c, application, part: put_here(c, application, part, NOW)
    )
    assert one_by_one == in_parts


@given(st.lists(said, max_size=8), CUTS)
@RELAXED
def test_users_and_companies(records, items, cuts):
    one_by_one, in_parts = run_twice(
        records,
        items,
        cuts,
        lambda c, application, part: apply_all(c, application, part, pepper=PEPPER),
    )
    assert one_by_one == in_parts


@given(st.lists(learned, max_size=8), CUTS)
@RELAXED
def test_pairs_and_the_memory_of_a_learner(records, items, cuts):
    remembering = Learner(memo_pairs=2)

    one_by_one, in_parts = run_twice(
        records,
        items,
        cuts,
        lambda c, application, part: remembering.learn(c, application, part, 1),
    )
    assert one_by_one == in_parts


def test_wrong_items_cost_their_neighbours_nothing(records):
    items = [
        Item("users", {"user_id": "a"}, NOW),
        Item("users", {"user_id": []}, NOW),
        Item("companies", {"company_id": "c", "metadata": {"x": "y" * 70_000}}, NOW),
        Item("companies", {"company_id": "d"}, NOW),
    ]
    with write(records) as connection:
        errors = apply_all(connection, "app", items, pepper=PEPPER)
    assert [error and error.field for error in errors] == [None, "user_id", "metadata", None]
    assert all(isinstance(error, InvalidInput) for error in errors if error)
    _, people, companies, _ = everything(records, "app")
    assert [row[0] for row in people] == ["a"]
    assert [row[0] for row in companies] == ["d"]


@pytest.mark.parametrize("again", [False, True])
def test_a_thousand_users_need_a_handful_of_statements(records, again):
    items = [
        Item(
            "users",
            {"user_id": f"u{i}", "company_id": f"c{i % 9}", "session_token": f"s{i}"},
            NOW,
        )
        for i in range(1000)
    ]
    if again:
        with write(records) as connection:
            apply_all(connection, "app", items, pepper=PEPPER)
    asked = []
    event.listen(records, "after_cursor_execute", lambda *_: asked.append(1))
    with write(records) as connection:
        apply_all(connection, "app", items, pepper=PEPPER)
    assert len(asked) < 30
