"""Counters and progress: they move together or not at all."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from tollkeeper.ingest.normalise import MAX_ID_BYTES
from tollkeeper.store import counters, progress
from tollkeeper.store.progress import Progress
from tollkeeper.store.records import open_migrated, read, write
from tollkeeper.store.tables import counters as counters_table
from tollkeeper.testing import postgres
from tollkeeper.testing.calls import START_US, call

DAY_US = 86_400_000_000


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Engine]:
    engine = open_migrated(f"sqlite:///{tmp_path / 'records.db'}")
    yield engine
    engine.dispose()


def test_progress_remembers_the_block_under_way_until_it_is_finished(records: Engine) -> None:
    assert progress.load(records) == Progress(0, None)
    progress.begin(records, 1, 7)
    assert progress.load(records) == Progress(0, (1, 7))
    with write(records) as connection:
        assert progress.stored_position(connection) == 0
        progress.finish(connection, 7)
        assert progress.stored_position(connection) == 7
    assert progress.load(records) == Progress(7, None)


def test_what_is_rolled_back_moved_nothing(records: Engine) -> None:
    progress.load(records)
    progress.begin(records, 1, 2)

    def fail_at_the_end() -> None:
        with write(records) as connection:
            counters.add(connection, counters.tally([call()]))
            progress.finish(connection, 2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    assert progress.load(records) == Progress(0, (1, 2))
    with read(records) as connection:
        assert counters.totals(connection) == {}


def test_counts_add_up_by_application_over_blocks(records: Engine) -> None:
    for number in range(3):
        events = [call(id=str(number), weight=5), call(id=f"x{number}", application="other")]
        with write(records) as connection:
            counters.add(connection, counters.tally(events))
    with read(records) as connection:
        assert counters.totals(connection) == {"app_test": (15, 3), "other": (3, 3)}


def test_a_day_ends_at_midnight_utc_to_the_microsecond() -> None:
    midnight = START_US - START_US % DAY_US
    days = [
        caller.day for at in (midnight - 1, midnight) for caller in counters.tally([call(time=at)])
    ]
    assert days == [midnight // DAY_US - 1, midnight // DAY_US]


@pytest.mark.parametrize(
    ("user", "customer", "kept"),
    [("", "", "digest"), ("ann", "", "digest"), ("", "acme", "digest"), ("ann", "acme", "")],
)
def test_the_credential_counts_only_where_it_can_still_move_the_usage(
    user: str, customer: str, kept: str
) -> None:
    event = call(captured_user=user, captured_customer=customer, credential="digest")
    (caller,) = counters.tally([event])
    assert caller.credential == kept


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9)), max_size=30), st.integers(0, 30)
)
def test_a_tally_in_two_parts_is_the_tally_of_the_whole(
    said: list[tuple[str, int]], cut: int
) -> None:
    events = [call(captured_user=user, weight=weight) for user, weight in said]
    whole = counters.tally(events)
    parts = [counters.tally(events[:cut]), counters.tally(events[cut:])]
    for caller, (calls, count) in whole.items():
        found = [part.get(caller, (0, 0)) for part in parts]
        assert (calls, count) == (sum(f[0] for f in found), sum(f[1] for f in found))


def test_a_count_beyond_32_bits_is_kept(records: Engine) -> None:
    for _ in range(2):
        with write(records) as connection:
            counters.add(connection, dict.fromkeys(counters.tally([call()]), (2**40, 2**33)))
    with read(records) as connection:
        assert connection.execute(select(counters_table.c.calls)).scalar_one() == 2**41


def test_an_error_never_tells_the_values_of_its_statement(records: Engine) -> None:
    with pytest.raises(SQLAlchemyError) as failed, write(records) as connection:
        connection.exec_driver_sql("INSERT INTO no_such_table VALUES (?)", ("sk_live_1",))
    assert "sk_live_1" not in str(failed.value)


@pytest.mark.service
def test_the_longest_ids_fit_the_index_of_postgresql() -> None:
    engine = open_migrated(postgres.shared().new_database())
    dice = random.Random(1)

    def longest() -> str:
        # Such that no compression helps.
        return "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(MAX_ID_BYTES // 3))

    event = call(captured_user=longest(), captured_customer=longest(), credential="d" * 32)
    with write(engine) as connection:
        counters.add(connection, counters.tally([event, event._replace(captured_user="")]))
        assert counters.totals(connection) == {"app_test": (2, 2)}
    engine.dispose()
