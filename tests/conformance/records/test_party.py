import json

import pytest
from sqlalchemy import select

from tollkeeper.errors import InvalidInput
from tollkeeper.identity.bindings import Statement, put
from tollkeeper.identity.credential import digest_from_secret
from tollkeeper.identity.ledger import CREDENTIAL, USER, Ledger
from tollkeeper.identity.party import apply
from tollkeeper.identity.timeline import FOREVER_US, Owner, Span
from tollkeeper.store.records import last_version, read, write
from tollkeeper.store.tables import bindings, customers, subscriptions, users

APP = "app_1"
NOW = 1_000_000
PEPPER = b"p" * 32

# As moesif-nodejs and moesifapi (Python) sent them.
NODE_USER = {
    "user_id": "alice",
    "company_id": "acme",
    "modified_time": None,
    "metadata": {"email": "alice@example.test", "plan": "free"},
    "campaign": {},
}
PYTHON_USER = {
    "user_id": "alice",
    "company_id": "acme",
    "modified_time": "2026-01-01T00:00:00+00:00",
    "ip_address": None,
    "session_token": None,
    "user_agent_string": None,
    "metadata": {"email": "alice@example.test"},
    "campaign": {"utm_source": "news", "utm_medium": None, "gclid": None},
}
NODE_COMPANY = {
    "company_id": "acme",
    "modified_time": None,
    "company_domain": "example.test",
    "metadata": {"mrr": 10},
    "campaign": {"utm_source": "news"},
}
NODE_SUBSCRIPTION = {
    "subscription_id": "s1",
    "company_id": "acme",
    "current_period_start": "2026-01-01T00:00:00.000Z",
    "current_period_end": "2026-02-01T00:00:00.000Z",
    "status": "active",
}


def take(records, resource, *items, now=NOW):
    with write(records) as connection:
        for item in items:
            apply(connection, APP, resource, item, now, pepper=PEPPER)


def known(records, table, party):
    with read(records) as connection:
        query = select(table.c.attributes).where(table.c.application == APP, table.c.id == party)
        return json.loads(connection.execute(query).scalar_one())


def timeline(records, kind, key):
    with write(records) as connection:
        return Ledger(connection, APP).timeline(kind, key)


def everything(records):
    with read(records) as connection:
        return [
            connection.execute(select(table).order_by(*table.primary_key)).all()
            for table in (users, customers, subscriptions, bindings)
        ]


def digest(token):
    return digest_from_secret(PEPPER, token)


def test_a_user_is_created_with_its_customer(records):
    take(records, "users", NODE_USER)
    assert known(records, users, "alice") == {"email": "alice@example.test", "plan": "free"}
    assert known(records, customers, "acme") == {}
    assert timeline(records, USER, "alice") == (Span(0, FOREVER_US, Owner("", "acme")),)


def test_absent_and_empty_parts_change_nothing_and_metadata_is_merged_deeply(records):
    take(records, "users", {"user_id": "u", "metadata": {"a": {"x": 1, "y": [1, 2]}, "b": 1}})
    take(
        records,
        "users",
        {"user_id": "u", "company_id": "", "metadata": {"a": {"y": [3], "z": 2}, "b": None}},
        {"user_id": "u", "metadata": None, "campaign": {"utm_source": "", "gclid": None}},
        now=NOW + 1,
    )
    assert known(records, users, "u") == {"a": {"x": 1, "y": [3], "z": 2}, "b": None}
    assert timeline(records, USER, "u") == ()


def test_campaign_and_times_of_the_python_sdk_are_kept(records):
    take(records, "users", PYTHON_USER)
    assert known(records, users, "alice") == {
        "email": "alice@example.test",
        "campaign": {"utm_source": "news"},
        "modified_time": "2026-01-01T00:00:00+00:00",
    }


def test_a_company_is_created_and_merged(records):
    take(records, "companies", NODE_COMPANY, {"company_id": "acme", "metadata": {"size": "big"}})
    assert known(records, customers, "acme") == {
        "mrr": 10,
        "size": "big",
        "company_domain": "example.test",
        "campaign": {"utm_source": "news"},
    }


def test_a_subscription_is_created_and_changed(records):
    take(records, "subscriptions", NODE_SUBSCRIPTION)
    cancelled = {"subscription_id": "s1", "company_id": "acme", "status": "Cancelled"}
    plans = [{"plan_id": "gold", "price_id": "p1"}]
    take(records, "subscriptions", {**cancelled, "items": plans}, now=NOW + 1)
    take(records, "subscriptions", NODE_SUBSCRIPTION)
    with read(records) as connection:
        row = connection.execute(select(subscriptions)).one()
    assert (row.customer, row.status, row.modified_us) == ("acme", "cancelled", NOW + 1)
    assert json.loads(row.attributes) == {
        "current_period_start": "2026-01-01T00:00:00.000Z",
        "current_period_end": "2026-02-01T00:00:00.000Z",
        "items": plans,
    }


def test_a_user_that_moves_belongs_to_the_new_customer_from_then_on(records):
    take(records, "users", NODE_USER)
    take(records, "users", {"user_id": "alice", "company_id": "corp"}, now=NOW + 5)
    assert timeline(records, USER, "alice") == (
        Span(0, NOW + 5, Owner("", "acme")),
        Span(NOW + 5, FOREVER_US, Owner("", "corp")),
    )


@pytest.mark.parametrize("again", [(0, 1, 2), (0,), (1,), (1, 0), (2, 0, 1)])
def test_items_applied_again_change_nothing(records, again):
    history = [
        {**NODE_USER, "session_token": "tok"},
        {"user_id": "alice", "company_id": "corp", "metadata": {"plan": "gold"}},
        {"user_id": "alice", "session_token": ["tok", "tok2"], "metadata": {"plan": None}},
    ]
    for index, item in enumerate(history):
        take(records, "users", item, now=NOW + index)
    take(records, "companies", NODE_COMPANY, now=NOW)
    take(records, "subscriptions", NODE_SUBSCRIPTION, now=NOW)
    before = everything(records)
    for index in again:
        take(records, "users", history[index], now=NOW + index)
    take(records, "companies", NODE_COMPANY, now=NOW)
    take(records, "subscriptions", NODE_SUBSCRIPTION, now=NOW)
    assert everything(records) == before


def test_nothing_new_takes_no_version(records):
    take(records, "users", NODE_USER)
    with read(records) as connection:
        before = last_version(connection)
    take(records, "users", NODE_USER, now=NOW + 1)
    with read(records) as connection:
        assert last_version(connection) == before


def test_session_tokens_are_learned_and_kept_only_as_digests(records):
    take(records, "users", {"user_id": "alice", "session_token": ["Bearer tok-a", "tok-b"]})
    for token in ("tok-a", "tok-b"):
        (span,) = timeline(records, CREDENTIAL, digest(token))
        assert span == Span(0, FOREVER_US, Owner("alice", ""), learned=True)
    assert "tok-" not in repr(everything(records))


def test_a_session_token_never_moves_a_credential_that_an_administrator_stated(records):
    put(records, APP, [Statement(CREDENTIAL, digest("tok"), Owner("alice", "acme"))], NOW)
    take(records, "users", {"user_id": "mallory", "session_token": "tok"}, now=NOW + 1)
    take(records, "companies", {"company_id": "evil", "session_token": "tok"}, now=NOW + 1)
    stated = (Span(0, FOREVER_US, Owner("alice", "acme")),)
    assert timeline(records, CREDENTIAL, digest("tok")) == stated


def test_a_companys_session_token_leads_to_the_company(records):
    take(records, "companies", {"company_id": "acme", "session_token": "tok"})
    (span,) = timeline(records, CREDENTIAL, digest("tok"))
    assert span.owner == Owner("", "acme")
    take(records, "users", {"user_id": "alice", "session_token": "tok"})
    (span,) = timeline(records, CREDENTIAL, digest("tok"))
    assert span.owner == Owner("alice", "acme")


def test_a_company_that_shows_a_users_token_is_that_users_company(records):
    take(records, "users", {"user_id": "alice", "session_token": "tok"})
    take(records, "companies", {"company_id": "acme", "session_token": "tok"})
    assert timeline(records, USER, "alice") == (Span(0, FOREVER_US, Owner("", "acme")),)


def test_a_browsers_anonymous_user_is_known_by_its_anonymous_id(records):
    take(records, "users", {"anonymous_id": "anon-1", "metadata": {"page": "/"}})
    assert known(records, users, "anon-1") == {"page": "/", "anonymous_id": "anon-1"}


def test_numbers_as_ids_are_the_same_text_everywhere(records):
    take(records, "users", {"user_id": 513, "company_id": 7.0})
    assert timeline(records, USER, "513")[0].owner == Owner("", "7")


def test_what_python_sdks_write_can_be_stored(records):
    odd = {"nan": float("nan"), "s": "\ud800x\0", "big": 10**30, "\ud800": 1, "é": "ü"}
    take(records, "users", {"user_id": "u\ud800", "metadata": odd})
    assert known(records, users, "u?") == {
        "nan": None,
        "s": "?x\0",
        "big": 10**30,
        "?": 1,
        "é": "ü",
    }


def test_secrets_in_metadata_are_masked(records):
    take(records, "users", {"user_id": "u", "metadata": {"api_key": "k-1", "a": {"password": "p"}}})
    assert known(records, users, "u") == {"api_key": "[masked]", "a": {"password": "[masked]"}}


def nested(depth):
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("resource", "item", "field"),
    [
        ("users", {}, "user_id"),
        ("users", {"user_id": ""}, "user_id"),
        ("users", {"user_id": "  "}, "user_id"),
        ("users", {"user_id": True}, "user_id"),
        ("users", {"user_id": ["u"]}, "user_id"),
        ("users", {"user_id": "u\0"}, "user_id"),
        ("users", {"user_id": "u" * 513}, "user_id"),
        ("users", {"user_id": 10**5000}, "user_id"),
        ("users", {"user_id": "u", "company_id": {}}, "company_id"),
        ("users", {"user_id": "u", "metadata": [1]}, "metadata"),
        ("users", {"user_id": "u", "metadata": "text"}, "metadata"),
        ("users", {"user_id": "u", "metadata": nested(40)}, "metadata"),
        ("users", {"user_id": "u", "metadata": {"a": "x" * 70_000}}, "metadata"),
        ("users", {"user_id": "u", "metadata": {"a": 10**5000}}, "metadata"),
        ("users", {"user_id": "u", "campaign": 1}, "campaign"),
        ("users", {"user_id": "u", "session_token": {"a": 1}}, "session_token"),
        ("users", {"user_id": "u", "session_token": ["t"] * 101}, "session_token"),
        ("users", {"user_id": "u", "modified_time": "yesterday"}, "modified_time"),
        ("users", {"user_id": "u", "user_agent_string": "x" * 3000}, "user_agent_string"),
        ("companies", {"company_domain": "example.test"}, "company_id"),
        ("subscriptions", {"company_id": "acme"}, "subscription_id"),
        ("subscriptions", {"subscription_id": "s"}, "company_id"),
        ("subscriptions", {"subscription_id": "s", "company_id": "c", "items": {}}, "items"),
        ("subscriptions", {"subscription_id": "s", "company_id": "c", "items": [1]}, "items.0"),
        ("actions", {"user_id": "u"}, "resource"),
    ],
)
def test_a_bad_item_is_refused_with_its_field_and_leaves_nothing(records, resource, item, field):
    with write(records) as connection:
        with pytest.raises(InvalidInput) as caught:
            apply(connection, APP, resource, item, NOW, pepper=PEPPER)
        assert caught.value.field == field
        assert caught.value.detail
    assert everything(records) == [[], [], [], []]
