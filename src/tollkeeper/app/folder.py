"""The data folder: made when it is not there, and claimed by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

import msgspec

from tollkeeper.errors import InvalidSettings

SERVER_FILE = "server.json"
_LOCK_FILE = "lock"


def claim(folder: Path) -> IO[bytes]:
    """Makes the folder if need be and locks it; closing what is returned gives it back.

    Raises:
        InvalidSettings: it cannot be made, read or written, or another process has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "no right to read and write there")
        lock = (folder / _LOCK_FILE).open("ab")
    except FileExistsError as error:
        raise InvalidSettings(f"{folder} is a file, not a folder", field="data") from error
    except OSError as error:
        raise InvalidSettings(
            f"cannot use the data folder {folder}: {error.strerror}", field="data"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise InvalidSettings(
            f"another process uses {folder}{_where(folder)}", field="data"
        ) from error
    return lock


def _where(folder: Path) -> str:
    """Where the server that has the folder listens, when it says so."""
    try:
        address = msgspec.json.decode((folder / SERVER_FILE).read_bytes())
        return f": a server at {address['url']}"
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return ""
