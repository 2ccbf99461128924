"""`should_skip`: a CEL expression that decides which calls are not reported.

Variables and functions are KrakenD's, plus ours. The expression is compiled at start; its context
is made once and asks for variables only when the expression reads them, because filling a context
for each call costs more than all the rest of capture.

Source: KrakenD security policies; gateways notes 1.4 and 1.6.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import ipaddress
import re
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import parse_qs

from tollkeeper.capture.call import Call
from tollkeeper.clock import format_us
from tollkeeper.errors import InvalidSettings

Headers = Mapping[str, str]


class Seen:
    """What an expression can see of one call; each part is made when it is first asked for."""

    def __init__(
        self,
        call: Call,
        request: Headers,
        response: Headers,
        client_ip: str,
        claims: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.call = call
        self.client_ip = client_ip
        self.request = request
        self.response = response
        self._claims = claims
        self._query: dict[str, list[str]] | None = None
        self._jwt: Mapping[str, Any] | None = None

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, each with its values in order."""
        if self._query is None:
            self._query = parse_qs(self.call.query, keep_blank_values=True)
        return self._query

    @property
    def jwt(self) -> Mapping[str, Any]:
        """The claims of the bearer token."""
        if self._jwt is None:
            self._jwt = self._claims()
        return self._jwt

    @property
    def cookies(self) -> dict[str, str]:
        """The request's cookies."""
        pairs = (part.strip().partition("=") for part in self.request.get("cookie", "").split(";"))
        return {name: value for name, equals, value in pairs if equals}


def _listed(headers: Headers) -> dict[str, list[str]]:
    """Headers as KrakenD shows them: canonical names, lists of values."""
    return {
        "-".join(map(str.capitalize, name.split("-"))): [value] for name, value in headers.items()
    }


_VARIABLES: dict[str, Callable[[Seen], Any]] = {
    "req_method": lambda seen: seen.call.method,
    "req_path": lambda seen: seen.call.path,
    "req_headers": lambda seen: _listed(seen.request),
    "req_querystring": lambda seen: seen.query,
    "req_params": lambda seen: _params(seen.call),
    "now": lambda seen: format_us(seen.call.time_us)[:23] + "Z",
    "JWT": lambda seen: dict(seen.jwt),
    "resp_completed": lambda seen: seen.call.status > 0 and seen.call.outcome is None,
    "resp_metadata_status": lambda seen: seen.call.status,
    "resp_metadata_headers": lambda seen: _listed(seen.response),
    "user_id": lambda seen: seen.call.user or "",
    "company_id": lambda seen: seen.call.company or "",
    "customer": lambda seen: seen.call.company or "",
    "route": lambda seen: seen.call.route or seen.call.path,
    "duration_ms": lambda seen: seen.call.duration_us / 1000,
    "direction": lambda seen: seen.call.direction,
}


def _params(call: Call) -> dict[str, str]:
    """The path's placeholders by their names in the route, the first letter upper-case as in KrakenD."""
    found = {}
    for part, value in zip((call.route or "").split("/"), call.path.split("/"), strict=False):
        if part.startswith("{") and part.endswith("}"):
            name = part[1:-1]
            found[name[:1].upper() + name[1:]] = value
    return found


def _functions(seen: Callable[[], Seen]) -> dict[str, Callable[..., Any]]:
    """KrakenD's macros; those about the call read the one that is being judged."""
    return {
        "hasHeader": lambda name: name.lower() in seen().request,
        "getHeader": lambda name: seen().request.get(name.lower(), ""),
        "hasQuerystring": lambda name: name in seen().query,
        "getQuerystring": lambda name: seen().query.get(name, [""])[0],
        "hasCookie": lambda name: name in seen().cookies,
        "getCookie": lambda name: seen().cookies.get(name, ""),
        "hasClaim": lambda name: name in seen().jwt,
        "getClaim": lambda name: seen().jwt.get(name, ""),
        "ip": lambda: seen().client_ip,
        "between": lambda value, low, high: low <= value <= high,
        "isEmpty": lambda value: value is None or (hasattr(value, "__len__") and len(value) == 0),
        "inCIDR": _in_networks,
        "lower": lambda text: text.lower(),
        "upper": lambda text: text.upper(),
        "split": lambda text, separator: text.split(separator),
        "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    }


def _in_networks(address: str, networks: str | list[str]) -> bool:
    """True when the address lies in one of the networks."""
    ip = ipaddress.ip_address(address)
    listed = [networks] if isinstance(networks, str) else networks
    return any(ip in ipaddress.ip_network(network, strict=False) for network in listed)


class SkipRule:
    """A compiled `should_skip` expression; thread safe.

    Raises:
        InvalidSettings: at once, when its package is missing, the expression does not compile, or it
            names a variable that no call has.
    """

    def __init__(self, expression: str) -> None:
        try:
            cel = importlib.import_module("cel.cel")
        except ImportError as error:
            raise InvalidSettings(
                "should_skip needs the package common-expression-language, which is missing"
                " (pip install common-expression-language)",
                field="should_skip",
            ) from error
        try:
            self._program = cel.compile(expression)
        except ValueError as error:
            raise InvalidSettings(
                f"should_skip does not compile: {error}", field="should_skip"
            ) from error
        self._here = threading.local()
        functions = _functions(lambda: self._here.seen)
        self._check_names(expression, functions)
        self._context = cel.Context(functions=functions)
        self._context.set_variable_resolver(self._variable)

    def skips(self, seen: Seen) -> bool:
        """True when the expression says so; anything but a boolean is no.

        Raises:
            Exception: whatever the evaluation raises; the caller counts it and does not skip.
        """
        self._here.seen = seen
        try:
            return self._program.execute(self._context) is True
        finally:
            self._here.seen = None

    def _variable(self, name: str) -> Any:
        """One variable of the call that is being judged."""
        read = _VARIABLES.get(name)
        return None if read is None else read(self._here.seen)

    def _check_names(self, expression: str, functions: Mapping[str, Any]) -> None:
        """Refuses unknown variables and functions, which would fail at each call."""
        references = self._program.references()
        bound = set(_BOUND.findall(expression))
        _refuse("variable", references["variables"], {*_VARIABLES, *bound})
        named = [name for name in references["functions"] if name[0].isalpha()]
        _refuse("function", named, {*_NATIVE, *functions})


def _refuse(kind: str, used: list[str], known: Collection[str]) -> None:
    """Refuses the first name that is not known."""
    for name in used:
        if name not in known and not name.startswith("@"):
            near = difflib.get_close_matches(name, list(known), n=1)
            hint = (
                f"; did you mean {near[0]}?" if near else f", known are {', '.join(sorted(known))}"
            )
            raise InvalidSettings(f"should_skip: unknown {kind} {name}{hint}", field="should_skip")


_BOUND = re.compile(r"\.(?:all|exists|exists_one|filter|map)\s*\(\s*(\w+)\s*,")
_NATIVE_WORDS = """
    size contains startsWith endsWith matches int uint double string bytes bool type dyn timestamp duration
    has all exists exists_one filter map getFullYear getMonth getDayOfMonth getDate getDayOfWeek getDayOfYear
    getHours getMinutes getSeconds getMilliseconds max min
"""
_NATIVE = frozenset(_NATIVE_WORDS.split())
