"""Which names hold secrets, and what stands for a secret: one rule for host and server.

The host masks by it before anything leaves the process, the server masks by it again. A name is
cut into words (`clientSecret`, `client-secret` and `client_secret` are the same two) and judged
by its last word that means anything, so that `access_token` is a secret and `prompt_tokens`,
`token_type` and `password_changed_at` are not. Where a name could be either, it is a secret: an
unknown word before `key` counts, a list of harmless keys is let through.
"""

from __future__ import annotations

import hashlib
import re

MASK = "[masked]"
"""What stands in the place of a secret."""

_MEMO_LIMIT = 8192
_NAME_LIMIT = 256
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _words(text: str) -> frozenset[str]:
    """A set of words, written as one text."""
    return frozenset(text.split())


_ALWAYS = _words(
    "password passwd passphrase passcode pwd pw secret secrets credential credentials cookie cookies "
    "authorization jwt bearer otp totp cvv cvc csc cvv2 cvc2 apikey apikeys passkey privatekey "
    "secretkey accesskey authkey sessionid phpsessid jsessionid aspsessionid sid csrf xsrf signature "
    "sig assertion samlresponse samlrequest mnemonic pin keyfile pem pkcs12 dsn auth authentication hmac dpop"
)
"""Words that make a secret of any name that ends in them."""

_ENDINGS = (
    "token",
    "password",
    "passwd",
    "secret",
    "apikey",
    "secretkey",
    "privatekey",
    "passphrase",
)
"""Endings of words written together (`csrfmiddlewaretoken`, `userpassword`)."""

_TAILS = _words(
    "value hash digest base64 b64 hex raw plain plaintext header string text data new old current previous "
    "confirm confirmed confirmation confirmations repeat again verify verification answer hint backup bytes encoded "
    "encrypted key keys token secret legacy primary secondary default live test prod"
)
"""Words after which a secret is still a secret (`password_confirmation`, `token_value`)."""

_HARMLESS_KEYS = _words(
    "idempotency sort primary foreign partition cache public publishable row object group order dedupe "
    "deduplication index map lookup natural surrogate composite unique hot storage routing shard sharding "
    "message translation i18n locale registry parent child field column range hash websocket translated "
    "document entity meta metadata attribute property label tag dict item custom join"
)
"""Words before `key` that make an address of it, not a secret."""

_PLURALS = _words("access refresh auth id session bearer api secret device push csrf xsrf security")
"""Words before `tokens` that make secrets of it; without one, tokens are something counted."""

_COMPOUND = frozenset(
    {
        ("session", "id"),
        ("sess", "id"),
        ("card", "number"),
        ("credit", "card"),
        ("creditcard", "number"),
        ("security", "code"),
        ("connection", "string"),
        ("recovery", "code"),
        ("recovery", "codes"),
        ("backup", "codes"),
        ("mfa", "code"),
        ("verification", "code"),
        ("otp", "code"),
        ("saml", "response"),
        ("saml", "request"),
        ("seed", "phrase"),
        ("social", "security"),
        ("security", "number"),
        ("cc", "number"),
        ("cc", "num"),
        ("card", "num"),
        ("card", "no"),
        ("pin", "code"),
        ("cvv", "code"),
        ("auth", "code"),
        ("authorization", "code"),
        ("device", "code"),
        ("code", "verifier"),
        ("recovery", "phrase"),
        ("mnemonic", "phrase"),
        ("user", "pass"),
        ("db", "pass"),
        ("oidc", "data"),
        ("x", "auth"),
        ("client", "cert"),
    }
)
_EXACT = frozenset(
    {"key", "keys", "creditcard", "cardnumber", "ssn", "session", "pan", "pass", "x-session"}
)

_SCHEMES = _words("bearer token basic apikey key")
_memo: dict[str, bool] = {}


def bare_credential(text: str) -> str:
    """The credential without a leading scheme word (Bearer, Token, Basic, ApiKey, Key) and outer spaces."""
    text = text.strip()
    parts = text.split(None, 1)
    return parts[1] if len(parts) == 2 and parts[0].lower() in _SCHEMES else text


def credential_digest(bare: str) -> str:
    """What leaves the host in the place of a bare credential: its SHA-256, 64 hex digits."""
    return hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()


def is_secret_name(name: str) -> bool:
    """True when a value under this header, parameter or key name must not be kept.

    Guarantee: case, dashes, underscores and camel case make no difference; thread safe. A known
    name costs one dictionary lookup; the memory of names is bounded.
    """
    known = _memo.get(name)
    if known is not None:
        return known
    answer = _judge(name[-_NAME_LIMIT:])
    if len(name) <= _NAME_LIMIT:
        if len(_memo) >= _MEMO_LIMIT:
            _memo.clear()
        _memo[name] = answer
    return answer


def _judge(name: str) -> bool:
    """The verdict on one name, uncached."""
    if name.lower() in _EXACT:
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    for end in range(len(words), 0, -1):
        if _ends_in_secret(words[:end]):
            return True
        if words[end - 1] not in _TAILS and not words[end - 1].isdigit():
            return False
    return False


def _ends_in_secret(words: list[str]) -> bool:
    """True when the last word, with the ones before it, names a secret."""
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last in _ALWAYS or last.endswith(_ENDINGS) or (before, last) in _COMPOUND:
        return True
    if last in ("key", "keys"):
        return bool(before) and before not in _HARMLESS_KEYS
    return last == "tokens" and before in _PLURALS
