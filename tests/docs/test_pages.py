"""The pages build without a warning, and no link leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("index.html"))
    assert len(pages) > 30
    assert [page for page in pages if "generated:" in page.read_text("utf-8")] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f" {page}\n" not in navigation] == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_links_in_the_repository_lead_somewhere(name: str, pages: dict[str, Any]) -> None:
    targets = re.findall(r"\]\(([^)#]+)", pages[name].text)
    local = [target for target in targets if not target.startswith("https://")]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_pages_name_no_machine_and_no_work_in_progress(pages: dict[str, Any]) -> None:
    words = re.compile(r"\bTODO\b|\bFIXME\b|/work/|/home/|\bcoming soon\b", re.IGNORECASE)
    assert [page.name for page in pages.values() if words.search(page.text)] == []
