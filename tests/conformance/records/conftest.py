from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tollkeeper.store.records import open_migrated
from tollkeeper.testing import postgres


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A records database with its schema, of every kind that there is."""
    if request.param == "postgresql":
        address = postgres.shared().new_database()
    else:
        address = f"sqlite:///{tmp_path / 'records.db'}"
    engine = open_migrated(address)
    yield engine
    engine.dispose()
