import threading

import pytest
from sqlalchemy import select

from tollkeeper.store.records import (
    insert_missing,
    last_version,
    read,
    replace_rows,
    take_versions,
    write,
)
from tollkeeper.store.tables import users


def user(version, **changes):
    row = {"application": "app", "id": "u", "attributes": "{}", "created_us": 1, "modified_us": 1}
    return {**row, "version": version, **changes}


def test_versions_go_up_and_none_is_taken_twice(records):
    with write(records) as connection:
        assert last_version(connection) == 0
        assert take_versions(connection) == 0
        assert take_versions(connection, 3) == 3
        assert take_versions(connection, 2) == 5
    with read(records) as connection:
        assert last_version(connection) == 5


def test_a_rolled_back_transaction_takes_no_versions(records):
    def fail() -> None:
        with write(records) as connection:
            take_versions(connection, 7)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with read(records) as connection:
        assert last_version(connection) == 0


def test_a_larger_version_is_never_visible_before_a_smaller_one(records):
    """A writer that has taken a version lets nobody else take the next before it commits."""
    taken: list[int] = []
    inside = threading.Event()
    release = threading.Event()

    def first() -> None:
        with write(records) as connection:
            taken.append(take_versions(connection, 1))
            inside.set()
            release.wait(10)
            taken.append(take_versions(connection, 1))

    def second() -> None:
        inside.wait(10)
        with write(records) as connection:
            taken.append(take_versions(connection, 1))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    assert inside.wait(10)
    threads[1].join(0.2)
    assert taken == [1]
    release.set()
    for thread in threads:
        thread.join(10)
    assert taken == [1, 2, 3]


def test_rows_replace_those_with_the_same_key(records):
    with write(records) as connection:
        replace_rows(connection, users, [user(1)])
        replace_rows(connection, users, [user(2, attributes='{"a":1}')])
        insert_missing(connection, users, [user(3), user(4, id="v")])
        rows = connection.execute(select(users).order_by(users.c.id)).all()
    assert [(row.id, row.version, row.attributes) for row in rows] == [
        ("u", 2, '{"a":1}'),
        ("v", 4, "{}"),
    ]
