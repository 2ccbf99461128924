import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Inspector, inspect, select

from tollkeeper.store.open import open_records
from tollkeeper.store.records import migrate, write
from tollkeeper.store.tables import applications, counters, metadata, totals
from tollkeeper.testing import postgres

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.service)]


@pytest.fixture(params=KINDS)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Makes empty databases of one kind."""
    engines: list[Engine] = []

    def make() -> Engine:
        if request.param == "postgresql":
            address = postgres.shared().new_database()
        else:
            address = f"sqlite:///{tmp_path / f'{len(engines)} 100%.db'}"
        engines.append(open_records(address))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def drawing(engine: Engine) -> dict[str, object]:
    """Everything that a database says of its tables."""
    inspector: Inspector = inspect(engine)
    return {
        name: {
            "columns": [
                {**column, "type": repr(column["type"])} for column in inspector.get_columns(name)
            ],
            "key": inspector.get_pk_constraint(name),
            "unique": inspector.get_unique_constraints(name),
            "indexes": sorted(inspector.get_indexes(name), key=lambda index: str(index["name"])),
            "foreign": inspector.get_foreign_keys(name),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }


def test_all_migrations_make_the_same_tables_as_the_code_draws(new_database):
    migrated, drawn = new_database(), new_database()
    migrate(migrated)
    metadata.create_all(drawn)
    assert drawing(migrated) == drawing(drawn)
    assert set(drawing(migrated)) == set(metadata.tables)


def test_alembic_finds_nothing_left_to_migrate(new_database):
    engine = new_database()
    migrate(engine)
    with write(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_keeps_what_is_there(new_database):
    engine = new_database()
    migrate(engine)
    row = {"id": "app_1", "name": "a", "collector_id": "c" * 50, "created_us": 1}
    with write(engine) as connection:
        connection.execute(applications.insert().values(**row))
    migrate(engine)
    with write(engine) as connection:
        assert connection.execute(select(applications.c.name)).scalars().all() == ["a"]


def test_what_was_counted_before_there_were_totals_is_in_them(new_database):
    engine = new_database()
    migrate(engine)
    row = {"day": 1, "captured_customer": "", "credential": "", "calls": 2, "events": 1}
    rows = [
        {"application": name, "captured_user": user, **row} for name in "ab" for user in ("x", "y")
    ]
    with write(engine) as connection:
        connection.execute(counters.insert(), rows)
        connection.execute(totals.delete())
        totals.drop(connection)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    migrate(engine)
    with write(engine) as connection:
        found = connection.execute(select(totals).order_by(totals.c.application)).all()
    assert [tuple(one) for one in found] == [("a", 4, 2), ("b", 4, 2)]


def test_a_migration_that_fails_leaves_nothing_behind(new_database):
    engine = new_database()
    with write(engine) as connection:
        # The last table of the first migration cannot be made: its name is taken.
        connection.exec_driver_sql("CREATE TABLE bindings (a INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["bindings"]


def test_processes_that_start_at_once_migrate_once(new_database):
    engine = new_database()
    failures: list[BaseException] = []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        try:
            migrate(engine)
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(drawing(engine)) == set(metadata.tables)
