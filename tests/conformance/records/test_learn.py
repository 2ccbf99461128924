import pytest
from sqlalchemy import event, select

from tollkeeper.identity.bindings import Statement, put
from tollkeeper.identity.learn import Learner
from tollkeeper.identity.ledger import CREDENTIAL, Ledger
from tollkeeper.identity.timeline import FOREVER_US, Owner, Span
from tollkeeper.store.records import write
from tollkeeper.store.tables import bindings

APP = "app_1"
NOW = 1_000_000


def learn(records, *pairs, learner=None):
    with write(records) as connection:
        block = [(credential, user, customer, NOW) for credential, user, customer in pairs]
        return (learner or Learner()).learn(connection, APP, block, NOW)


def owner(records, credential="t"):
    with write(records) as connection:
        timeline = Ledger(connection, APP).timeline(CREDENTIAL, credential)
    return timeline[0].owner if timeline else None


def rows(records):
    with write(records) as connection:
        return connection.execute(select(bindings).order_by(bindings.c.key)).all()


def test_an_event_with_token_and_user_teaches_the_pair_since_ever(records):
    assert learn(records, ("t", "alice", ""))
    with write(records) as connection:
        assert Ledger(connection, APP).timeline(CREDENTIAL, "t") == (
            Span(0, FOREVER_US, Owner("alice", ""), learned=True),
        )


def test_learning_the_same_again_changes_nothing(records):
    pairs = [("t", "alice", "acme"), ("s", "bob", ""), ("s", "carol", "")]
    learn(records, *pairs)
    before = rows(records)
    assert not learn(records, *pairs)
    assert rows(records) == before


def test_a_second_user_takes_the_binding_back_for_ever(records):
    learn(records, ("t", "alice", ""))
    learn(records, ("t", "bob", ""))
    assert owner(records) is None
    learn(records, ("t", "alice", ""))
    learn(records, ("t", "bob", ""))
    learn(records, ("t", "carol", ""))
    assert owner(records) is None


def test_two_users_in_one_block_are_ambiguous_for_later_blocks_too(records):
    learn(records, ("t", "alice", ""), ("t", "bob", ""))
    learn(records, ("t", "alice", ""))
    assert owner(records) is None


def test_a_second_customer_of_one_user_leaves_only_the_user(records):
    learn(records, ("t", "alice", "acme"))
    learn(records, ("t", "alice", "corp"))
    assert owner(records) == Owner("alice", "")
    learn(records, ("t", "alice", "acme"))
    assert owner(records) == Owner("alice", "")


def test_what_a_person_stated_is_never_touched(records):
    put(records, APP, [Statement(CREDENTIAL, "t", Owner("alice", "acme"))], NOW)
    before = rows(records)
    assert not learn(records, ("t", "bob", ""), ("t", "carol", "corp"))
    assert rows(records) == before


def test_a_person_may_state_an_owner_of_an_ambiguous_credential(records):
    learn(records, ("t", "alice", ""), ("t", "bob", ""))
    outcomes = put(records, APP, [Statement(CREDENTIAL, "t", Owner("carol", ""))], NOW)
    assert [outcome.result for outcome in outcomes] == ["created"]
    learn(records, ("t", "alice", ""))
    assert owner(records) == Owner("carol", "")


def test_pairs_without_user_or_with_text_no_database_holds_are_passed_over(records):
    odd = [("t", "", "acme"), ("", "alice", ""), ("s", "a\0b", ""), ("v", "x" * 9_000, "")]
    assert learn(records, *odd, ("u", "ok", ""))
    assert [row.key for row in rows(records)] == ["u"]


def test_a_pair_that_is_settled_costs_no_statement(records):
    learner = Learner()
    asked = []
    event.listen(
        records,
        "after_cursor_execute",
        lambda _c, _cursor, statement, *_: statement.startswith("BEGIN") or asked.append(statement),
    )
    for _ in range(3):
        learn(records, ("t", "alice", "acme"), learner=learner)
    assert asked
    asked.clear()
    assert not learn(records, ("t", "alice", "acme"), learner=learner)
    assert asked == []


def test_the_memo_is_bounded_and_keeps_what_is_in_use(records):
    learner = Learner(memo_pairs=10)
    learn(records, *((f"t{i}", "alice", "") for i in range(100)), learner=learner)
    for _ in range(2):
        learn(records, *((f"t{i}", "alice", "") for i in range(100)), learner=learner)
    assert 10 <= learner.settled_count <= 20


def test_what_was_rolled_back_is_learned_again(records):
    learner = Learner()

    def fail() -> None:
        with write(records) as connection:
            learner.learn(connection, APP, [("t", "alice", "", NOW)], NOW)
            learner.learn(connection, APP, [("t", "alice", "", NOW)], NOW)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert owner(records) is None
    assert learn(records, ("t", "alice", ""), learner=learner)
    assert owner(records) == Owner("alice", "")
