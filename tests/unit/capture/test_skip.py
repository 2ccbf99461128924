from __future__ import annotations

import random
import sys
import threading

import pytest

from tollkeeper.capture.loop import OwnLoop
from tollkeeper.capture.prepare import Preparer
from tollkeeper.capture.skip import SkipRule
from tollkeeper.capture.stats import Counts
from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.errors import InvalidSettings

JWT = "e30.eyJzdWIiOiAiNTEzIiwgInJvbGVzIjogWyJhZG1pbiJdfQ."
FIELDS = {
    "query": "page=2&tag=a&tag=b&empty=",
    "request_headers": [
        ("x-some-thing", "yes"),
        ("cookie", "theme=dark; sid=1"),
        ("authorization", f"Bearer {JWT}"),
        ("x-forwarded-for", "203.0.113.5"),
    ],
    "response_headers": [("content-type", "text/plain")],
    "peer_ip": "127.0.0.1",
    "company": "acme",
}


@pytest.fixture
def skips(options, call):
    def run(expression, counts=None, **fields):
        counts = counts or Counts()
        made = Preparer(
            options(should_skip=expression), counts, SYSTEM_CLOCK, random.Random(1), OwnLoop()
        )
        return not made.prepare(call(**{**FIELDS, **fields}))

    return run


@pytest.mark.parametrize(
    "expression",
    [
        "( req_method=='GET' || req_path.startsWith('/bar/')) && hasHeader('X-Some-Thing')",
        "req_path.matches('^/pets/[0-9]+$')",
        "req_params.Id == '17'",
        "req_headers['X-Some-Thing'][0] == 'yes'",
        "req_headers['X-Some-Thing'].exists(value, value == 'yes')",
        "'Cookie' in req_headers && !('X-Nope' in req_headers)",
        "req_querystring.tag == ['a', 'b']",
        "hasQuerystring('empty') && getQuerystring('page') == '2' && getQuerystring('nope') == ''",
        "getHeader('x-some-thing') == 'yes' && !hasHeader('x-nope')",
        "hasCookie('sid') && getCookie('theme') == 'dark' && getCookie('nope') == ''",
        "JWT.sub == '513' && 'admin' in JWT.roles && has(JWT.sub) && !has(JWT.nope)",
        "hasClaim('roles') && getClaim('sub') == '513'",
        "timestamp(now) > timestamp('2026-01-01T00:00:00Z')",
        "timestamp(now).getFullYear() == 2026",
        "resp_completed && resp_metadata_status == 200",
        "resp_metadata_headers['Content-Type'] == ['text/plain']",
        "user_id == '513' && company_id == 'acme' && customer == company_id && route == '/pets/{id}'",
        "duration_ms > 1.2 && duration_ms < 1.3 && direction == 'Incoming'",
        "ip() == '203.0.113.5' && inCIDR(ip(), '203.0.113.0/24') && !inCIDR(ip(), ['10.0.0.0/8'])",
        "between(resp_metadata_status, 200, 299) && resp_metadata_status.between(200, 200)",
        "isEmpty('') && isEmpty([]) && !isEmpty('a')",
        "upper('a') == 'A' && lower('A') == 'a' && split('a,b', ',') == ['a', 'b']",
        "sha256('abc').startsWith('ba7816bf')",
    ],
)
def test_krakends_variables_and_functions_work(skips, expression):
    assert skips(expression)
    assert not skips(f"!({expression})")


def test_a_skipped_call_is_counted(skips):
    counts = Counts()
    assert skips("true", counts)
    assert counts.skipped == 1


@pytest.mark.parametrize(
    "expression",
    ["JWT.nope == 'x'", "1 / 0 == 1", "req_headers['Nope'][0] == 'x'", "inCIDR('x', 'y')"],
)
def test_an_evaluation_that_fails_skips_nothing_and_is_counted(skips, expression):
    counts = Counts()
    assert not skips(expression, counts)
    assert counts.errors == {"should_skip": 1}


@pytest.mark.parametrize("expression", ["1", "'true'", "req_path"])
def test_only_true_skips(skips, expression):
    assert not skips(expression)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("((", "does not compile"),
        ("req_metod == 'GET'", "unknown variable req_metod; did you mean req_method"),
        ("hasHeder('x')", "unknown function hasHeder; did you mean hasHeader"),
    ],
)
def test_a_wrong_expression_is_refused_at_start(expression, text):
    with pytest.raises(InvalidSettings, match=text.replace("(", r"\(")):
        SkipRule(expression)


def test_the_missing_package_is_named_as_the_registry_knows_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cel.cel", None)
    with pytest.raises(InvalidSettings, match="pip install common-expression-language"):
        SkipRule("true")


def test_threads_see_each_their_own_call(options, call):
    rule = Preparer(
        options(should_skip="req_path == '/odd'"),
        Counts(),
        SYSTEM_CLOCK,
        random.Random(1),
        OwnLoop(),
    )
    wrong = []

    def work(path):
        answers = {bool(rule.prepare(call(path=path))) for _ in range(300)}
        wrong.extend(answers - {path != "/odd"})

    threads = [threading.Thread(target=work, args=(path,)) for path in ("/odd", "/even") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
