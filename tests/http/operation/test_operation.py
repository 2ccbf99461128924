import json

import httpx

from tollkeeper.testing.server import ServerProcess

CALL = {
    "request": {"time": "2026-01-05T10:00:00Z", "uri": "https://h.example/a", "verb": "GET"},
    "response": {"time": "2026-01-05T10:00:00.010Z", "status": 200},
}


def test_health_tells_live_and_ready_without_a_credential(server: ServerProcess) -> None:
    assert httpx.get(f"{server.url}/health/live").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/health/ready").json() == {"status": "ok"}


def test_status_counts_what_was_stored(server: ServerProcess) -> None:
    with server.client() as operator, server.collector() as sdk:
        before = operator.get("/api/status").json()
        sdk.post("/v1/events/batch", json=[{**CALL, "weight": 5}, CALL]).raise_for_status()
        server.settle()
        after = operator.get("/api/status").json()
        assert after["events_total"] - before["events_total"] == 2
        assert after["calls_total"] - before["calls_total"] == 6
        assert after["accepting"] is True
        assert after["journal"]["backlog_entries"] == 0


def test_losses_reported_by_a_host_are_counted_once_however_often_they_are_told(
    server: ServerProcess,
) -> None:
    with server.client() as operator, server.collector() as sdk:
        before = operator.get("/api/status").json()["dropped"].get("queue_full", 0)
        for lost in (3, 7, 7, 5):
            report = f'{{"instance": "one", "dropped": {{"queue_full": {lost}}}}}'
            sdk.post("/v1/events/batch", json=[CALL], headers={"x-tollkeeper-capture": report})
        server.settle()
        after = operator.get("/api/status").json()["dropped"]["queue_full"]
        assert after - before == 7


def test_quarantine_lists_the_reason_and_a_replay_that_fails_comes_back(
    server: ServerProcess,
) -> None:
    broken = {"request": {"time": "yesterday", "uri": "https://h.example/q"}}
    with server.client() as operator, server.collector() as sdk:
        answer = sdk.post("/v1/events/batch", json=[broken, CALL])
        assert answer.status_code == 201
        assert answer.json()["accepted"] == 1
        assert answer.json()["rejected"][0]["field"] == "request.time"
        server.settle()
        listed = operator.get("/api/quarantine").json()
        mine = [i for i in listed["items"] if "https://h.example/q" in i["content"]]
        assert [(i["reason"], i["field"]) for i in mine] == [("invalid_time", "request.time")]
        sent = operator.post("/api/quarantine/replay", json={"ids": [mine[0]["id"]]}).json()
        assert sent == {"replayed": 1}
        server.settle()
        again = operator.get("/api/quarantine").json()["items"]
        assert [i["seen_count"] for i in again if i["id"] == mine[0]["id"]] == [2]


def test_a_conflict_is_shown_and_the_first_one_stays(server: ServerProcess) -> None:
    with server.client() as operator, server.collector() as sdk:
        before = operator.get("/api/status").json()["conflicts"]["count"]
        first = {**CALL, "transaction_id": "said-twice"}
        headers = {"authorization": "Bearer sk_live_never_shown", "accept": "text/plain"}
        second = {**first, "request": {**CALL["request"], "verb": "POST", "headers": headers}}
        for said in (first, second, first):
            sdk.post("/v1/events/batch", json=[said]).raise_for_status()
            server.settle()
        assert operator.get("/api/events/said-twice").json()["request"]["method"] == "GET"
        answer = operator.get("/api/conflicts", params={"event_id": "said-twice"})
        (shown,) = answer.json()["items"]
        assert (shown["event_id"], shown["content"]["method"]) == ("said-twice", "POST")
        assert "sk_live_never_shown" not in answer.text
        assert answer.json()["count"] == before + 1
        assert operator.get("/api/status").json()["conflicts"]["count"] == before + 1


def test_a_recount_agrees_with_rollups_and_counters(server: ServerProcess) -> None:
    with server.client() as operator, server.collector() as sdk:
        sdk.post("/v1/events/batch", json=[CALL] * 3).raise_for_status()
        server.settle()
        answer = operator.post("/api/recount").json()
        assert answer["equal"] is True
        assert answer["differences"] == []
        assert sum(t["events"] for t in answer["applications"].values()) >= 3


def test_metrics_have_standard_names_and_units(server: ServerProcess) -> None:
    with server.client() as operator, server.collector() as sdk:
        sdk.post("/v1/events/batch", json=[CALL]).raise_for_status()
        server.settle()
        text = operator.get("/metrics").text
    for name in (
        "tollkeeper_collector_requests_total",
        "tollkeeper_events_accepted_total",
        "tollkeeper_pipeline_items_total",
        "tollkeeper_pipeline_step_seconds_bucket",
        "tollkeeper_journal_backlog_bytes",
        "tollkeeper_pipeline_lag_seconds",
    ):
        assert name in text


def test_retention_of_an_application_can_be_set_and_is_checked(server: ServerProcess) -> None:
    with server.client() as operator:
        [application] = operator.get("/api/applications").json()["applications"]
        path = f"/api/applications/{application['id']}"
        changed = operator.patch(path, json={"retention": {"bodies_days": 7}}).json()
        assert changed["retention"]["bodies_days"] == 7
        refused = operator.patch(path, json={"retention": {"bodies_days": -1}})
        assert refused.status_code == 422
        assert refused.json()["field"] == "bodies_days"
        assert operator.patch("/api/applications/app_none", json={}).status_code == 404


def test_the_whole_server_is_in_openapi_31(server: ServerProcess) -> None:
    document = httpx.get(f"{server.url}/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path in ("/v1/events/batch", "/api/v1/events", "/api/query", "/api/events/live"):
        assert path in document["paths"]


def test_no_secret_reaches_the_log_or_the_disk(server: ServerProcess) -> None:
    secret = "sk_live_never_write_this_down_123"
    event = {
        **CALL,
        "session_token": secret,
        "request": {
            **CALL["request"],
            "uri": f"https://h.example/a?api_key={secret}",
            "headers": {"Authorization": f"Bearer {secret}", "X-Api-Key": secret},
            "body": {"password": secret, "list": [{"token": secret}]},
        },
    }
    wrong = {**event, "request": {**event["request"], "time": "never"}}
    with server.collector() as sdk:
        sdk.post("/v1/events/batch", json=[event, wrong]).raise_for_status()
        broken = json.dumps([event])[:-2]
        assert sdk.post("/v1/events/batch", content=broken).status_code == 400
        user = {"user_id": "", "session_token": secret, "metadata": {"password": secret}}
        sdk.post("/v1/users/batch", json=[user]).raise_for_status()
    server.settle()
    assert secret not in server.log
    kept = [p for p in server.data.rglob("*") if p.is_file() and "journal" not in p.parts]
    assert [p for p in kept if secret.encode() in p.read_bytes()] == []
