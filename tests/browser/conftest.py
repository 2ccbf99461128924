"""A real server, a real Chromium, and a page that watches what should never happen."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tollkeeper.testing.server import ServerProcess

# A page asks several questions at once; on a busy machine the first answers take their time.
expect.set_options(timeout=20_000)

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SAMPLES = 60
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


def module(name: str, path: Path) -> ModuleType:
    """A module by its file, for scripts that are in no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


traffic = module("browser_traffic", Path(__file__).with_name("traffic.py"))


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    """The build script, with its packages installed and the dashboard up to date."""
    found = module("ui_build", ROOT / "ui" / "build.py")
    if found.stale():
        found.build()
    found.install()
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; its absence is a failure, since nothing here means anything without it.

    One for each module and not for the session: while Playwright's synchronous API is on, an event
    loop runs in this thread, and tests elsewhere that call `asyncio.run` would be refused.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "the browser tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def empty_server(
    builder: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server that nobody sends anything to, except its own test."""
    with ServerProcess(tmp_path_factory.mktemp("empty")) as server:
        yield server


@pytest.fixture(scope="session")
def server(
    builder: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with a week of calls, and some sample history among them."""
    with ServerProcess(tmp_path_factory.mktemp("week")) as running:
        with running.collector() as client:
            traffic.send(client, traffic.week(1500))
            traffic.send(client, traffic.week(SAMPLES, seed=8), source="sample")
        running.settle()
        yield running


class Visit:
    """A visitor's page together with all that went wrong on it."""

    def __init__(self, page: Page, server: ServerProcess) -> None:
        self.page = page
        self.server = server
        self.faults: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.route("**/*", self._watched)

    def log_in(self) -> None:
        """Follow the admin link."""
        self.page.goto(f"{self.server.url}/login#token={self.server.admin_token}")
        self.page.get_by_role("heading", level=1, name="Sign in").wait_for(state="detached")

    def open(self, path: str) -> Page:
        """Go to a path of the dashboard and wait until its heading is there."""
        self.page.goto(self.server.url + path)
        self.page.get_by_role("heading", level=1).wait_for()
        return self.page

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.text} {message.location.get('url', '')}")

    def _watched(self, route: Any) -> None:
        if urlsplit(route.request.url).netloc != urlsplit(self.server.url).netloc:
            self.faults.append(f"asked another host: {route.request.url}")
            route.abort()
        else:
            route.continue_()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Any]]:
    """Opens a fresh, logged-in visitor; console errors or foreign requests fail the test at its end."""
    visits: list[Visit] = []

    @contextmanager
    def opened(server: ServerProcess, **options: Any) -> Iterator[Visit]:
        options = {"viewport": {"width": 1280, "height": 860}, **options}
        context = browser.new_context(
            timezone_id="Europe/Berlin", locale="en-US", reduced_motion="reduce", **options
        )
        context.set_default_timeout(20_000)
        found = Visit(context.new_page(), server)
        visits.append(found)
        found.log_in()
        yield found
        context.close()

    yield opened
    assert [fault for one in visits for fault in one.faults] == []


@pytest.fixture(scope="session")
def axe(builder: ModuleType) -> Callable[[Page], list[str]]:
    """What axe-core finds on a page, as readable lines."""
    source = (ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text()

    def check(page: Page) -> list[str]:
        page.evaluate(source)
        found = page.evaluate(f"() => axe.run(document, {{runOnly: {RULES!r}}})")
        return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]

    return check
