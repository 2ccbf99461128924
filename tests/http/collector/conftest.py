import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tollkeeper.testing.server import ServerProcess

# The helper beside these tests is imported by its name alone, whatever runs first.
sys.path.insert(0, str(Path(__file__).parent))

from collecting import Collected


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    with ServerProcess(tmp_path_factory.mktemp("collector")) as server:
        found = Collected(server)
        yield found
        found.send.close()
        found.api.close()
