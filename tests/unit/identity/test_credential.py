import hashlib
import hmac
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.errors import InvalidSettings
from tollkeeper.identity.credential import (
    digest_from_secret,
    digest_from_sha256,
    is_digest,
    load_pepper,
)
from tollkeeper.model.secret import bare_credential

PEPPER = bytes(range(32))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer abc", "abc"),
        ("bearer   abc ", "abc"),
        ("TOKEN abc", "abc"),
        ("Basic dXNlcjpwdw==", "dXNlcjpwdw=="),
        ("ApiKey k-1", "k-1"),
        ("Key\tk-1", "k-1"),
        ("abc", "abc"),
        ("  abc ", "abc"),
        ("Bearer", "Bearer"),
        ("Bearer ", "Bearer"),
        ("Bearerabc", "Bearerabc"),
        ("Digest abc", "Digest abc"),
        ("Bearer Bearer abc", "Bearer abc"),
        ("", ""),
    ],
)
def test_the_bare_credential_has_no_scheme_before_it(value, expected):
    assert bare_credential(value) == expected


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
        lambda s: bare_credential(s) == s
    )
)
def test_a_host_that_sends_only_sha256_and_an_sdk_that_sends_the_token_give_one_digest(token):
    sent = hashlib.sha256(token.encode()).hexdigest()
    digest = digest_from_secret(PEPPER, token)
    assert digest_from_sha256(PEPPER, sent) == digest
    assert digest_from_sha256(PEPPER, sent.upper()) == digest
    assert digest_from_secret(PEPPER, f"Bearer {token}") == digest
    assert is_digest(digest)


def test_the_digest_is_a_truncated_hmac_of_the_sha256():
    inner = hashlib.sha256(b"secret-token").hexdigest()
    expected = hmac.new(PEPPER, inner.encode(), "sha256").hexdigest()[:32]
    assert digest_from_secret(PEPPER, "secret-token") == expected


def test_another_pepper_gives_another_digest():
    assert digest_from_secret(PEPPER, "t") != digest_from_secret(b"x" * 32, "t")


def test_text_that_is_no_valid_unicode_has_a_digest_too():
    assert is_digest(digest_from_secret(PEPPER, "\ud800\0"))


def test_a_secret_sent_where_the_sha256_belongs_counts_as_that_secret():
    key = "k" * 64
    assert digest_from_sha256(PEPPER, key) == digest_from_secret(PEPPER, key)


def test_the_pepper_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path):
    pepper = load_pepper(tmp_path)
    assert len(pepper) == 32
    assert load_pepper(tmp_path) == pepper
    assert stat.S_IMODE((tmp_path / "pepper").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["pepper"]


def test_processes_that_start_at_once_end_with_the_same_pepper(tmp_path: Path):
    found: list[bytes] = []
    start = threading.Barrier(8)

    def load() -> None:
        start.wait()
        found.append(load_pepper(tmp_path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("content", ["", "abc", "00" * 31, "zz" * 32])
def test_a_broken_pepper_stops_the_start_instead_of_being_replaced(tmp_path: Path, content: str):
    (tmp_path / "pepper").write_text(content)
    with pytest.raises(InvalidSettings) as caught:
        load_pepper(tmp_path)
    assert caught.value.field == "pepper"
    assert (tmp_path / "pepper").read_text() == content
