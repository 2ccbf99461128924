"""Who made a call: user, company and credential, read from the request by the host's rules.

Source: KrakenD's `user_id_headers`, `user_id_jwt_claim`, `identify_company`. One deviation: a
header that is present but empty counts as absent.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import parse_qsl

from tollkeeper.capture.call import Call
from tollkeeper.capture.jwt import Claims, Tokens, claim
from tollkeeper.capture.options import Options
from tollkeeper.model.secret import bare_credential, credential_digest, is_secret_name

Headers = Mapping[str, str]

_QUERY_KEYS = ("api_key", "apikey", "api-key", "key", "access_token", "subscription-key")
# These schemes sign each request anew: the header is no stable name for the caller.
_CHANGING = ("digest ", "aws4", "negotiate ", "ntlm ", "signature ", "hawk ", "oauth ", "dpop ")

_NO_PASSWORDS = (b"", b"x", b"x-oauth-basic", b"api_token", b"unused")
"""What stands in the place of a password where the user name is an API key."""


class Identifier:
    """Applies the host's identity rules to calls.

    Guarantee: no raw secret comes out of it; where a secret itself is configured to be the user id
    (a header like X-API-Key), or where it stands in the place of a Basic user name, the id is
    `key-` and the first 16 hex digits of its digest.
    """

    def __init__(self, options: Options, tokens: Tokens) -> None:
        self._tokens = tokens
        self._claim = options.user_id_jwt_claim
        self._headers = tuple(name.lower() for name in options.user_id_headers)
        company = options.identify_company
        self._company_header = (company.header or "").lower() if company else ""
        self._company_claim = (company.jwt_claim or "") if company else ""
        self._company_query = (company.query_string or "") if company else ""

    def identify(self, call: Call, headers: Headers) -> str | None:
        """Fills the call's user and company where the host's callables left None; returns the credential's digest.

        An empty text in a field means that its callable failed: it stays empty.
        """
        authorization = headers.get("authorization", "").strip()
        bare = bare_credential(authorization) if authorization else ""
        digest = credential_digest(bare) if bare else ""
        if call.user is None:
            call.user = self._user(call, headers, bare, digest)
        elif call.user and call.user in (bare, authorization, headers.get("x-api-key")):
            call.user = _short(call.user)  # the host's callable answered the secret itself
        if call.company is None and (
            self._company_header or self._company_claim or self._company_query
        ):
            call.company = self._company(call, headers, authorization, bare, digest)
        if call.session_token is not None:
            return (
                credential_digest(bare_credential(call.session_token))
                if call.session_token
                else None
            )
        if digest and not authorization.lower().startswith(_CHANGING):
            return digest
        key = headers.get("x-api-key", "").strip() or (_query_key(call.query) if call.query else "")
        return credential_digest(bare_credential(key)) if key else None

    def claims(self, call: Call, headers: Headers) -> Claims:
        """The claims of the call's bearer token, empty when there are none to be believed."""
        authorization = headers.get("authorization", "").strip()
        if authorization[:7].lower() != "bearer ":
            return {}
        bare = bare_credential(authorization)
        return self._tokens.claims(bare, credential_digest(bare), call.time_us) or {}

    def _user(self, call: Call, headers: Headers, bare: str, digest: str) -> str | None:
        """The user named by the first configured header that is there, successfully or not."""
        for name in self._headers:
            value = headers.get(name)
            if not value or not (value := value.strip()):
                continue
            if name in ("authorization", "proxy-authorization"):
                if name != "authorization":
                    bare = bare_credential(value)
                    digest = credential_digest(bare)
                return self._authorized(value, bare, digest, call.time_us)
            return _spoken(name, value)
        return None

    def _authorized(self, value: str, bare: str, digest: str, now_us: int) -> str | None:
        """The user in an Authorization header: the Basic user name or the bearer token's claim."""
        scheme = value[:7].lower()
        if scheme == "bearer ":
            claims = self._tokens.claims(bare, digest, now_us)
            return claim(claims, self._claim) if claims else None
        return _basic_user(bare) if scheme.startswith("basic ") else None

    def _company(
        self, call: Call, headers: Headers, authorization: str, bare: str, digest: str
    ) -> str | None:
        """The company by the host's one strategy."""
        if self._company_header:
            return _spoken(self._company_header, headers.get(self._company_header, "").strip())
        if self._company_claim:
            if authorization[:7].lower() != "bearer ":
                return None
            claims = self._tokens.claims(bare, digest, call.time_us)
            return claim(claims, self._company_claim) if claims else None
        for name, value in parse_qsl(call.query):
            if name == self._company_query:
                return _spoken(name, value)
        return None


def _spoken(name: str, value: str) -> str | None:
    """The value as an id: itself, or a short digest where the name says that it is a secret."""
    return _short(value) if value and _is_raw_secret(name) else value or None


def _short(secret: str) -> str:
    """What stands for a secret that serves as an id."""
    return f"key-{credential_digest(bare_credential(secret))[:16]}"


def _is_raw_secret(name: str) -> bool:
    """True for a header whose value is a secret as a whole, unlike Authorization, which is parsed."""
    return name.lower() not in ("authorization", "proxy-authorization") and is_secret_name(name)


def _basic_user(encoded: str) -> str | None:
    """The user name in Basic credentials, None when they are broken or name nobody.

    Without a real password beside it the name is the key: `curl -u sk_live_1234:` and the like.
    """
    try:
        pair = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    name, colon, password = pair.partition(b":")
    try:
        user = name.decode("utf-8")
    except UnicodeDecodeError:
        user = name.decode("latin-1")
    if user and colon and password.lower() in _NO_PASSWORDS:
        return _short(user)
    return user or None


def _query_key(query: str) -> str:
    """The API key in a query string, "" when there is none."""
    lowered = query.lower()
    if "key" not in lowered and "token" not in lowered:
        return ""
    found = {name.lower(): value for name, value in reversed(parse_qsl(query))}
    return next((found[name] for name in _QUERY_KEYS if name in found), "")
