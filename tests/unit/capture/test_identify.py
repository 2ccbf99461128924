from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.address import Proxies
from tollkeeper.capture.header import joined
from tollkeeper.capture.identify import Identifier
from tollkeeper.capture.jwt import Tokens

# Claims: sub 513, org.id acme, and number, which is no text.
JWT = "e30.eyJzdWIiOiAiNTEzIiwgIm9yZy5pZCI6ICJhY21lIiwgIm51bWJlciI6IDd9."


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def basic(pair):
    return "Basic " + base64.b64encode(pair).decode()


@pytest.fixture
def identify(options, call):
    def run(headers, query="", fields=None, **settings):
        made = call(query=query, request_headers=list(headers.items()), **(fields or {}))
        credential = Identifier(options(**settings), Tokens()).identify(
            made, joined(made.request_headers)
        )
        return made.user, made.company, credential

    return run


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        ({"authorization": f"Bearer {JWT}"}, "513"),
        ({"authorization": f"bearer  {JWT} "}, "513"),
        ({"authorization": "Bearer opaque"}, None),
        ({"authorization": JWT}, None),
        ({"authorization": basic(b"alice:pass:word")}, "alice"),
        ({"authorization": basic(b"alice")}, "alice"),
        ({"authorization": basic(b":pass")}, None),
        ({"authorization": basic("zoë:pw".encode())}, "zoë"),
        ({"authorization": basic(b"zo\xeb:pw")}, "zoë"),
        ({"authorization": "Basic !!!"}, None),
        ({"authorization": ""}, None),
        ({}, None),
    ],
)
def test_the_authorization_header_names_the_user_by_default(identify, headers, user):
    assert identify(headers)[0] == user


def test_the_first_header_present_decides_successfully_or_not(identify):
    order = ["X-User-Id", "Authorization", "X-Other"]
    full = {"x-user-id": "u1", "authorization": f"Bearer {JWT}", "x-other": "u3"}
    assert identify(full, user_id_headers=order)[0] == "u1"
    assert identify({**full, "x-user-id": "  "}, user_id_headers=order)[0] == "513", (
        "empty counts as absent"
    )
    opaque = {"authorization": "Bearer opaque", "x-other": "u3"}
    assert identify(opaque, user_id_headers=order)[0] is None, "no fall-through after a failure"
    assert identify({"x-other": "u3"}, user_id_headers=order)[0] == "u3"


def test_the_claim_can_be_chosen(identify):
    headers = {"authorization": f"Bearer {JWT}"}
    assert identify(headers, user_id_jwt_claim="org.id")[0] == "acme"
    assert identify(headers, user_id_jwt_claim="number")[0] is None


def test_the_company_comes_by_its_one_strategy(identify):
    headers = {"authorization": f"Bearer {JWT}", "x-tenant": " t1 "}
    assert identify(headers, identify_company={"header": "X-Tenant"})[1] == "t1"
    assert identify(headers, identify_company={"jwt_claim": "org.id"})[1] == "acme"
    assert (
        identify(headers, "company=a%20b&company=c", identify_company={"query_string": "company"})[
            1
        ]
        == "a b"
    )
    assert identify({}, "x=1", identify_company={"query_string": "company"})[1] is None
    assert (
        identify({"authorization": basic(b"a:b")}, identify_company={"jwt_claim": "org.id"})[1]
        is None
    )
    assert identify(headers)[1] is None


def test_a_secret_used_as_an_id_leaves_as_a_short_digest(identify):
    headers = {"x-api-key": "hush"}
    user, company, _ = identify(
        headers, user_id_headers=["X-API-Key"], identify_company={"header": "x-api-key"}
    )
    assert user == company == "key-" + digest("hush")[:16]
    assert identify({}, "api_key=hush", identify_company={"query_string": "api_key"})[1] == user


@pytest.mark.parametrize("password", ["", "x", "X-OAuth-Basic"])
def test_an_api_key_in_the_place_of_a_user_name_leaves_as_a_short_digest(identify, password):
    user = identify({"authorization": basic(f"sk_live_1:{password}".encode())})[0]
    assert user == "key-" + digest("sk_live_1")[:16]


def test_a_callable_that_answers_the_secret_itself_sends_its_digest(identify):
    short = "key-" + digest("hush")[:16]
    for headers in ({"authorization": "Bearer hush"}, {"x-api-key": "hush"}):
        assert identify(headers, fields={"user": "hush"})[0] == short
    headers = {"authorization": "Bearer hush"}
    assert identify(headers, fields={"user": "Bearer hush"})[0] == short
    assert identify(headers, fields={"user": "alice"})[0] == "alice"


def test_what_callables_found_is_kept_and_what_they_failed_to_find_stays_empty(identify):
    headers = {"authorization": f"Bearer {JWT}", "x-tenant": "t"}
    rule = {"identify_company": {"header": "X-Tenant"}}
    assert identify(headers, fields={"user": "u", "company": "c"}, **rule)[:2] == ("u", "c")
    assert identify(headers, fields={"user": "", "company": ""}, **rule)[:2] == ("", "")


@pytest.mark.parametrize(
    ("headers", "query", "session", "bare"),
    [
        ({"authorization": "Bearer t1", "x-api-key": "k"}, "api_key=q", "Token s1", "s1"),
        ({"authorization": "Bearer t1", "x-api-key": "k"}, "api_key=q", None, "t1"),
        ({"x-api-key": "k"}, "api_key=q", None, "k"),
        ({}, "page=1&api_key=q%2B1&api_key=z", None, "q+1"),
        ({}, "access_token=q", None, "q"),
        ({"authorization": 'Digest username="x", response="1"', "x-api-key": "k"}, "", None, "k"),
    ],
)
def test_the_credential_is_the_digest_of_the_bare_secret(identify, headers, query, session, bare):
    assert identify(headers, query, {"session_token": session})[2] == digest(bare)


def test_nobody_has_no_credential(identify):
    assert identify({}, "page=1")[2] is None
    assert identify({"authorization": "Bearer t"}, fields={"session_token": ""})[2] is None, (
        "its callable failed"
    )


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.1", "1.2.3.4"),
        ("10.0.0.2", "10.0.0.3, 10.0.0.1", "10.0.0.3"),
        ("127.0.0.1", "1.2.3.4, unknown, 10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "garbage", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("127.0.0.1", '"[2001:db8::1]:443"', "2001:db8::1"),
        ("::ffff:127.0.0.1", "2001:DB8::1%eth0", "2001:db8::1"),
        ("", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("nonsense", "1.2.3.4", "nonsense"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
        ("::ffff:203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("::ffff:127.0.0.1", "garbage", "127.0.0.1"),
    ],
)
def test_forwarded_addresses_are_believed_from_trusted_proxies_only(peer, forwarded, client):
    proxies = Proxies(["127.0.0.0/8", "::1/128", "10.0.0.0/8"])
    assert proxies.client_ip(peer, forwarded) == client
    assert proxies.client_ip(peer, forwarded) == client, "the second time from memory"


ADDRESSES = (
    st.ip_addresses(v=4) | st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None)
).map(str)


@given(st.lists(ADDRESSES, min_size=1, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_the_client_is_the_first_address_from_the_right_that_is_not_trusted(hops, trust):
    trusted = [hop for hop, yes in zip(hops, trust, strict=False) if yes]
    untrusted = [hop for hop in hops if hop not in trusted]
    found = Proxies([*trusted, "127.0.0.1"]).client_ip("127.0.0.1", ", ".join(hops))
    if "127.0.0.1" not in hops:
        assert found == (untrusted[-1] if untrusted else hops[0])
