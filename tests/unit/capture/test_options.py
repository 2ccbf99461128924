from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.options import Options, read_options
from tollkeeper.config import ServerSettings, rows
from tollkeeper.errors import InvalidSettings

ID = "x" * 50
KRAKEND = {
    "@comment": "Push user activity",
    "application_id": ID,
    "user_id_headers": ["Authorization"],
    "user_id_jwt_claim": "sub",
    "identify_company": {"jwt_claim": "company_id", "_note": "why"},
    "debug": False,
    "log_body": False,
    "event_queue_size": 1000000,
    "batch_size": 1000,
    "timer_wake_up_seconds": 1,
    "#off": 1,
    "$schema": "x",
}


def read(given=None, environment=None, **arguments):
    return read_options(given, environment=environment or {}, **arguments)


def test_defaults_are_those_of_the_krakend_page_but_bodies_stay_home():
    options = read(application_id=ID)
    assert (options.batch_size, options.event_queue_size, options.timer_wake_up_seconds) == (
        200,
        1_000_000,
        2,
    )
    assert (options.debug, options.log_body, options.should_skip) == (False, False, "")
    assert (options.user_id_headers, options.user_id_jwt_claim) == (("Authorization",), "sub")
    assert options.identify_company is None
    masks = (
        "request_body_masks",
        "request_header_masks",
        "response_body_masks",
        "response_header_masks",
    )
    assert all(getattr(options, name) == () for name in masks)


@pytest.mark.parametrize(
    "pasted",
    [
        KRAKEND,
        {"telemetry/moesif": KRAKEND, "auth/validator": {"alg": "RS256"}},
        {
            "version": 3,
            "$schema": "s",
            "extra_config": {"telemetry/moesif": KRAKEND},
            "endpoints": [],
        },
    ],
)
def test_a_pasted_krakend_block_is_read_whichever_part_was_pasted(pasted, tmp_path):
    file = tmp_path / "krakend.json"
    file.write_text(json.dumps(pasted))
    from_dict = read(pasted)
    assert from_dict == read(json.dumps(pasted)) == read(file) == read(str(file))
    assert from_dict.batch_size == 1000
    assert from_dict.identify_company.jwt_claim == "company_id"


def test_later_sources_win():
    environment = {
        "TOLLKEEPER_BATCH_SIZE": "1",
        "TOLLKEEPER_DEBUG": "yes",
        "TOLLKEEPER_APPLICATION_ID": ID,
    }
    options = read(
        {"batch_size": 2, "queue_bytes": 5, "url": None},
        environment,
        queue_bytes=6,
        timeout_seconds=None,
    )
    assert (options.batch_size, options.queue_bytes, options.debug) == (2, 6, True)
    assert (options.timeout_seconds, options.url) == (10, "http://127.0.0.1:8600")


def test_options_can_be_changed_by_keyword():
    assert read(read(application_id=ID, batch_size=3), debug=True).batch_size == 3


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("USER_ID_HEADERS", "X-User, Authorization", ("X-User", "Authorization")),
        ("USER_ID_HEADERS", '["X-User"]', ("X-User",)),
        ("REQUEST_BODY_MASKS", "", ()),
        ("LOG_BODY", "true", True),
        ("LOG_BODY", "0", False),
        ("TIMER_WAKE_UP_SECONDS", "0.5", 0.5),
        ("SHOULD_SKIP", "[1].exists(x, x == 1)", "[1].exists(x, x == 1)"),
        ("METADATA", '{"region": "eu"}', {"region": "eu"}),
        ("JWKS", "/etc/keys.json", "/etc/keys.json"),
    ],
)
def test_environment_variables_are_converted(variable, text, expected):
    options = read({"application_id": ID}, {f"TOLLKEEPER_{variable}": text})
    assert getattr(options, variable.lower()) == expected


def test_the_company_strategy_comes_from_the_environment_as_json():
    options = read(
        {"application_id": ID}, {"TOLLKEEPER_IDENTIFY_COMPANY": '{"header": "X-Tenant"}'}
    )
    assert options.identify_company.header == "X-Tenant"


def test_variables_of_the_server_are_left_alone():
    assert (
        read({"application_id": ID}, {"TOLLKEEPER_ADMIN_TOKEN": "t", "TOLLKEEPER_SKIP": "x"}).skip
        is None
    )


@pytest.mark.parametrize(
    ("bad", "field", "text"),
    [
        ({"batchsize": 3}, "batchsize", "did you mean batch_size"),
        ({"user_id_header": []}, "user_id_header", "did you mean user_id_headers"),
        ({"batch_size": "3"}, "batch_size", "expected `int`, got `str`"),
        ({"batch_size": True}, "batch_size", "expected `int`, got `bool`"),
        ({"batch_size": 0}, "batch_size", ">= 1"),
        ({"log_body": 1}, "log_body", "expected `bool`"),
        ({"request_body_masks": "password"}, "request_body_masks", "expected `array`"),
        (
            {"request_body_masks": ["a", 1]},
            "request_body_masks",
            "request_body_masks[1]: expected `str`",
        ),
        (
            {"identify_company": {"header": "a", "jwt_claim": "b"}},
            "identify_company",
            "header and jwt_claim are two",
        ),
        (
            {"identify_company": {"headr": "a"}},
            "identify_company.headr",
            "did you mean identify_company.header",
        ),
        (
            {"identify_company": {"header": 3}},
            "identify_company",
            "identify_company.header: expected `str",
        ),
        ({"identify_company": {}}, "identify_company", "names no strategy"),
        ({"identify_company": {"header": ""}}, "identify_company", "names no strategy"),
        ({"identify_company": "X"}, "identify_company", "expected `object"),
        ({"application_id": ""}, "application_id", "required"),
        ({"application_id": "a\nb"}, "application_id", "printable ASCII"),
        ({"url": "ftp://x"}, "url", "no http or https"),
        ({"url": "127.0.0.1:8600"}, "url", "no http or https"),
        ({"url": "http://host:port"}, "url", "no http or https"),
        ({"url": "http://[::1"}, "url", "no http or https"),
        ({"sample_rate": 0}, "sample_rate", "> 0"),
        ({"trusted_proxies": ["10.0.0.0/33"]}, "trusted_proxies", "10.0.0.0/33"),
        ({"skip": 3}, "skip", "expected a callable, got int"),
        ({"identify_company_by": 3}, "identify_company", "expected a callable"),
    ],
)
def test_what_cannot_work_is_refused_by_name(bad, field, text):
    with pytest.raises(InvalidSettings) as refused:
        read({"application_id": ID, **bad})
    assert refused.value.field == field
    assert text in refused.value.detail


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ('{"extra_config": {"telemetry/logging": {}}}', "no telemetry/moesif"),
        ('{"telemetry/moesif": 3}', "must be an object"),
        ('{"a": ', "is not JSON"),
        ("/no/such/krakend.json", "cannot read"),
    ],
)
def test_a_paste_without_our_block_is_refused(pasted, text):
    with pytest.raises(InvalidSettings, match=text):
        read(pasted)


def test_environment_text_of_the_wrong_type_is_refused():
    with pytest.raises(InvalidSettings, match="batch_size: expected `int`"):
        read({"application_id": ID}, {"TOLLKEEPER_BATCH_SIZE": "many"})
    with pytest.raises(InvalidSettings, match="TOLLKEEPER_METADATA: is not valid JSON"):
        read({"application_id": ID}, {"TOLLKEEPER_METADATA": "{x"})


def test_a_missing_application_id_is_refused():
    with pytest.raises(InvalidSettings, match="application_id is required"):
        read()


def test_a_mistyped_variable_is_named_when_the_application_id_is_missing(caplog):
    environment = {
        "TOLLKEEPER_APLICATION_ID": ID,
        "TOLLKEEPER_PORT": "8600",
        "TOLLKEEPER_BATCH_SIZE": "3",
        "TOLLKEEPER_SOMETHING_ELSE": "x",
        "APPLICATION_ID": ID,
    }
    with pytest.raises(InvalidSettings):
        read({}, environment)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "tollkeeper: the variable TOLLKEEPER_APLICATION_ID is no option;"
            " did you mean TOLLKEEPER_APPLICATION_ID?",
        )
    ]


def test_no_setting_of_the_server_is_taken_for_a_mistyped_option(caplog):
    with pytest.raises(InvalidSettings):
        read({}, {r.environment: "1" for r in rows(ServerSettings) if r.name != "application_id"})
    assert caplog.records == []


def test_repr_shows_no_secret():
    shown = repr(read(application_id=ID, jwt_key="hush", jwks={"keys": ["hush"]}, batch_size=7))
    assert ID not in shown
    assert "hush" not in shown
    assert "batch_size=7" in shown


def test_coroutine_functions_are_told_from_plain_ones():
    async def user(request, response): ...

    class Company:
        async def __call__(self, request, response): ...

    options = read(
        application_id=ID, identify_user=user, identify_company=Company(), skip=lambda a, b: False
    )
    assert options.asynchronous == {"identify_user", "identify_company"}
    assert set(options.callables) == {"identify_user", "identify_company", "skip"}
    assert read(options, environment={}).callables == options.callables


def test_every_option_says_what_it_is_for():
    assert all(row.help for row in rows(Options))


@given(
    st.dictionaries(
        st.text(max_size=12), st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    )
)
def test_any_dict_is_read_or_refused_with_a_named_culprit(document):
    try:
        options = read({"application_id": ID, **document})
    except InvalidSettings as refused:
        assert refused.field is not None  # noqa: PT017
    else:
        assert isinstance(options, Options)
