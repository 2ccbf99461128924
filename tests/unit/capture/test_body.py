from __future__ import annotations

import base64
import gzip
import json
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.body import Body, present
from tollkeeper.capture.mask import Verdicts
from tollkeeper.model.secret import MASK

LIMIT = 1000


def show(data, kind="", encoding="", *, truncated=False, masks=(), limit=LIMIT):
    headers = {"content-type": kind, "content-encoding": encoding}
    body = present(data, headers, Verdicts(masks), limit, truncated=truncated)
    value = (
        json.loads(msgspec.json.encode(body.value))
        if isinstance(body.value, msgspec.Raw)
        else body.value
    )
    return body._replace(value=value)


def test_json_without_secrets_is_sent_byte_for_byte():
    data = b'{"n": 1.50, "big": 123456789012345678901234567890, "a": [1 , 2]}'
    body = present(data, {"content-type": "application/json"}, Verdicts(), LIMIT, truncated=False)
    assert body == Body(body.value, "json")
    assert bytes(body.value) == data


def test_json_is_masked_through_lists_and_at_the_top():
    data = b'[{"password": "x", "a": [{"card": 1, "b": {"TOKEN": ["t"]}}]}]'
    expected = [{"password": MASK, "a": [{"card": MASK, "b": {"TOKEN": MASK}}]}]
    assert show(data, "application/json", masks=["Card"]) == Body(expected, "json")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/problem+json; charset=utf-8", "", "text/plain"]
)
def test_json_is_known_by_type_or_by_looks(kind):
    assert show(b' {"token": 1}', kind) == Body({"token": MASK}, "json")


@pytest.mark.parametrize("data", [b'{"a": NaN}', b'{"a": 1', b"{" * 5000, b'{"a": 1} x'])
def test_what_only_looks_like_json_is_text(data):
    assert show(data, "application/json") == Body(data.decode(), None)


def test_cut_json_is_masked_text_with_a_note():
    assert show(b'{"a": 1, "password": "hal', "application/json", truncated=True) == Body(
        f'{{"a": 1, "password": "{MASK}"', None, "truncated"
    )


def test_a_cut_inside_a_character_loses_only_that_character():
    data = "aé€😀".encode()
    for size in range(1, len(data)):
        body = show(data[:size], "text/plain", truncated=True)
        assert "aé€😀".startswith(body.value)
        assert size - len(body.value.encode()) < 4


def test_json_nested_deeper_than_the_collector_takes_is_text():
    deep = b'{"token": ' + b"[" * 60 + b"]" * 60 + b"}"
    assert show(deep, "application/json") == Body(f'{{"token": "{MASK}"', None)
    wide = b"[" + b",".join([b"[]"] * 200) + b"]"
    assert show(wide).transfer_encoding == "json"


def test_forms_become_objects():
    data = b"name=J%C3%B6rg+B&password=x&tag=a&tag=b&tag=c&flag="
    expected = {"name": "Jörg B", "password": MASK, "tag": ["a", "b", "c"], "flag": ""}
    assert show(data, "application/x-www-form-urlencoded; charset=utf-8") == Body(expected, "json")
    assert show(b"&".join([b"a=1"] * 1001), "application/x-www-form-urlencoded").value is None


def test_multipart_forms_become_objects_without_their_files():
    part = b'--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    data = part % (b"password", b"", b"hunter2") + part % (b"note", b"", b"hi")
    data += (
        part % (b"photo", b'; filename="me.png"\r\nContent-Type: image/png', b"\x89PNG")
        + b"--B--\r\n"
    )
    expected = {
        "password": MASK,
        "note": "hi",
        "photo": {"filename": "me.png", "content_type": "image/png", "bytes": 4},
    }
    assert show(data, 'multipart/form-data; boundary="B"') == Body(expected, "json")
    cut = show(data[:70], "multipart/form-data; boundary=B", truncated=True)
    assert cut == Body({"password": MASK}, "json", "truncated")
    assert show(data, "multipart/form-data").value == {}


def test_bytes_are_base64():
    data = bytes(range(256))
    assert show(data, "image/png") == Body(base64.b64encode(data).decode(), "base64")
    assert show(b"a\x00b") == Body(base64.b64encode(b"a\x00b").decode(), "base64")
    assert show(b"plain", "application/octet-stream").transfer_encoding == "base64"


def test_text_is_read_in_its_charset():
    assert show("é".encode("latin-1"), "text/plain; charset=ISO-8859-1") == Body("é", None)
    assert show(b"\xe9").transfer_encoding == "base64"
    assert show(b"<a/>", "image/svg+xml") == Body("<a/>", None)


@pytest.mark.parametrize("charset", ["", "martian", "undefined", "a\x00b", "base64", "punycode"])
def test_text_in_a_charset_that_cannot_be_read_still_shows_no_secret(charset):
    kind = f"application/json; charset={charset}"
    assert show(b'{"password": "s\xe9"}', kind) == Body(f'{{"password": "{MASK}"}}', None)
    sixteen = show('{"password": "é"}'.encode("utf-16-le"), "application/json")
    assert sixteen == Body(None, None, "not sent: neither text nor JSON")


def test_json_that_is_announced_as_a_form_is_masked_as_json():
    body = show(b' {"password": "s", "a": 1}', "application/x-www-form-urlencoded")
    assert body == Body({"password": MASK, "a": 1}, "json")
    assert show(b'\xef\xbb\xbf{"token": "s"}').value == f'\ufeff{{"token": "{MASK}"}}'


@pytest.mark.parametrize(
    "data",
    [
        b'{"password": "s3cret", "password": null}',
        b'{"a": {"password": "s3cret"}, "a": 1}',
        b'[{"a": [{"token" : "s3cret"}], "a": "\\":"}]',
    ],
)
def test_a_secret_does_not_hide_behind_a_member_of_the_same_name(data):
    body = present(data, {"content-type": "application/json"}, Verdicts(), LIMIT, truncated=False)
    assert b"s3cret" not in msgspec.json.encode(body.value)


def test_json_in_the_field_of_a_form_is_masked():
    data = b"payload=%7B%22token%22%3A%22s%22%7D&to=https://h/?token%3Ds"
    expected = {"payload": f'{{"token":"{MASK}"}}', "to": f"https://h/?token={MASK}"}
    assert show(data, "application/x-www-form-urlencoded") == Body(expected, "json")
    part = (
        b'--B\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{"token":"s"}\r\n--B--\r\n'
    )
    shown = show(part, "multipart/form-data; boundary=B")
    assert shown == Body({"payload": f'{{"token":"{MASK}"}}'}, "json")


def test_a_multipart_body_without_end_to_its_depth_is_not_sent():
    levels = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
        for n in range(1500)
    )
    body = show(levels, "multipart/form-data; boundary=b0")
    assert body == Body(None, None, "not sent: nested too deeply")


def test_compressed_bodies_are_unpacked_and_masked():
    data = b'{"token": "t", "a": 1}'
    raw = zlib.compressobj(wbits=-15)
    packed = [
        ("gzip", gzip.compress(data)),
        ("deflate", zlib.compress(data)),
        ("deflate", raw.compress(data) + raw.flush()),
    ]
    for encoding, body in packed:
        assert show(body, "application/json", encoding) == Body({"token": MASK, "a": 1}, "json")


def test_a_bomb_is_unpacked_to_the_limit_only():
    body = show(gzip.compress(b"a" * 50_000_000), "text/plain", "gzip")
    assert len(body.value) == LIMIT
    assert body.note == "truncated"


@pytest.mark.parametrize(
    ("data", "encoding"), [(b"x", "br"), (b"x", "zstd"), (b"not gzip", "gzip")]
)
def test_what_cannot_be_looked_into_is_not_sent(data, encoding):
    assert show(data, "application/json", encoding) == Body(None, None, f"not sent: {encoding}")


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            "",
            "application/json",
            "multipart/form-data; boundary=B",
            "application/x-www-form-urlencoded",
            "text/x; charset=utf-16",
        ]
    ),
    st.booleans(),
)
def test_any_bytes_of_any_type_can_be_encoded(data, kind, truncated):
    body = present(data, {"content-type": kind}, Verdicts(), LIMIT, truncated=truncated)
    json.loads(msgspec.json.encode(body.value))
