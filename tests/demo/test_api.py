import asyncio

import httpx

from tollkeeper.demo.api import api as sample_api
from tollkeeper.demo.cast import OPAQUE_KEY


def test_a_bug_is_answered_with_word_that_the_connection_ends() -> None:
    async def ask() -> httpx.Response:
        # As uvicorn does: the bug comes through to the server, after the answer.
        transport = httpx.ASGITransport(sample_api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://sample") as client:
            return await client.get("/exports/7", headers={"authorization": f"Bearer {OPAQUE_KEY}"})

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.headers["connection"] == "close"
