"""Event stores for tests: chDB opens one folder per process, so all share it, a database each."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from itertools import count

from tollkeeper.store.events import EventStore
from tollkeeper.store.open import open_events

_numbers = count(1)


@cache
def shared_folder() -> str:
    """The one chDB folder of this process, removed at its end."""
    folder = tempfile.mkdtemp(prefix="tollkeeper-chdb-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def new_event_store() -> EventStore:
    """An empty event store; close it, and its database stays behind for nobody."""
    return open_events(f"chdb://{shared_folder()}", database=f"test_{next(_numbers)}")
