"""What is shipped: small, complete, free of foreign addresses, and made of checked sources."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from tollkeeper.web.ui import load

pytestmark = pytest.mark.browser


def entry_files(html: str, kind: str) -> list[str]:
    """The scripts or style sheets that the page asks for before anything else."""
    return re.findall(rf'(?:src|href)="(/assets/[^"]+\.{kind})"', html)


def test_first_load_stays_small(builder: ModuleType) -> None:
    assets = load(builder.OUTPUT)
    html = assets["/index.html"].body.decode()

    def packed_bytes(kind: str) -> int:
        return sum(len(assets[path].packed or b"") for path in entry_files(html, kind))

    assert 0 < packed_bytes("js") <= 270_000
    assert 0 < packed_bytes("css") <= 45_000


def test_page_has_no_inline_script_and_no_foreign_address(builder: ModuleType) -> None:
    html = (builder.OUTPUT / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"https?://", html) == []


def test_notices_of_all_bundled_packages_are_shipped(builder: ModuleType) -> None:
    notices = (builder.OUTPUT / "third-party-licenses.md").read_text()
    for package in ("react", "@mantine/core", "@tanstack/react-router", "uplot", "lucide-react"):
        assert re.search(rf"^#+ .*{re.escape(package)}\b", notices, re.MULTILINE), package


def test_lock_file_names_no_registry(builder: ModuleType) -> None:
    lock = (builder.UI / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "registry." not in lock


def test_build_is_recognised_as_fresh_by_content_alone(builder: ModuleType) -> None:
    assert not builder.stale()
    digest = builder.digest()
    (builder.UI / "index.html").touch()
    assert builder.digest() == digest


def test_nothing_is_left_that_the_linter_would_mend(builder: ModuleType) -> None:
    builder.run(["eslint", ".", "--max-warnings", "0"])


def test_types_check_and_pure_functions_keep_their_promises(builder: ModuleType) -> None:
    builder.run(["tsc", "--noEmit"])
    builder.run(["vite", "build", "--config", "vite.test.config.ts"])
    tests = sorted(str(path) for path in (builder.UI / ".test").glob("*.test.mjs"))
    assert tests
    builder.run(["node", "--test", *tests])
