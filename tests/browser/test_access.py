"""Every page, both themes, wide and narrow: axe finds nothing, and nothing is wider than the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tollkeeper.testing.server import ServerProcess

pytestmark = pytest.mark.browser

PAGES = {
    "connect": "/connect",
    "requests": "/requests?range=7d&live=0",
    "nothing found": "/requests?f=user:nobody",
    "explore": "/explore?range=7d",
    "calls by user": "/explore?range=7d&m=count&by=user",
    "bars": "/explore?range=7d&m=count&by=user&view=bars",
    "table": "/explore?range=7d&m=count,error_rate,p95(duration_ms)&by=request.route&view=table",
}
SIZES = {"wide": {"width": 1280, "height": 860}, "narrow": {"width": 390, "height": 844}}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(
    name: str,
    scheme: str,
    size: str,
    server: ServerProcess,
    visit: Callable[..., Any],
    axe: Callable[[Page], list[str]],
) -> None:
    with visit(server, color_scheme=scheme, viewport=SIZES[size]) as visitor:
        page = visitor.open(PAGES[name])
        page.wait_for_load_state(
            "networkidle"
        ) if "requests" not in name else page.wait_for_timeout(800)
        assert axe(page) == []
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= SIZES[size]["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_detail_and_dialogs_are_accessible(
    scheme: str,
    server: ServerProcess,
    visit: Callable[..., Any],
    axe: Callable[[Page], list[str]],
) -> None:
    with visit(server, color_scheme=scheme) as visitor:
        page = visitor.open("/requests?range=7d&live=0")
        page.get_by_role("table").get_by_role("link").first.click()
        detail = page.get_by_role("complementary", name="Request detail")
        for tab in ("Summary", "Request", "Response", "Raw JSON"):
            detail.get_by_role("tab", name=tab, exact=True).click()
            detail.get_by_role("tabpanel").wait_for()
            assert axe(page) == [], tab
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Keyboard shortcuts").click()
        page.get_by_role("dialog").wait_for()
        assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sign_in_page_is_accessible(
    scheme: str,
    server: ServerProcess,
    visit: Callable[..., Any],
    axe: Callable[[Page], list[str]],
) -> None:
    with visit(server, color_scheme=scheme) as visitor:
        page = visitor.open("/login")
        assert axe(page) == []
