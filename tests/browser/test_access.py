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


def choose_filter_value(page: Page) -> None:
    """Let the filter suggest values."""
    page.get_by_role("combobox", name="Filter").fill("customer:")
    page.get_by_role("option").filter(has_text="Acme").wait_for()
    page.keyboard.press("ArrowDown")


def search_palette(page: Page) -> None:
    """Find a customer in the command palette, and step to the second line."""
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Search or jump to").fill("ac")
    page.get_by_text("customer · ").first.wait_for()
    page.keyboard.press("ArrowDown")


def click(name: str, *, then: str) -> Callable[[Page], None]:
    """A click on the button of that name, which opens something of that role."""

    def opens(page: Page) -> None:
        page.get_by_role("button", name=name).first.click()
        page.get_by_role(then).last.wait_for()  # type: ignore[arg-type] - a role by its name

    return opens


def open_request_menu(page: Page) -> None:
    """The ways to copy one request."""
    page.get_by_role("table").get_by_role("link").first.click()
    click("Copy this request", then="menu")(page)


def open_interval(page: Page) -> None:
    """The choice of a chart's interval."""
    page.get_by_role("combobox", name="Interval").click()
    page.get_by_role("option", name="week").wait_for()


def open_stack(page: Page) -> None:
    """The choice of a way to connect, where there is no room for tabs."""
    page.get_by_role("combobox", name="Your stack").click()
    page.get_by_role("option", name="KrakenD").wait_for()


REQUESTS = "/requests?range=7d&live=0"
USERS = "/explore?range=7d&m=p95(duration_ms)&by=user"
OPENED: dict[str, tuple[str, str, Callable[[Page], None]]] = {
    "filter fields": (REQUESTS, "wide", lambda page: page.get_by_role("combobox", name="Filter").click()),
    "filter values": (REQUESTS, "wide", choose_filter_value),
    "palette": (REQUESTS, "wide", lambda page: page.keyboard.press("Control+k")),
    "palette with finds": (REQUESTS, "wide", search_palette),
    "palette, narrow": (REQUESTS, "narrow", search_palette),
    "applications": (REQUESTS, "wide", click("Application: ", then="menu")),
    "zones": (REQUESTS, "wide", click("Time zone: ", then="dialog")),
    "themes": (REQUESTS, "wide", click("Theme", then="menu")),
    "range": (REQUESTS, "wide", click("Time range: ", then="dialog")),
    "range, narrow": (REQUESTS, "narrow", click("Time range: ", then="dialog")),
    "copies": (REQUESTS, "wide", open_request_menu),
    "questions": (USERS, "wide", click("Questions", then="menu")),
    "metric": (USERS, "wide", click("Metric: ", then="dialog")),
    "field": (USERS, "wide", click("Field: ", then="listbox")),
    "group": (USERS, "wide", click("Add a group", then="listbox")),
    "interval": (USERS, "wide", open_interval),
    "stack": ("/connect", "narrow", open_stack),
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", OPENED)
def test_what_opens_over_a_page_is_accessible(
    name: str,
    scheme: str,
    server: ServerProcess,
    visit: Callable[..., Any],
    axe: Callable[[Page], list[str]],
) -> None:
    path, size, opens = OPENED[name]
    with visit(server, color_scheme=scheme, viewport=SIZES[size]) as visitor:
        page = visitor.open(path)
        page.wait_for_load_state("networkidle")
        opens(page)
        # Colours are measured after the fading in, of which reduced motion leaves a moment.
        page.wait_for_timeout(300)
        assert axe(page) == []
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= SIZES[size]["width"]


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
