"""The article's application counts calls per partner against our server, its SDK unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tollkeeper.testing.program import Program
from tollkeeper.testing.relay import Relay
from tollkeeper.testing.tally import Tally

Run = Callable[..., Program]


def test_moesif_express_as_the_article_sets_it_up_counts_each_partner_and_company(
    run: Run, node: Path, partners: Any, tally: Tally, relay: Relay, counted_exactly: Any
) -> None:
    app = run("node", node / "article.js").wait_listening()
    partners.call(app.url)
    partners.call(app.url, "/accounts/42/message")
    assert httpx.get(f"{app.url}/accounts/abcdef/message").status_code == 401
    tally.wait_for(2 * partners.call_count)
    app.stop()

    assert tally.by("user") == {sub: 2 * count for sub, count in partners.calls.items()}
    counted_exactly(2 * partners.call_count)
    # The article's expression for the company takes the slashes along.
    assert tally.by("source", "status", "route", "customer") == {
        ("moesif", 200, "/accounts/abcdef/message", ""): partners.call_count,
        ("moesif", 200, "/accounts/{id}/message", "accounts/42/"): partners.call_count,
    }
    assert tally.by("credential").keys() == {event["credential"] for event in tally.events()}
    assert len(tally.by("credential")) == len(partners.tokens)
    assert relay.asked["GET /v1/config"] >= 1
    assert {e.agent for e in relay.exchanges if e.method == "POST"} == {"moesifapi-nodejs/2.1.9"}
    # A mistake of its own, with any server: it parses the answer that was parsed already.
    assert set(app.complaints) == {"moesif-express: error parsing config"}


@pytest.mark.parametrize("identify", ["article", "right"])
def test_moesif_nodejs_counts_each_partner_and_no_token_is_kept(
    identify: str,
    run: Run,
    node: Path,
    partners: Any,
    tally: Tally,
    relay: Relay,
    counted_exactly: Any,
) -> None:
    app = run("node", node / "today.js", IDENTIFY=identify).wait_listening()
    partners.call(app.url)
    tally.wait_for(partners.call_count)
    app.stop()

    assert tally.by("user") == partners.calls
    counted_exactly(partners.call_count)
    assert relay.asked["GET /v1/config"] >= 1
    assert relay.asked["GET /v1/rules"] >= 1
    sent = [e for e in relay.exchanges if e.method == "POST"]
    assert {(e.agent, e.encoding) for e in sent} == {("moesif-nodejs/3.11.0", "gzip")}
    assert app.complaints == []
    shown = repr(tally.events()) + tally.server.log
    signatures = [token.rpartition(".")[2] for token in partners.tokens.values()]
    assert [signature for signature in signatures if signature in shown] == []
