"""What people come for, walked through by roles and labels only."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tollkeeper.testing.server import ServerProcess

pytestmark = pytest.mark.browser


def test_first_event_turns_the_waiting_page_green_and_leads_to_its_request(
    empty_server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(empty_server) as visitor:
        page = visitor.page
        expect(page.get_by_role("heading", level=1)).to_have_text("Connect")
        expect(page).to_have_title("Connect · Tollkeeper")
        expect(page.get_by_text("Waiting for the first event")).to_be_visible()
        expect(page.get_by_role("tabpanel")).to_contain_text(empty_server.collector_id)
        expect(page.get_by_role("tabpanel")).to_contain_text(empty_server.url)

        event = {
            "request": {
                "time": "2026-11-20T12:00:00.000Z",
                "verb": "POST",
                "uri": "https://api.test/v1/first",
            },
            "response": {"time": "2026-11-20T12:00:00.012Z", "status": 201},
            "user_id": "ada",
        }
        with empty_server.collector() as client:
            assert client.post("/v1/events", json=event).status_code == 201
        expect(page.get_by_role("heading", name="Event received")).to_be_visible()
        expect(page.get_by_role("status").first).to_contain_text("/v1/first")

        page.get_by_role("link", name="Look at the request").click()
        detail = page.get_by_role("complementary", name="Request detail")
        expect(detail).to_contain_text("/v1/first")
        expect(detail).to_contain_text("ada")
        expect(page.get_by_role("heading", level=1)).to_have_text("Requests")


def test_test_request_of_the_connect_page_arrives(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/connect")
        expect(page.get_by_role("heading", name="Events are arriving")).to_be_visible()
        page.get_by_role("button", name="Send a test request for me").click()
        expect(page.get_by_role("heading", name="Event received")).to_be_visible()
        expect(page.get_by_role("status").first).to_contain_text("hello-tollkeeper")


def test_a_filter_is_in_the_url_and_survives_a_reload(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/requests?range=7d&live=0")
        box = page.get_by_role("combobox", name="Filter")
        box.fill("status:>=500")
        box.press("Enter")
        expect(page.get_by_role("button", name="Edit filter: status ≥ 500")).to_be_visible()
        expect(page).to_have_url(re.compile(r"f=status:%3E=500"))
        rows = page.get_by_role("table").locator("tbody tr[data-row]")
        expect(rows.first).to_contain_text(re.compile("50[03]"))
        before = rows.all_inner_texts()
        assert all(re.search(r"\t50[03]\t", text) for text in before), before[0]

        page.reload()
        expect(page.get_by_role("button", name="Edit filter: status ≥ 500")).to_be_visible()
        expect(rows.first).to_be_visible()
        assert rows.all_inner_texts() == before

        page.go_back()
        expect(page.get_by_role("button", name="Edit filter: status ≥ 500")).to_have_count(0)


@pytest.mark.parametrize("path", ["/requests?range=7d&live=0", "/explore?range=7d&m=count&by=user"])
def test_sample_history_says_so_until_it_is_left_out(
    path: str, server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor, server.client() as client:
        condition = {"field": "source", "op": "eq", "value": "sample"}
        question = {"from": "-7d", "metrics": [{"fn": "count"}], "filter": condition}
        count = client.post("/api/query", json=question).json()["totals"][0]
        page = visitor.open(path)
        expect(page.get_by_text(f"{count} of these calls are sample history")).to_be_visible()
        page.get_by_role("button", name="Leave out").click()
        expect(page).to_have_url(re.compile(r"f=-source:sample"))
        expect(page.get_by_text("sample history")).to_have_count(0)
        page.reload()
        expect(page.get_by_role("button", name="Edit filter: source is not sample")).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(page.get_by_text("sample history")).to_have_count(0)
        page.go_back()
        expect(page.get_by_text("sample history")).to_be_visible()


def test_a_call_of_the_sample_history_is_marked_in_list_and_detail(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/requests?range=7d&live=0&f=source:sample")
        rows = page.get_by_role("table").locator("tbody tr[data-row]")
        expect(rows.first.get_by_text("sample", exact=True)).to_be_visible()
        rows.first.get_by_role("link").click()
        heading = page.get_by_role("complementary", name="Request detail").get_by_role("heading")
        expect(heading.first.get_by_text("sample", exact=True)).to_be_visible()
        page = visitor.open("/requests?range=7d&live=0&f=-source:sample")
        expect(rows.first).to_be_visible()
        expect(rows.get_by_text("sample", exact=True)).to_have_count(0)


@pytest.mark.parametrize("width_px", [1280, 390])
def test_a_snippet_stays_in_its_box_and_is_copied_whole(
    width_px: int, server: ServerProcess, visit: Callable[..., Any]
) -> None:
    allowed = {"permissions": ["clipboard-read", "clipboard-write"]}
    with visit(server, viewport={"width": width_px, "height": 860}, **allowed) as visitor:
        page = visitor.open("/connect")
        box = page.get_by_label("Add the middleware", exact=True)
        expect(box).to_contain_text(server.collector_id)
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
        page.get_by_role("button", name="Copy: Add the middleware").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert f'    application_id="{server.collector_id}",\n    url="{server.url}",\n' in copied
        selected = box.evaluate(
            "box => { getSelection().selectAllChildren(box); return `${getSelection()}` }"
        )
        assert selected.strip() == copied.strip()


def test_a_live_call_enters_the_list_and_rows_can_be_walked_by_keys(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/requests?f=user:live-caller")
        expect(page.get_by_role("heading", name="No request matches this filter")).to_be_visible()
        expect(page.get_by_role("button", name="Live", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        page.wait_for_timeout(500)
        with server.collector() as client:
            for path in ("one", "two"):
                uri = f"https://api.test/live/{path}"
                now = page.evaluate("() => new Date().toISOString()")
                event = {
                    "request": {"time": now, "verb": "GET", "uri": uri, "route": f"/live/{path}"},
                    "response": {"time": now, "status": 200},
                    "user_id": "live-caller",
                }
                assert client.post("/v1/events", json=event).status_code == 201
        table = page.get_by_role("region", name="Requests", exact=True)
        expect(table).to_contain_text("/live/one")
        expect(table).to_contain_text("/live/two")

        page.keyboard.press("j")
        detail = page.get_by_role("complementary", name="Request detail")
        expect(detail).to_contain_text("/live/two")
        page.keyboard.press("j")
        expect(detail).to_contain_text("/live/one")
        expect(page).to_have_url(re.compile("sel="))
        page.keyboard.press("Escape")
        expect(detail).to_have_count(0)


def test_calls_by_user_shows_the_numbers_of_the_api(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    question = {"from": "-7d", "metrics": [{"fn": "count"}], "group_by": ["user"], "limit": 10}
    with visit(server) as visitor, server.client() as client:
        page = visitor.open("/explore?range=7d&f=-user:test-user+-user:live-caller")
        page.get_by_role("button", name=re.compile("^Calls by user")).click()
        expect(page.get_by_role("heading", name="Calls by user")).to_be_visible()
        table = page.get_by_role("region", name="Numbers").get_by_role("table")
        expect(table.get_by_role("rowheader", name="maria@acme.io")).to_be_visible()
        condition = {"and": [{"field": "user", "op": "nin", "value": ["test-user", "live-caller"]}]}
        answer = client.post("/api/query", json={**question, "filter": condition}).json()
        wanted = [(row[0], f"{row[1]:,}") for row in answer["rows"] if row[0]]
        shown = [
            (name, calls.split("\t")[0].strip())
            for name, calls in (
                (
                    row.get_by_role("rowheader").inner_text(),
                    row.get_by_role("cell").first.inner_text(),
                )
                for row in table.locator("tbody tr").all()
            )
        ]
        assert [pair for pair in shown if pair[0] not in ("Other", "(no user)")] == wanted
        total = table.locator("tfoot").get_by_role("cell").first
        expect(total).to_have_text(f"{answer['totals'][0]:,}")


def test_a_chart_can_be_read_as_a_table_and_with_arrow_keys(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/explore?range=7d&every=day&m=count")
        chart = page.get_by_role("figure", name="Calls")
        cursor = chart.get_by_role("slider")
        cursor.focus()
        cursor.press("End")
        expect(cursor).to_have_attribute("aria-valuetext", re.compile(r"\(so far\): Calls \d"))
        chart.get_by_role("button", name="View as table").click()
        expect(chart.get_by_role("row")).to_have_count(9)
        expect(chart.get_by_role("rowheader").last).to_contain_text("2026")


def test_dragging_over_the_histogram_zooms_and_back_returns(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/requests?range=7d&live=0")
        box = page.get_by_role("slider", name="Requests over time: position in time").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 300, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 500, box["y"] + 40, steps=4)
        page.mouse.up()
        expect(page).to_have_url(re.compile(r"range=\d{4}-\d\d-\d\dt"))
        page.go_back()
        expect(page).to_have_url(re.compile("range=7d"))


def test_the_theme_is_remembered_and_there_before_the_first_paint(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server, color_scheme="light") as visitor:
        page = visitor.open("/requests")
        page.get_by_role("button", name="Theme").click()
        page.get_by_role("menuitem", name="Dark").click()
        shade = "() => document.documentElement.dataset.mantineColorScheme"
        assert page.evaluate(shade) == "dark"
        page.goto(server.url + "/explore", wait_until="commit")
        page.wait_for_function(f"() => ({shade})() !== undefined")
        assert page.evaluate(shade) == "dark"


def test_unknown_words_in_a_link_are_dropped_with_a_note(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/requests?range=nonsense&colour=red&f=status:200")
        expect(page.get_by_text("Part of this link was left out")).to_be_visible()
        expect(page.get_by_text("range, colour")).to_be_visible()
        expect(page.get_by_role("button", name="Edit filter: status is 200")).to_be_visible()
        expect(page).to_have_url(re.compile(r"/requests\?f=status:200$"))


def test_the_palette_finds_a_customer_and_opens_their_requests(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/explore")
        page.keyboard.press("Control+k")
        search = page.get_by_role("dialog").get_by_label("Search or jump to")
        search.fill("Umbre")
        expect(page.get_by_text("customer · ")).to_be_visible()
        search.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Requests")
        expect(page.get_by_role("button", name="Edit filter: customer is Umbrella")).to_be_visible()


def test_keys_go_to_pages_and_focus_lands_on_the_heading(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/requests")
        page.keyboard.press("g")
        page.keyboard.press("e")
        heading = page.get_by_role("heading", level=1, name="Explore")
        expect(heading).to_be_focused()
        expect(page).to_have_title("Explore · Tollkeeper")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_without_a_session_a_link_asks_to_sign_in_and_comes_back(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        visitor.page.context.clear_cookies()
        page = visitor.open("/explore?m=count&by=customer")
        expect(page.get_by_role("heading", level=1, name="Sign in to Tollkeeper")).to_be_visible()
        page.get_by_label("Admin token").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("This token is not valid")).to_be_visible()
        page.get_by_label("Admin token").fill(server.admin_token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Calls by customer")).to_be_visible()
        # The browser itself reports each 401 to the console; that is not a fault of the page.
        visitor.faults[:] = [fault for fault in visitor.faults if "401" not in fault]


def test_csv_holds_the_table_on_the_screen(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open(
            "/explore?range=7d&m=count,p95(duration_ms)&by=request.route&view=table"
        )
        rows = page.get_by_role("region", name="Numbers").locator("tbody tr")
        expect(rows.first).to_be_visible()
        names = [row.get_by_role("rowheader").inner_text() for row in rows.all()]
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        assert re.fullmatch(
            r"explore_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d_Europe-Berlin\.csv",
            download.value.suggested_filename,
        )
        lines = download.value.path().read_text().splitlines()
        assert lines[0] == "route,count,p95(duration_ms)"
        assert [line.split(",")[0] for line in lines[1:]] == names


def test_silence_for_a_minute_brings_a_diagnosis(
    builder: Any, tmp_path: Path, visit: Callable[..., Any]
) -> None:
    with ServerProcess(tmp_path / "silent") as silent, visit(silent) as visitor:
        visitor.page.clock.install()
        page = visitor.open("/connect")
        expect(page.get_by_text("Waiting for the first event")).to_be_visible()
        expect(page.get_by_role("region", name="Diagnosis")).to_have_count(0)
        page.clock.fast_forward(61_000)
        diagnosis = page.get_by_role("region", name="Diagnosis")
        expect(diagnosis).to_contain_text("The collector is accepting events")
        expect(diagnosis).to_contain_text("Is the id complete?")


def test_the_numbers_lead_to_the_requests_behind_them(
    server: ServerProcess, visit: Callable[..., Any]
) -> None:
    with visit(server) as visitor:
        page = visitor.open("/explore?range=7d&m=count&by=customer&view=table")
        page.get_by_role("link", name="Requests of Globex").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Requests")
        expect(page).to_have_url(re.compile(r"range=7d"))
        expect(page.get_by_role("button", name="Edit filter: customer is Globex")).to_be_visible()
        expect(page.get_by_role("table").locator("tbody tr[data-row]").first).to_contain_text(
            "Globex"
        )
