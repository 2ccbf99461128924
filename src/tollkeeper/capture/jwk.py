"""Keys that verify JWTs: a shared secret, a PEM public key or certificate, a JSON Web Key Set.

HMAC needs the standard library only; RSA, elliptic curves and Ed25519 need `cryptography`, which
is loaded only when such a key is given.

Source: RFC 7517, RFC 7518, RFC 8037; RFC 8725 section 3.1: which algorithms a key may be used
with follows from the key, so that a public key never serves as a shared secret.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tollkeeper.errors import InvalidSettings

Verify = Callable[[bytes, bytes], bool]
"""Takes what was signed and the signature; true when the key made it."""

_HMAC = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {
    "secp256r1": ("ES256", "SHA256"),
    "secp384r1": ("ES384", "SHA384"),
    "secp521r1": ("ES512", "SHA512"),
}
_CURVE_NAMES = {"P-256": "SECP256R1", "P-384": "SECP384R1", "P-521": "SECP521R1"}
_KNOWN = (*_HMAC, *_RSA, "ES256", "ES384", "ES512", "EdDSA")
_URL_SAFE = str.maketrans({"-": "+", "_": "/", "+": "!", "/": "!"})


class Key(NamedTuple):
    """One verification key: its id (None matches any token), and a check for each allowed algorithm."""

    kid: str | None
    checks: Mapping[str, Verify]


def unbase64(text: str) -> bytes:
    """The bytes of unpadded base64url text.

    Raises:
        ValueError: for anything else.
    """
    padded = text.translate(_URL_SAFE).encode("ascii") + b"=" * (-len(text) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)


def read_keys(
    key: str | None, jwks: Mapping[str, Any] | str | None, algorithms: tuple[str, ...]
) -> tuple[Key, ...]:
    """The verification keys out of the options `jwt_key`, `jwks` and `jwt_algorithms`.

    Raises:
        InvalidSettings: for a key that cannot be read, an algorithm that is unknown or fits no
            key, or an asymmetric key where `cryptography` is not installed.
    """
    for name in algorithms:
        if name not in _KNOWN:
            raise InvalidSettings(
                f"jwt_algorithms: {name} is not one of {', '.join(_KNOWN)}", field="jwt_algorithms"
            )
    found: list[Key] = []
    if key:
        found.append(
            Key(None, _pem_checks(key) if "-----BEGIN" in key else _secret_checks(key.encode()))
        )
    if jwks:
        found.extend(_web_key(entry) for entry in _load_jwks(jwks))
    usable = [Key(each.kid, _allowed(each.checks, algorithms)) for each in found]
    usable = [each for each in usable if each.checks]
    if (key or jwks) and not usable:
        raise InvalidSettings(
            "no key is left that can verify: look at jwt_key, jwks, jwt_algorithms", field="jwt_key"
        )
    return tuple(usable)


def _allowed(checks: Mapping[str, Verify], algorithms: Iterable[str]) -> dict[str, Verify]:
    """The checks whose algorithm is on the list; an empty list allows all that fit the key."""
    wanted = set(algorithms) or set(checks)
    return {name: check for name, check in checks.items() if name in wanted}


def _load_jwks(jwks: Mapping[str, Any] | str) -> list[Mapping[str, Any]]:
    """The key objects of a set that is given as object, JSON text or path."""
    document: Any = jwks
    if isinstance(jwks, str):
        try:
            text = jwks if jwks.lstrip().startswith("{") else Path(jwks).read_text(encoding="utf-8")
            document = msgspec.json.decode(text)
        except (OSError, ValueError) as error:
            raise InvalidSettings(
                f"jwks: cannot be read ({type(error).__name__})", field="jwks"
            ) from error
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if (
        not isinstance(keys, list)
        or not keys
        or not all(isinstance(entry, Mapping) for entry in keys)
    ):
        raise InvalidSettings(
            "jwks: expected an object with a list `keys` that is not empty", field="jwks"
        )
    return keys


def _web_key(entry: Mapping[str, Any]) -> Key:
    """One member of a set; keys for encryption and of unknown kinds come back without checks."""
    kid = entry.get("kid")
    named = kid if isinstance(kid, str) else None
    if entry.get("use") not in (None, "sig"):
        return Key(named, {})
    try:
        checks = _web_checks(entry)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidSettings(
            f"jwks: the key {named or 'without kid'} cannot be read", field="jwks"
        ) from error
    algorithm = entry.get("alg")
    return Key(named, _allowed(checks, [algorithm] if isinstance(algorithm, str) else []))


def _web_checks(entry: Mapping[str, Any]) -> dict[str, Verify]:
    """The checks of one JSON Web Key by its kind."""
    kind = entry.get("kty")
    if kind == "oct":
        return _secret_checks(unbase64(entry["k"]))
    if kind == "RSA":
        rsa = _cryptography("hazmat.primitives.asymmetric.rsa")
        return _public_checks(
            rsa.RSAPublicNumbers(_number(entry["e"]), _number(entry["n"])).public_key()
        )
    if kind == "EC" and entry.get("crv") in _CURVE_NAMES:
        ec = _cryptography("hazmat.primitives.asymmetric.ec")
        curve = getattr(ec, _CURVE_NAMES[entry["crv"]])()
        numbers = ec.EllipticCurvePublicNumbers(_number(entry["x"]), _number(entry["y"]), curve)
        return _public_checks(numbers.public_key())
    if kind == "OKP" and entry.get("crv") == "Ed25519":
        ed25519 = _cryptography("hazmat.primitives.asymmetric.ed25519")
        return _public_checks(ed25519.Ed25519PublicKey.from_public_bytes(unbase64(entry["x"])))
    return {}


def _number(text: str) -> int:
    """A big-endian number in base64url."""
    return int.from_bytes(unbase64(text), "big")


def _secret_checks(secret: bytes) -> dict[str, Verify]:
    """The checks of a shared secret."""
    return {name: _hmac_check(secret, name) for name in _HMAC}


def _hmac_check(secret: bytes, algorithm: str) -> Verify:
    """The check of one HMAC algorithm."""
    digest = _HMAC[algorithm]

    def check(signed: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.new(secret, signed, digest).digest(), signature)

    return check


def _pem_checks(pem: str) -> dict[str, Verify]:
    """The checks of a PEM public key, or of the key in a PEM certificate."""
    data = pem.encode()
    try:
        if "BEGIN CERTIFICATE" in pem:
            public = _cryptography("x509").load_pem_x509_certificate(data).public_key()
        else:
            public = _cryptography("hazmat.primitives.serialization").load_pem_public_key(data)
    except ValueError as error:
        raise InvalidSettings(
            "jwt_key: is no PEM public key or certificate", field="jwt_key"
        ) from error
    return _public_checks(public)


def _public_checks(public: Any) -> dict[str, Verify]:
    """The checks that fit a public key: by its kind, and for curves by its curve."""
    hashes = _cryptography("hazmat.primitives.hashes")
    curve = getattr(getattr(public, "curve", None), "name", "")
    if curve in _CURVES:
        name, digest = _CURVES[curve]
        return {name: _curve_check(public, getattr(hashes, digest)())}
    if hasattr(public, "public_bytes_raw") and type(public).__name__.endswith("Ed25519PublicKey"):
        return {"EdDSA": _check(lambda signed, signature: public.verify(signature, signed))}
    if hasattr(public, "public_numbers") and hasattr(public.public_numbers(), "n"):
        return {
            name: _rsa_check(public, name, getattr(hashes, f"SHA{name[2:]}")()) for name in _RSA
        }
    return {}


def _rsa_check(public: Any, name: str, digest: Any) -> Verify:
    """The check of one RSA algorithm: PKCS 1 v1.5 for RS, PSS for PS."""
    padding = _cryptography("hazmat.primitives.asymmetric.padding")
    scheme: Any = padding.PKCS1v15()
    if name.startswith("PS"):
        scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    return _check(lambda signed, signature: public.verify(signature, signed, scheme, digest))


def _curve_check(public: Any, digest: Any) -> Verify:
    """The check of one elliptic curve; a JWT's signature is the two numbers, one after the other."""
    width = (public.key_size + 7) // 8
    ecdsa = _cryptography("hazmat.primitives.asymmetric.ec").ECDSA(digest)
    encode = _cryptography("hazmat.primitives.asymmetric.utils").encode_dss_signature

    def verify(signed: bytes, signature: bytes) -> None:
        if len(signature) != 2 * width:
            raise ValueError("wrong length")
        pair = int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big")
        public.verify(encode(*pair), signed, ecdsa)

    return _check(verify)


def _check(verify: Callable[[bytes, bytes], Any]) -> Verify:
    """A check out of a function that raises when the signature is wrong."""
    invalid = _cryptography("exceptions").InvalidSignature

    def check(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signed, signature)
        except (invalid, ValueError):
            return False
        return True

    return check


def _cryptography(module: str) -> Any:
    """A module of `cryptography`, which a host needs only for asymmetric keys."""
    try:
        return importlib.import_module(f"cryptography.{module}")
    except ImportError as error:
        raise InvalidSettings(
            "verifying JWTs with a public key needs the package cryptography (pip install cryptography)",
            field="jwt_key",
        ) from error
