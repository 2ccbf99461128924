import pytest

from tollkeeper.identity import applications
from tollkeeper.identity.party import apply
from tollkeeper.store.records import write

PEPPER = b"p" * 32
NOW = 1_700_000_000_000_000


@pytest.fixture
def known(records):
    """A few users and customers, as SDKs told of them."""
    application = applications.listing(records)[0].id
    said = [
        ("users", {"user_id": "alice", "company_id": "acme", "metadata": {"email": "a@x.test"}}),
        ("users", {"user_id": "team/bob", "metadata": {"email": "b@y.test", "big": 10**30}}),
        ("users", {"user_id": "50%", "session_token": "tok", "metadata": {"city": "Köln"}}),
        ("companies", {"company_id": "acme", "company_domain": "x.test"}),
        ("subscriptions", {"subscription_id": "s1", "company_id": "acme", "status": "active"}),
    ]
    with write(records) as connection:
        for resource, item in said:
            apply(connection, application, resource, item, NOW, pepper=PEPPER)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", ["50%", "alice", "team/bob"]),
        ("ALI", ["alice"]),
        ("y.test", ["team/bob"]),
        ("Köln", ["50%"]),
        ("%", ["50%"]),
        ("_", []),
        ("nobody", []),
    ],
)
def test_users_are_found_by_id_and_attributes(client, known, q, expected):
    users = client.get("/api/users", params={"q": q}).json()["users"]
    assert [user["id"] for user in users] == expected


def test_a_listed_user_shows_attributes_and_customer(client, known):
    (alice,) = client.get("/api/users", params={"q": "alice"}).json()["users"]
    assert alice == {
        "id": "alice",
        "attributes": {"email": "a@x.test"},
        "customer": "acme",
        "created_at": "2023-11-14T22:13:20.000000Z",
        "modified_at": "2023-11-14T22:13:20.000000Z",
    }


def test_pages_of_users_hold_each_once(client, known):
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get("/api/users", params={"limit": 1, "cursor": cursor}).json()
        seen += [user["id"] for user in page["users"]]
        cursor = page["next_cursor"]
    assert seen == ["50%", "alice", "team/bob"]


def test_a_user_shows_its_customers_and_aliases(client, known):
    user = client.get("/api/users/50%25").json()
    assert [alias["learned"] for alias in user["aliases"]] == [True]
    assert user["customers"] == []
    alice = client.get("/api/users/alice").json()
    assert [alias["customer"] for alias in alice["customers"]] == ["acme"]


def test_ids_with_slashes_and_huge_numbers_can_be_shown(client, known):
    bob = client.get("/api/users/team/bob").json()
    assert bob["attributes"]["big"] == 10**30


def test_a_customer_shows_its_subscriptions_and_users(client, known):
    acme = client.get("/api/customers/acme").json()
    assert acme["attributes"] == {"company_domain": "x.test"}
    assert [one["id"] for one in acme["subscriptions"]] == ["s1"]
    assert [one["user"] for one in acme["aliases"]] == ["alice"]
    assert [one["id"] for one in client.get("/api/customers").json()["customers"]] == ["acme"]


@pytest.mark.parametrize("path", ["/api/users/nobody", "/api/customers/none", "/api/users/a%00"])
def test_what_nobody_knows_is_not_found(client, known, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"q": "a\0"}, "q"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_bad_parameters_are_named(client, known, parameters, field):
    answer = client.get("/api/users", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
