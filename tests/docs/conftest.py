"""What documentation says, as data: pages with their generated parts, and the blocks in them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from tollkeeper.testing.program import Program
from tollkeeper.testing.server import ServerProcess
from tollkeeper.testing.tally import Tally

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```([a-z]*)(?: title=\"([^\"]*)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    title: str
    text: str


class Page(NamedTuple):
    """A page as readers see it, by its path from the root."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def blocks(self) -> list[Block]:
        return [Block(*found) for found in _FENCE.findall(self.text)]

    def section(self, heading: str) -> Page:
        """The part under a heading, up to the next heading of any level."""
        _, _, rest = self.text.partition(f"# {heading}\n")
        assert rest, f"{self.name} has no heading {heading}"
        return Page(self.path, re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0])


@pytest.fixture(scope="session")
def generated() -> ModuleType:
    """The module that fills pages when the documentation is built."""
    spec = importlib.util.spec_from_file_location("generated", DOCS / "tools" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def pages(generated: ModuleType) -> dict[str, Page]:
    paths = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
    found = [Page(path, generated.fill(path.read_text("utf-8"))) for path in paths]
    return {page.name: page for page in found}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as running:
        yield running


@pytest.fixture
def tally(server: ServerProcess) -> Iterator[Tally]:
    with Tally(server) as asking:
        yield asking


@pytest.fixture
def run(tmp_path: Path, server: ServerProcess) -> Iterator[Callable[..., Program]]:
    """Starts a program in the test's folder that finds the server in its environment."""
    started: list[Program] = []

    def start(*command: str | Path) -> Program:
        program = Program(
            command,
            tmp_path / f"program-{len(started)}.log",
            folder=tmp_path,
            TOLLKEEPER_APPLICATION_ID=server.collector_id,
            TOLLKEEPER_URL=server.url,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.stop()
