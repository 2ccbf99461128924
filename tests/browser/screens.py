"""Takes the pictures of the documentation: `python tests/browser/screens.py [folder]`.

It starts a server of its own with a week of calls, walks through the pages in both themes, and
writes PNGs. Look at them: they find what no assertion finds.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tollkeeper.testing.server import ServerProcess

HERE = Path(__file__).resolve().parent
SIZE = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"screens_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_request(page: Page) -> None:
    """Open the first failed request and its response."""
    page.locator("tr[data-row]", has_text="POST").first.click()
    page.get_by_role("complementary", name="Request detail").get_by_role(
        "tab", name="Request", exact=True
    ).click()


def hover_chart(page: Page) -> None:
    """Put the pointer over the chart."""
    box = page.locator(".tk-plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + 90)


def type_filter(page: Page) -> None:
    """Show what the filter suggests."""
    page.get_by_role("combobox", name="Filter").fill("customer:")


def ask_palette(page: Page) -> None:
    """Search for a customer."""
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Search or jump to").fill("ac")


def open_sample(page: Page) -> None:
    """Open the first call of the sample history."""
    page.locator("tr[data-row]").filter(has=page.get_by_text("sample", exact=True)).first.click()


SHOTS: list[tuple[str, str, str, dict[str, int], Any]] = [
    ("connect-light", "/connect", "light", SIZE, None),
    ("requests-light", "/requests?range=7d", "light", SIZE, None),
    ("requests-dark", "/requests?range=7d", "dark", SIZE, None),
    ("request-detail-light", "/requests?range=7d&f=-user:ci-robot", "light", SIZE, open_request),
    ("request-detail-dark", "/requests?range=7d&f=status:>=500", "dark", SIZE, open_request),
    ("explore-start-light", "/explore?range=7d", "light", SIZE, None),
    ("explore-users-light", "/explore?range=7d&m=count&by=user&every=day", "light", SIZE, hover_chart),
    ("explore-users-dark", "/explore?range=7d&m=count&by=user", "dark", SIZE, hover_chart),
    ("explore-p95-dark", "/explore?range=7d&m=p95(duration_ms),count&by=request.route&every=day", "dark", SIZE, None),
    ("explore-table-dark", "/explore?range=7d&m=count,error_rate,p95(duration_ms)&by=request.route&view=table", "dark", SIZE, None),
    ("palette-dark", "/requests?range=7d", "dark", SIZE, ask_palette),
    ("phone-requests-light", "/requests?range=7d", "light", PHONE, None),
]  # fmt: skip

WITH_SAMPLES: list[tuple[str, str, str, dict[str, int], Any]] = [
    ("sample-history-light", "/requests?range=7d", "light", SIZE, None),
    ("sample-history-dark", "/requests?range=7d&f=customer:Acme", "dark", SIZE, open_sample),
]


def main(folder: Path) -> None:
    """Write all pictures into `folder`."""
    flags = _load("conftest").FLAGS
    traffic = _load("traffic")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        ServerProcess(Path(data)) as server,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        _shoot(browser, server, folder, ("connect-first-light", "/connect", "light", SIZE, None))
        with server.collector(timeout=120) as client:
            traffic.send(client, traffic.week(12_000))
        server.settle()
        for shot in SHOTS:
            _shoot(browser, server, folder, shot)
        with server.collector(timeout=120) as client:
            traffic.send(client, traffic.week(3000, seed=8), source="sample")
        server.settle()
        for shot in WITH_SAMPLES:
            _shoot(browser, server, folder, shot)
        browser.close()


def _shoot(
    browser: Any,
    server: ServerProcess,
    folder: Path,
    shot: tuple[str, str, str, dict[str, int], Any],
) -> None:
    name, path, scheme, size, act = shot
    context = browser.new_context(
        viewport=size,
        color_scheme=scheme,
        timezone_id="Europe/Berlin",
        locale="en-US",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{server.url}/login#token={server.admin_token}")
    page.get_by_role("heading", level=1, name="Sign in").wait_for(state="detached")
    page.goto(server.url + path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_timeout(1500)
    if act:
        act(page)
        page.wait_for_timeout(900)
    page.evaluate("() => document.fonts.ready")
    page.screenshot(path=str(folder / f"{name}.png"), animations="disabled", caret="hide")
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "docs" / "screenshots")
