"""A private PostgreSQL for tests: its own folder, a socket in it, no port, gone at the end.

PostgreSQL refuses to run as root, so root starts it as the user ``postgres`` that Debian's
package makes.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

_PLACES = (Path("/usr/lib/postgresql"), Path("/usr/local/pgsql"))
_OPTIONS = "-c listen_addresses= -c max_connections=40 -c shared_buffers=32MB"
_FORGETFUL = " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
_MISSING = "PostgreSQL's programs are missing; on Debian: apt-get install postgresql"


class Postgres:
    """A running server."""

    def __init__(self, *, durable: bool = False) -> None:
        """Makes a cluster in a new temporary folder and starts it.

        Tests need no durability and are faster without; a benchmark that compares with it does.

        Raises:
            RuntimeError: when the programs are missing or the server does not start; the text
                says which.
        """
        self._programs = _programs()
        # In /tmp because the path of a socket must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="tollkeeper-postgres-", dir="/tmp"))
        self._numbers = count(1)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._cluster = self.folder / "cluster"
        try:
            self._run(
                "initdb",
                "-D",
                str(self._cluster),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            )
            self._run(
                "pg_ctl",
                "-D",
                str(self._cluster),
                "-w",
                "-l",
                str(self.folder / "log"),
                "-o",
                f"{_OPTIONS}{'' if durable else _FORGETFUL} -k {self.folder}",
                "start",
            )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def new_database(self) -> str:
        """The address of an empty database, as SQLAlchemy takes it."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://postgres@/{name}?host={quote(str(self.folder), safe='')}"

    def stop(self) -> None:
        """Stops the server and removes its folder."""
        if self.folder.exists():
            self._run("pg_ctl", "-D", str(self._cluster), "-m", "immediate", "-w", "stop")
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        # Output goes to a file: the server inherits it, and a pipe would then never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603 - our own words only
                command, stdout=output, stderr=output, cwd="/", check=False, timeout=60
            )
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read().decode(errors='replace')}")


@cache
def shared() -> Postgres:
    """The one server of this process, started at its first use and stopped at its end."""
    server = Postgres()
    atexit.register(server.stop)
    return server


def _programs() -> Path:
    """The folder with initdb and pg_ctl, of the newest version that is installed."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    folders = [path.parent for place in _PLACES for path in place.glob("*/bin/pg_ctl")]
    if not folders:
        raise RuntimeError(_MISSING)
    return max(folders, key=_version)


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0
