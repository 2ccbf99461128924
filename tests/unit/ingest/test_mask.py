import msgspec
import pytest

from tollkeeper.ingest.mask import headers_text, json_text, uri_text

SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "uri",
    [
        f"https://h/p?api_key={SECRET}",
        f"https://h/p?a=1&%61pi_key={SECRET}",
        f"https://h/p?a=1;access_token={SECRET}",
        f"https://h/cb#access_token={SECRET}&state=1",
        f"https://h/p?x=1?token={SECRET}",
        f"https://user:{SECRET}@h/p",
    ],
)
def test_no_secret_is_left_in_an_address(uri: str) -> None:
    assert SECRET not in uri_text(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://h/p",
        "https://h/p?a=1&b=&c",
        "https://h/p?q=a%20b;c=d#part",
        "/relative?page=2",
        "x",
    ],
)
def test_an_address_without_secrets_stays_as_it_is(uri: str) -> None:
    assert uri_text(uri) == uri


@pytest.mark.parametrize(
    "body",
    [
        f'{{"password": "{SECRET}"}}',
        f'[{{"a": {{"token": "{SECRET}"}}}}]',
        f'{{"password": "{SECRET}", "password": null}}',
        f'{{"pass\\u0077ord": "{SECRET}"}}',
        f'{{"pass\\u0077ord": "{SECRET}", "password": "[masked]"}}',
    ],
)
def test_no_secret_is_left_in_a_body(body: str) -> None:
    assert SECRET not in json_text(msgspec.Raw(body.encode()))


def test_a_body_without_secrets_keeps_its_text_to_the_digit() -> None:
    body = '{"amount": 1.10, "big": 100000000000000000000001, "note": "a \\"key\\": b"}'
    assert json_text(msgspec.Raw(body.encode())) == body


def test_headers_are_in_lower_case_with_secrets_masked() -> None:
    text = headers_text({"Authorization": SECRET, "X-Two": ["a", "b"], "Accept": "*/*"})
    assert msgspec.json.decode(text) == {
        "authorization": "[masked]",
        "x-two": "a, b",
        "accept": "*/*",
    }
