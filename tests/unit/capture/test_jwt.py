from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import jwt as pyjwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.capture.jwk import read_keys
from tollkeeper.capture.jwt import Tokens, claim, decode
from tollkeeper.errors import InvalidSettings

SEED = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI1MTMiLCJuYW1lIjoiSm9obiBEb2UiLCJpYXQiOjE1MTYyMzkwMjJ9."
    "FPN2Bj5b6OUzeTJ7lrNQPWUkZnnBnhMFYeyMjJ_-tN0"
)
NOW_S = 1_800_000_000
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
KEYS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    **{name: ec.generate_private_key(curve) for name, curve in CURVES.items()},
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem_of(private):
    public = private.public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def jwk_of(private, algorithm, **more):
    made = pyjwt.algorithms.get_default_algorithms()[algorithm].to_jwk(
        private.public_key(), as_dict=True
    )
    return {**{name: value for name, value in made.items() if name != "key_ops"}, **more}


def read(token, *, key=None, jwks=None, algorithms=(), now_s=NOW_S, leeway=0):
    tokens = Tokens(read_keys(key, jwks, tuple(algorithms)), leeway_seconds=leeway)
    return tokens.claims(token, hashlib.sha256(token.encode()).hexdigest(), now_s * 1_000_000)


def b64(document):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_is_read_without_any_key():
    assert read(SEED)["sub"] == "513"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c",
        "..",
        f"{b64([1])}.{b64({})}.",
        f"{b64({})}.{b64('x')}.",
        "é.é.é",
        SEED + ".x",
        "x" * 20000,
        f"{b64({})}.{b64(b'{' * 5000)}.",
        f"{b64({})}.{b64({})}.+/",
    ],
)
def test_what_is_no_token_has_no_claims(text):
    assert decode(text) is None


@given(st.text())
def test_reading_never_raises(text):
    assert read(text) is None or isinstance(read(text), dict)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_shared_secret_verifies_hmac(algorithm):
    token = pyjwt.encode({"sub": "a"}, "s" * 64, algorithm)
    assert read(token, key="s" * 64)["sub"] == "a"
    assert read(token, key="t" * 64) is None
    head, _, signature = token.split(".")
    assert read(f"{head}.{b64({'sub': 'b'})}.{signature}", key="s" * 64) is None


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_public_key_verifies_as_pem_and_as_jwk(algorithm):
    token = pyjwt.encode({"sub": "a"}, KEYS[algorithm], algorithm, headers={"kid": "k1"})
    other = pyjwt.encode(
        {"sub": "a"},
        KEYS["ES256" if algorithm != "ES256" else "RS256"],
        "ES256" if algorithm != "ES256" else "RS256",
    )
    set_of_keys = {"keys": [jwk_of(KEYS[algorithm], algorithm, kid="k1")]}
    for source in (
        {"key": pem_of(KEYS[algorithm])},
        {"jwks": set_of_keys},
        {"jwks": json.dumps(set_of_keys)},
    ):
        assert read(token, **source)["sub"] == "a"
        assert read(other, **source) is None
        assert read(token[:-8] + "AAAAAAAA", **source) is None
        assert read(token.rpartition(".")[0] + ".AAAA", **source) is None


def test_a_certificate_is_a_public_key():
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "t")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(RSA.public_key())
    )
    builder = (
        builder.serial_number(1).not_valid_before(start).not_valid_after(start.replace(year=2036))
    )
    pem = builder.sign(RSA, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    assert read(pyjwt.encode({"sub": "a"}, RSA, "RS256"), key=pem)["sub"] == "a"


def test_a_public_key_never_serves_as_a_shared_secret():
    pem = pem_of(RSA)
    signed = f"{b64({'alg': 'HS256'})}.{b64({'sub': 'forged'})}"
    forged = signed + "." + b64(hmac.new(pem.encode(), signed.encode(), "sha256").digest())
    assert read(forged, key=pem) is None
    assert read(f"{b64({'alg': 'none'})}.{b64({'sub': 'forged'})}.", key=pem) is None


def test_only_allowed_algorithms_verify():
    token = pyjwt.encode({"sub": "a"}, "s" * 64, "HS512")
    assert read(token, key="s" * 64, algorithms=["HS512"])["sub"] == "a"
    assert read(token, key="s" * 64, algorithms=["HS256"]) is None


def test_a_key_id_chooses_the_key():
    old, new = ("o" * 32).encode(), ("n" * 32).encode()
    jwks = {
        "keys": [
            {"kty": "oct", "k": b64(old), "kid": "old"},
            {"kty": "oct", "k": b64(new), "kid": "new"},
        ]
    }
    assert (
        read(pyjwt.encode({"sub": "a"}, new, "HS256", headers={"kid": "new"}), jwks=jwks)["sub"]
        == "a"
    )
    assert read(pyjwt.encode({"sub": "a"}, new, "HS256", headers={"kid": "old"}), jwks=jwks) is None
    assert read(pyjwt.encode({"sub": "a"}, new, "HS256"), jwks=jwks)["sub"] == "a"


def test_a_key_set_is_read_from_a_file(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [{"kty": "oct", "k": b64(b"s" * 32)}]}))
    assert read(pyjwt.encode({"sub": "a"}, "s" * 32, "HS256"), jwks=str(file))["sub"] == "a"


def test_times_bound_what_is_believed():
    token = pyjwt.encode({"sub": "a", "nbf": NOW_S, "exp": NOW_S + 60}, "s" * 32, "HS256")
    assert read(token, key="s" * 32, now_s=NOW_S)
    assert read(token, key="s" * 32, now_s=NOW_S + 59)
    assert read(token, key="s" * 32, now_s=NOW_S + 60) is None
    assert read(token, key="s" * 32, now_s=NOW_S - 1) is None
    assert read(token, key="s" * 32, now_s=NOW_S + 80, leeway=30)
    assert read(token, now_s=NOW_S + 600), "without a key nothing is judged"


@pytest.mark.parametrize("bad", [{"exp": "soon"}, {"exp": True}, {"nbf": []}, {"exp": 1e300}])
def test_times_that_are_no_numbers_are_not_believed(bad):
    token = f"{b64({'alg': 'HS256'})}.{b64({'sub': 'a', **bad})}"
    token += "." + b64(hmac.new(b"s" * 32, token.encode(), "sha256").digest())
    assert read(token, key="s" * 32) is None


def test_an_unknown_critical_header_is_not_believed():
    token = f"{b64({'alg': 'HS256', 'crit': ['x']})}.{b64({'sub': 'a'})}"
    token += "." + b64(hmac.new(b"s" * 32, token.encode(), "sha256").digest())
    assert read(token, key="s" * 32) is None


def test_each_token_is_read_once_and_the_memory_of_tokens_is_bounded():
    tokens = Tokens()
    assert tokens.claims(SEED, "d", 0)["sub"] == "513"
    assert tokens.claims("changed", "d", 0)["sub"] == "513"
    for number in range(25_000):
        tokens.claims("x", str(number), 0)
    assert len(tokens._cache) <= 10_000


def test_the_memory_of_tokens_is_bounded_by_their_length_too():
    tokens = Tokens()
    long = f"e30.{b64({'sub': 's', 'a': [[]] * 2900})}.x123"
    for number in range(2000):
        assert tokens.claims(long, str(number), 0)["sub"] == "s"
    assert len(tokens._cache) * len(long) <= 4_000_000 + len(long)


def test_rejected_tokens_are_counted():
    tokens = Tokens(read_keys("k" * 32, None, ()))
    tokens.claims(SEED, "d", 0)
    assert tokens.rejected == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", None, ()),
            "no PEM public key",
        ),
        ((None, {"keys": []}, ()), "list `keys`"),
        ((None, "{", ()), "cannot be read"),
        ((None, "/no/such/file", ()), "cannot be read"),
        ((None, {"keys": [{"kty": "RSA", "n": "!"}]}, ()), "cannot be read"),
        ((None, {"keys": [{"kty": "oct", "k": "AA", "use": "enc"}]}, ()), "no key is left"),
        (("secret", None, ("RS256",)), "no key is left"),
        (("secret", None, ("none",)), "none is not one of"),
    ],
)
def test_keys_that_cannot_verify_are_refused_at_start(arguments, text):
    with pytest.raises(InvalidSettings, match=text):
        read_keys(*arguments)


def test_a_literal_claim_beats_a_nested_one():
    assert claim({"user.id": "flat", "user": {"id": "nested"}}, "user.id") == "flat"
    assert claim({"user": {"id": "nested"}}, "user.id") == "nested"
    assert (
        claim({"a.b": {"c": "long"}, "a": {"b.c": "short", "b": {"c": "deep"}}}, "a.b.c") == "long"
    )
    assert claim({"a": {"b.c": "short", "b": {"c": "deep"}}}, "a.b.c") == "short"
    assert claim({"user.id": 7, "user": {"id": "nested"}}, "user.id") is None, "the literal decides"


@pytest.mark.parametrize("value", [7, 1.5, None, True, [], ["a"], {}, ""])
def test_a_claim_that_is_no_text_names_nobody(value):
    assert claim({"sub": value}, "sub") is None


NAMES = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4).map(".".join)
TREES = st.recursive(
    st.text(max_size=2) | st.integers(),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def slow_find(tree, name):
    """Every way to cut the name, the longest first part tried first."""
    if name in tree:
        return [tree[name]]
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        inner = tree.get(".".join(parts[:cut]))
        if isinstance(inner, dict):
            found = slow_find(inner, ".".join(parts[cut:]))
            if found:
                return found
    return []


@given(st.dictionaries(NAMES, TREES, max_size=5), NAMES)
def test_claims_are_found_as_the_rule_says(tree, name):
    found = slow_find(tree, name)
    expected = found[0] if found and isinstance(found[0], str) and found[0] else None
    assert claim(tree, name) == expected
