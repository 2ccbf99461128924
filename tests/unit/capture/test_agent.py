from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import re
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

import tollkeeper.capture
from tollkeeper.capture.agent import Agent
from tollkeeper.capture.options import read_options
from tollkeeper.capture.send import Answer, Pauses
from tollkeeper.errors import InvalidSettings

ENDS = ("skipped", "sampled_out", "sent", "queued", "spooled")


def accounted(stats):
    """Every call handed in is somewhere."""
    return sum(stats[end] for end in ENDS) + sum(stats["dropped"].values())


def test_a_call_arrives_as_an_event(make_agent, call, collector):
    agent = make_agent(timer_wake_up_seconds=0.05)
    agent.finish(call())
    (event,) = collector.wait_for(1)
    assert event["request"]["route"] == "/pets/{id}"
    headers = collector.requests[0][0]
    assert headers["x-moesif-application-id"] == agent.options.application_id
    assert re.fullmatch(r"tollkeeper-python/\d+\.\d+\.\d+", headers["user-agent"])
    told = json.loads(headers["x-tollkeeper-capture"])
    assert told == {"instance": agent.instance, "agent": told["agent"], "dropped": {}}


def test_a_full_batch_leaves_at_once(make_agent, call, collector):
    agent = make_agent(timer_wake_up_seconds=60, batch_size=10)
    for _ in range(25):
        agent.finish(call())
    collector.wait_for(20)
    assert {len(events) for _, events in collector.requests} == {10}
    assert agent.flush(5)
    assert len(collector.events) == 25


def test_a_batch_leaves_when_its_oldest_event_is_due_however_calls_keep_coming(
    make_agent, call, collector
):
    agent = make_agent(timer_wake_up_seconds=0.4)
    start = time.monotonic()
    while not collector.events and time.monotonic() - start < 5:
        agent.finish(call())
        time.sleep(0.02)
    assert 0.3 < time.monotonic() - start < 1.5


def test_an_idle_agent_has_no_thread(make_agent):
    before = set(threading.enumerate())  # some of other tests may end meanwhile
    make_agent()
    assert set(threading.enumerate()) <= before


def test_what_does_not_fit_is_refused_counted_and_told(make_agent, call, collector):
    agent = make_agent(event_queue_size=5, timer_wake_up_seconds=60, batch_size=1000)
    for _ in range(12):
        agent.finish(call())
    assert agent.flush(5)
    assert len(collector.events) == 5
    agent.finish(call())
    assert agent.flush(5)
    assert json.loads(collector.requests[-1][0]["x-tollkeeper-capture"])["dropped"] == {
        "queue_full": 7
    }
    assert agent.stats()["dropped"] == {"queue_full": 7}
    assert accounted(agent.stats()) == agent.stats()["captured"] == 13


def test_a_batch_is_bounded_in_bytes(make_agent, call, collector):
    agent = make_agent(timer_wake_up_seconds=60, log_body=True)
    body = b'"' + b"x" * 90_000 + b'"'
    for _ in range(60):
        agent.finish(call(request_body=body, response_body=body))
    assert agent.flush(10)
    sizes = [len(json.dumps(events)) for _, events in collector.requests]
    assert len(collector.events) == 60
    assert max(sizes) < 2_200_000


def test_heavy_calls_leave_before_the_batch_is_full(make_agent, call, collector):
    agent = make_agent(timer_wake_up_seconds=60, log_body=True, queue_bytes=1_000_000)
    for _ in range(3):
        agent.finish(call(request_body=b"x" * 90_000))
    collector.wait_for(3)


def test_memory_is_bounded_in_bytes(make_agent, call):
    agent = make_agent(queue_bytes=100_000, log_body=True, url="http://127.0.0.1:9")
    for _ in range(300):
        agent.finish(call(request_body=b"x" * 30_000))
    # The sender takes what it prepares out of the queue: only between its steps do the numbers stand still.
    deadline = time.monotonic() + 5
    while agent.stats()["retries"] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    stats = agent.stats()
    # Three fit into the queue; a batch of one megabyte is under way beside it.
    assert stats["queued"] <= 3 + 40
    assert stats["queued"] + stats["dropped"]["queue_full"] == 300


def test_an_outage_loses_nothing_that_fits(make_agent, call, collector):
    agent = make_agent(batch_size=5, timer_wake_up_seconds=0.05)
    collector.answers = [(503, {}, b"")] * 8
    for number in range(40):
        agent.finish(call(path=f"/{number}"))
    collector.wait_for(40 + 8 * 5)
    assert agent.flush(5)
    stats = agent.stats()
    assert (stats["sent"], stats["retries"], stats["dropped"]) == (40, 8, {})
    accepted = [event["transaction_id"] for _, events in collector.requests[8:] for event in events]
    assert len(set(accepted)) == 40


def test_a_resent_batch_has_the_same_ids(make_agent, call, collector):
    agent = make_agent()
    collector.answers = [(500, {}, b"")]
    agent.finish(call())
    assert agent.flush(5)
    first, second = collector.events
    assert first == second


def test_flush_gives_up_at_its_deadline_and_sends_later(make_agent, call, collector):
    agent = make_agent(url="http://127.0.0.1:9", pauses=Pauses(0.01, 0.02))
    agent.finish(call())
    start = time.monotonic()
    assert not agent.flush(0.3)
    assert time.monotonic() - start < 2
    assert agent.stats()["queued"] == 1


def test_close_counts_what_it_could_not_bring(make_agent, call):
    agent = make_agent(url="http://127.0.0.1:9", batch_size=3)
    for _ in range(7):
        agent.finish(call())
    agent.close(0.3)
    assert agent.stats()["dropped"] == {"exit": 7}
    agent.finish(call())
    assert agent.stats()["dropped"] == {"exit": 7, "closed": 1}
    assert agent.stats()["queued"] == 0


def test_close_keeps_its_deadline_while_the_collector_hangs(make_agent, call, collector):
    release = threading.Event()
    collector.answers = [lambda handler: release.wait(10)]
    agent = make_agent(timer_wake_up_seconds=0.01, timeout_seconds=8)
    agent.finish(call())
    collector.wait_for(1)
    start = time.monotonic()
    agent.close(0.2)
    assert time.monotonic() - start < 2
    assert agent.stats()["dropped"] == {"exit": 1}
    release.set()


def test_close_ends_the_thread(make_agent, call, collector):
    before = set(threading.enumerate())
    agent = make_agent()
    agent.finish(call())
    mine = [
        each for each in set(threading.enumerate()) - before if each.name == "tollkeeper-capture"
    ]
    agent.close(5)
    assert [each.is_alive() for each in mine] == [False]
    assert agent.stats()["sent"] == 1


def test_flush_works_where_no_thread_can_start(make_agent, call, collector, monkeypatch):
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "tollkeeper-capture":
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    agent = make_agent()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    agent.finish(call())
    assert agent.flush(5)
    monkeypatch.undo()
    assert len(collector.events) == 1


def test_a_poisoned_call_costs_no_other(make_agent, call, collector):
    agent = make_agent()
    agent.finish(call(path="/1"))
    agent.finish(call(time_us=None))
    agent.finish(call(path="/2"))
    agent.finish(object())
    assert agent.flush(5)
    assert len(collector.events) == 2
    stats = agent.stats()
    assert stats["dropped"] == {"unprepared": 1}
    assert stats["errors"] == {"prepare": 1, "finish": 1}


CALLABLES = {
    "identify_user": ("user_id", "u1", "u1"),
    "identify_company": ("company_id", 7, "7"),
    "get_metadata": ("metadata", {"plan": "gold"}, {"plan": "gold"}),
    "get_session_token": ("credential", "Bearer s1", None),
}


def plain(answer):
    def function(request, response):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return function


def later(answer):
    async def function(request, response):
        await asyncio.sleep(0)
        return plain(answer)(request, response)

    return function


@pytest.mark.parametrize("kind", [plain, later])
@pytest.mark.parametrize("way", ["finish", "finish_async"])
def test_the_hosts_callables_are_asked_once_with_request_and_response(
    make_agent, call, collector, kind, way
):
    seen = []

    def watching(answer):
        inner = kind(answer)

        def function(request, response):
            seen.append((request, response))
            return inner(request, response)

        async def waiting(request, response):
            return await function(request, response)

        return function if kind is plain else waiting

    agent = make_agent(**{name: watching(answer) for name, (_, answer, _) in CALLABLES.items()})
    assert agent.asynchronous == (kind is later)
    made = call(
        request="request", response="response", request_headers=[("authorization", "Bearer other")]
    )
    if way == "finish":
        agent.finish(made)
    else:
        asyncio.run(agent.finish_async(made))
    assert agent.flush(5)
    (event,) = collector.events
    for field, _, expected in CALLABLES.values():
        assert event[field] == (expected or event["credential"])
    assert event["credential"] == hashlib.sha256(b"s1").hexdigest()
    assert seen == [("request", "response")] * 4
    assert agent.stats()["errors"] == {}


@pytest.mark.parametrize("kind", [plain, later])
@pytest.mark.parametrize("bad", [RuntimeError("hush"), "wrong type"])
def test_a_callable_that_fails_is_counted_and_its_field_left_empty(
    make_agent, call, collector, kind, bad, caplog
):
    wrong = {
        "identify_user": [],
        "identify_company": True,
        "get_metadata": "x",
        "get_session_token": 5,
    }
    answers = {name: bad if isinstance(bad, Exception) else wrong[name] for name in wrong}
    agent = make_agent(
        **{name: kind(answer) for name, answer in answers.items()}, user_id_headers=["X-User"]
    )
    headers = [("x-user", "u"), ("authorization", "Bearer t")]
    agent.finish(call(request=1, response=2, request_headers=headers))
    asyncio.run(agent.finish_async(call(request=1, response=2, request_headers=headers)))
    assert agent.flush(5)
    assert len(collector.events) == 2
    for event in collector.events:
        assert not {"user_id", "company_id", "metadata", "credential"} & event.keys()
    assert agent.stats()["errors"] == dict.fromkeys(answers, 2)
    assert "hush" not in caplog.text


def test_a_callable_that_names_nobody_leaves_it_to_the_headers(make_agent, call, collector):
    agent = make_agent(
        identify_user=plain(None), identify_company=plain(""), user_id_headers=["X-User"]
    )
    agent.finish(call(request_headers=[("x-user", "u")]))
    assert agent.flush(5)
    assert collector.events[0]["user_id"] == "u"


@pytest.mark.parametrize("kind", [plain, later])
def test_skip_leaves_calls_out(make_agent, call, collector, kind):
    answers = iter([True, False, "yes", RuntimeError(), None] * 2)
    agent = make_agent(skip=lambda a, b: plain(next(answers))(a, b)) if kind is plain else None
    if agent is None:

        async def skip(request, response):
            return plain(next(answers))(request, response)

        agent = make_agent(skip=skip)
    for _ in range(5):
        agent.finish(call(request=1))
    assert agent.flush(5)
    for _ in range(5):
        asyncio.run(agent.finish_async(call(request=1)))
    assert agent.flush(5)
    stats = agent.stats()
    assert (stats["skipped"], stats["sent"], stats["errors"]) == (4, 6, {"skip": 2})
    assert accounted(stats) == 10


def test_a_plain_function_that_returns_a_coroutine_is_a_failure_not_a_warning(
    make_agent, call, collector
):
    agent = make_agent(skip=lambda request, response: later(answer=True)(request, response))
    agent.finish(call())
    assert agent.flush(5)
    assert agent.stats()["errors"] == {"skip": 1}
    assert len(collector.events) == 1


def test_a_cancelled_task_can_still_hand_its_call_over(make_agent, call, collector):
    async def slow(request, response):
        await asyncio.sleep(0 if done else 60)
        return "u"

    done = []
    agent = make_agent(identify_user=slow)
    made = call(request=1)

    async def cancelled():
        task = asyncio.ensure_future(agent.finish_async(made))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    done.append(True)
    agent.finish(made)
    assert agent.flush(5)
    assert [event["user_id"] for event in collector.events] == ["u"]
    assert agent.stats()["captured"] == 1


def test_a_coroutine_that_hangs_holds_the_hosts_task_only_so_long(make_agent, call, collector):
    async def never(request, response):
        await asyncio.Event().wait()

    agent = make_agent(identify_company=never, timeout_seconds=0.05)
    asyncio.run(asyncio.wait_for(agent.finish_async(call(request=1, user="u")), 10))
    assert agent.flush(5)
    assert collector.events[0]["user_id"] == "u"
    assert agent.stats()["errors"] == {"coroutine": 1}


def test_a_coroutine_that_hangs_holds_the_sender_only_so_long(make_agent, call, collector):
    async def hangs(request, response):
        await asyncio.sleep(60)

    agent = make_agent(identify_user=hangs, timeout_seconds=0.2)
    agent.finish(call(request=1))
    assert agent.flush(5)
    assert "user_id" not in collector.events[0]
    assert agent.stats()["errors"] == {"coroutine": 1}


def test_the_hosts_objects_do_not_live_on_in_the_queue(make_agent, call):
    class Request:
        pass

    agent = make_agent(timer_wake_up_seconds=60, identify_user=lambda request, response: "u")
    request = Request()
    gone = weakref.ref(request)
    agent.finish(call(request=request))
    del request
    gc.collect()
    assert gone() is None


def test_sampled_weights_sum_to_the_calls_after_a_flush(make_agent, call, collector):
    agent = make_agent(
        sample_rate=30, sample_rules=[{"user": "vip", "rate": 100}], timer_wake_up_seconds=60
    )
    for number in range(100):
        agent.finish(call(user="vip" if number % 4 == 0 else f"u{number % 4}"))
    assert agent.flush(5)
    weights = {}
    for event in collector.events:
        weights[event["user_id"]] = weights.get(event["user_id"], 0) + event["weight"]
    assert weights == {"vip": 25, "u1": 25, "u2": 25, "u3": 25}
    assert len(collector.events) < 60
    assert accounted(agent.stats()) == 100


def test_stats_add_up_over_all_live_agents(make_agent, call):
    before = tollkeeper.capture.stats().get("captured", 0)
    first, second = (
        make_agent(timer_wake_up_seconds=60),
        make_agent(timer_wake_up_seconds=60, event_queue_size=1),
    )
    for agent in (first, second, second):
        agent.finish(call())
    total = tollkeeper.capture.stats()
    assert total["captured"] - before == 3
    assert total["dropped"]["queue_full"] >= 1


def test_many_threads_hand_over_without_loss(make_agent, call, collector):
    agent = make_agent(batch_size=50)

    def work():
        for _ in range(250):
            agent.finish(call())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert agent.flush(10)
    assert (
        len({event["transaction_id"] for event in collector.events})
        == len(collector.events)
        == 1000
    )


def run_forking_host(*arguments):
    """Runs a host that forks in a process of its own: whatever this one has loaded is not part of the matter."""
    host = Path(__file__).with_name("forking_host.py")
    done = subprocess.run(
        [sys.executable, host, *arguments], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("spooled", [False, True])
def test_forked_children_send_their_own_calls_and_only_those(collector, tmp_path, spooled):
    run_forking_host(collector.url, "own", *([str(tmp_path)] if spooled else []))
    paths = sorted(event["request"]["uri"].partition("host")[2] for event in collector.events)
    assert paths == ["/child/0", "/child/1", "/child/2", "/parent/after", "/parent/before"]
    assert len({event["transaction_id"] for event in collector.events}) == 5
    instances = {
        json.loads(headers["x-tollkeeper-capture"])["instance"] for headers, _ in collector.requests
    }
    assert len(instances) == 4
    assert list(tmp_path.rglob("*.seg")) == []


def test_a_fork_in_the_middle_of_everything_hangs_no_child(collector):
    run_forking_host(collector.url, "busy")
    paths = [event["request"]["uri"].partition("host")[2] for event in collector.events]
    assert paths.count("/child") == 15
    assert len({event["transaction_id"] for event in collector.events}) == len(paths)


CHILDREN = """
import multiprocessing, sys
from tollkeeper.capture import Agent, Call, read_options

def make():
    return Agent(read_options(application_id="x" * 50, url=sys.argv[1], environment={}))

def finish(agent, path):
    call = Call()
    call.host, call.path, call.status = "host", path, 200
    agent.finish(call)

agent = make()
context = multiprocessing.get_context("fork")
targets = [lambda: finish(agent, "/inherited"), lambda: finish(make(), "/own")]
for target in targets:
    process = context.Process(target=target)
    process.start()
    process.join()
"""


def test_children_of_multiprocessing_deliver_before_they_end(collector):
    subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILDREN, collector.url], timeout=60, check=True
    )
    paths = sorted(event["request"]["uri"] for event in collector.events)
    assert paths == ["http://host/inherited", "http://host/own"]


MANY = """
import sys
from tollkeeper.capture import Agent, Call, read_options
agents = []
for _ in range(5):
    agents.append(Agent(read_options(application_id="x" * 50, url=sys.argv[1], flush_deadline_seconds=3, environment={})))
    call = Call()
    call.host, call.status = "host", 200
    agents[-1].finish(call)
"""


def test_several_agents_share_the_time_that_an_exit_may_take(collector):
    release = threading.Event()
    collector.answers = [lambda handler: release.wait(30)] * 5
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", MANY, collector.url], timeout=60, check=True)
    release.set()
    assert time.monotonic() - start < 12, "five times three seconds would be fifteen"
    assert len(collector.requests) >= 5


class Swallow:
    """A way to a collector that takes everything."""

    def post(self, body, headers, timeout_seconds):
        return Answer(201, None, b"{}")

    def close(self):
        pass

    def after_fork(self):
        pass


class Interrupted(threading.Thread):
    """Hands a call over, and another one before the line of that number; `lines` says how many there were.

    A trace function runs where a signal handler may: between any two lines, in the same thread.
    """

    def __init__(self, agent, call, at):
        super().__init__(daemon=True)
        self.agent, self.call, self.at = agent, call, at
        self.lines = 0

    def run(self):
        tracer = sys.gettrace()
        sys.settrace(self.between_lines)
        try:
            self.agent.finish(self.call())
        finally:
            sys.settrace(tracer)

    def between_lines(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                self.agent.finish(self.call())
        return self.between_lines


def test_a_signal_handler_may_hand_over_a_call_on_top_of_any_line(make_agent, call):
    hung, doubled, lost = [], [], []
    at = lines = 0
    while at <= lines and not hung:
        at += 1
        agent = make_agent(transport=Swallow(), timer_wake_up_seconds=60, batch_size=1)
        host = Interrupted(agent, call, at)
        host.start()
        host.join(5)
        if host.is_alive():
            hung.append(at)
            continue
        lines = host.lines
        targets = [getattr(each, "_target", None) for each in threading.enumerate()]
        if targets.count(agent._courier._run) != 1:
            doubled.append(at)
        if not agent.flush(5) or agent.stats()["sent"] != agent.stats()["captured"]:
            lost.append(at)
        agent.close(1)
    assert lines > 20
    assert (hung, doubled, lost) == ([], [], [])


EXIT = """
import sys
from tollkeeper.capture import Agent, Call, read_options
agent = Agent(read_options(application_id="x" * 50, url=sys.argv[1], flush_deadline_seconds=0.5, environment={}))
call = Call()
call.host, call.status = "host", 200
agent.finish(call)
"""


def run_to_its_end(url):
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXIT, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    return time.monotonic() - start, done.stderr


def test_a_host_that_ends_delivers_its_last_calls(collector):
    assert run_to_its_end(collector.url)[1] == ""
    assert len(collector.events) == 1


def test_a_host_that_ends_is_not_kept_by_a_dead_collector(collector):
    release = threading.Event()
    collector.answers = [lambda handler: release.wait(30)]
    seconds, said = run_to_its_end(collector.url)
    release.set()
    assert seconds < 10
    assert said.endswith(
        "tollkeeper: 1 events could not be sent before the process ended and are lost;"
        " spool_directory keeps them\n"
    )
    assert all(line.startswith("tollkeeper: ") for line in said.splitlines())


@pytest.mark.parametrize("end", ["close", "flush_last"])
def test_events_that_end_with_the_process_are_told_once(make_agent, call, caplog, end):
    agent = make_agent(url="http://127.0.0.1:1", flush_deadline_seconds=0.2)
    for _ in range(3):
        agent.finish(call())
    getattr(agent, end)()
    agent.close()
    told = [record for record in caplog.records if "could not be sent before" in record.message]
    assert [(record.levelname, record.getMessage()) for record in told] == [
        (
            "WARNING",
            "tollkeeper: 3 events could not be sent before the process ended and are lost;"
            " spool_directory keeps them",
        )
    ]
    assert all(record.getMessage().startswith("tollkeeper: ") for record in caplog.records)


def test_nothing_is_lost_at_the_end_where_a_spool_keeps_it(make_agent, call, caplog, tmp_path):
    agent = make_agent(
        url="http://127.0.0.1:1", flush_deadline_seconds=0.2, spool_directory=str(tmp_path)
    )
    agent.finish(call())
    agent.flush_last()
    agent.close()
    assert "could not be sent before" not in caplog.text
    assert agent.stats()["dropped"] == {}


def test_debug_lines_begin_with_our_name_too(make_agent, call, caplog):
    caplog.set_level("INFO")
    agent = make_agent(debug=True)
    agent.finish(call())
    assert agent.flush(5)
    lines = [record.getMessage() for record in caplog.records if "tollkeeper" in record.name]
    assert lines
    assert all(line.startswith("tollkeeper: ") for line in lines)


def test_options_that_cannot_work_are_refused_before_the_first_call(tmp_path):
    (tmp_path / "file").touch()
    for bad in (
        {"jwt_key": "-----BEGIN PUBLIC KEY-----"},
        {"sample_rules": [{"rate": 0}]},
        {"should_skip": "(("},
    ):
        with pytest.raises(InvalidSettings):
            Agent(read_options({"application_id": "x" * 50, **bad}, environment={}))
    with pytest.raises(InvalidSettings, match="spool_directory"):
        Agent(
            read_options(
                application_id="x" * 50, environment={}, spool_directory=str(tmp_path / "file")
            )
        )
