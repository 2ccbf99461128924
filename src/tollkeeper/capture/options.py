"""What the host may set: KrakenD's `telemetry/moesif` options by their names, then ours, then the host's callables.

`read_options` gathers them from the environment, a Python dict, a pasted KrakenD configuration and
keyword arguments, later ones winning in that order, and refuses what it does not know.

Source: the option list of KrakenD's Moesif page (one deviation: `log_body` is false here).
"""

from __future__ import annotations

import difflib
import inspect
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tollkeeper.capture.krakend import unwrap, without_comments
from tollkeeper.capture.stats import LOGGER
from tollkeeper.config import PREFIX, ServerSettings, rows, unknown_key
from tollkeeper.errors import InvalidSettings

CALLABLES = (
    "identify_user",
    "identify_company",
    "get_session_token",
    "get_metadata",
    "skip",
    "mask_event",
)
"""The names of the host's callables; `identify_company` may also be an object of one strategy."""

_MISTYPED = 0.9  # of the whole name, of which the prefix alone is a good part

Names = tuple[str, ...]
Loopback: Names = ("127.0.0.0/8", "::1/128")


class CompanyStrategy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the company of a call is found; exactly one field is set."""

    header: str | None = None
    jwt_claim: str | None = None
    query_string: str | None = None


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set in the host, checked.

    Guarantee: frozen; `repr` shows no secret.
    """

    application_id: Annotated[
        str,
        Meta(min_length=1, description="Collector id of the application", extra={"secret": True}),
    ]
    batch_size: Annotated[
        int, Meta(ge=1, description="Events per upload; a full batch leaves at once")
    ] = 200
    debug: Annotated[
        bool, Meta(description="Log what capture does, without any captured content")
    ] = False
    event_queue_size: Annotated[
        int, Meta(ge=1, description="Events held in memory; the newest is refused beyond it")
    ] = 1_000_000
    identify_company: Annotated[
        CompanyStrategy | None, Meta(description="One of header, jwt_claim, query_string")
    ] = None
    log_body: Annotated[bool, Meta(description="Send request and response bodies, masked")] = False
    request_body_masks: Annotated[
        Names, Meta(description="Further keys masked at any depth of request bodies")
    ] = ()
    request_header_masks: Annotated[Names, Meta(description="Further request headers to mask")] = ()
    response_body_masks: Annotated[
        Names, Meta(description="Further keys masked at any depth of response bodies")
    ] = ()
    response_header_masks: Annotated[
        Names, Meta(description="Further response headers to mask")
    ] = ()
    should_skip: Annotated[
        str, Meta(description="CEL expression; true means: do not report the call")
    ] = ""
    timer_wake_up_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="A batch leaves when its oldest event is this old",
            extra={"unit": "seconds"},
        ),
    ] = 2
    user_id_headers: Annotated[
        Names, Meta(description="Headers that may name the user; the first one present decides")
    ] = ("Authorization",)
    user_id_jwt_claim: Annotated[
        str, Meta(min_length=1, description="Claim of a bearer JWT that names the user")
    ] = "sub"
    metadata: Annotated[
        dict[str, Any] | None, Meta(description="Attached to each event under the key `krakend`")
    ] = None

    url: Annotated[str, Meta(description="Base address of the collector")] = "http://127.0.0.1:8600"
    api_version: Annotated[
        str | None, Meta(description="Version of the host's API, sent with each event")
    ] = None
    queue_bytes: Annotated[
        int, Meta(ge=1, description="Memory for waiting events", extra={"unit": "bytes"})
    ] = 64 * 1024 * 1024
    body_limit_bytes: Annotated[
        int,
        Meta(ge=0, description="Of each body at most this much is kept", extra={"unit": "bytes"}),
    ] = 100_000
    spool_directory: Annotated[
        str | None, Meta(description="Folder where events outlive an outage or a crash of the host")
    ] = None
    spool_bytes: Annotated[
        int, Meta(ge=1, description="Room of one process in the spool", extra={"unit": "bytes"})
    ] = 1024 * 1024 * 1024
    flush_deadline_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="How long the exit may wait for the last batch",
            extra={"unit": "seconds"},
        ),
    ] = 5
    timeout_seconds: Annotated[
        float,
        Meta(
            gt=0, description="Longest wait for the collector's answer", extra={"unit": "seconds"}
        ),
    ] = 10
    trusted_proxies: Annotated[
        Names, Meta(description="Networks whose X-Forwarded-For is believed")
    ] = Loopback
    jwt_key: Annotated[
        str | None,
        Meta(
            description="Verifies JWTs: an HMAC secret or a PEM public key", extra={"secret": True}
        ),
    ] = None
    jwks: Annotated[
        dict[str, Any] | str | None,
        Meta(
            description="Verifies JWTs: a JSON Web Key Set or the path of one",
            extra={"secret": True},
        ),
    ] = None
    jwt_algorithms: Annotated[
        Names,
        Meta(description="Algorithms allowed for verification; by default those that fit the key"),
    ] = ()
    jwt_leeway_seconds: Annotated[
        float, Meta(ge=0, description="Grace for exp and nbf", extra={"unit": "seconds"})
    ] = 30
    sample_rate: Annotated[
        float,
        Meta(gt=0, le=100, description="Share of calls that are sent", extra={"unit": "percent"}),
    ] = 100
    sample_rules: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            description="Own rates for some users, companies, methods, routes, statuses; first match wins"
        ),
    ] = ()

    identify_user: Annotated[Any, Meta(description="Callable (request, response) -> user id")] = (
        None
    )
    identify_company_by: Annotated[
        Any,
        Meta(description="Callable (request, response) -> company id; given as identify_company"),
    ] = None
    get_session_token: Annotated[
        Any, Meta(description="Callable (request, response) -> credential")
    ] = None
    get_metadata: Annotated[Any, Meta(description="Callable (request, response) -> dict")] = None
    skip: Annotated[
        Any, Meta(description="Callable (request, response) -> true to leave the call out")
    ] = None
    mask_event: Annotated[
        Any, Meta(description="Callable (event) -> event, the last word on what is sent")
    ] = None

    def __repr__(self) -> str:
        """The options that differ from their defaults, secrets hidden."""
        shown = []
        for row in rows(Options):
            value = getattr(self, row.name)
            if row.secret and value:
                shown.append(f"{row.name}=<hidden>")
            elif value != row.default:
                shown.append(f"{row.name}={value!r}")
        return f"Options({', '.join(shown)})"

    @property
    def callables(self) -> dict[str, Callable[..., Any]]:
        """The host's callables that are set, by the name the host gave them under."""
        named = {name: getattr(self, name) for name in CALLABLES if name != "identify_company"}
        named["identify_company"] = self.identify_company_by
        return {name: function for name, function in named.items() if function is not None}

    @property
    def asynchronous(self) -> frozenset[str]:
        """The names of those callables that are coroutine functions."""
        return frozenset(
            name for name, function in self.callables.items() if is_coroutine_function(function)
        )


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """True for `async def`, partials of it, and objects whose `__call__` is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        vars(type(function)).get("__call__")
    )


def read_options(
    given: Options | Mapping[str, Any] | str | Path | None = None,
    /,
    *,
    environment: Mapping[str, str] | None = None,
    **arguments: Any,
) -> Options:
    """The checked options of this host.

    Sources, later ones win: defaults; environment (`TOLLKEEPER_<NAME>`, lists comma separated or
    JSON); `given`: a dict of options, or a KrakenD configuration (the whole of it, its
    `extra_config`, or the `telemetry/moesif` object alone; as dict, JSON text or path); keyword
    arguments, where None means not given. Keys that start with @ $ _ # are comments.

    Raises:
        InvalidSettings: names the unknown key and its nearest known one, or the key whose value
            has the wrong type, and what was expected.
    """
    environment = os.environ if environment is None else environment
    values = _from_environment(environment)
    if isinstance(given, Options):
        values.update({row.name: getattr(given, row.name) for row in rows(Options)})
    elif given is not None:
        plain = without_comments(unwrap(given))
        values.update({key: value for key, value in plain.items() if value is not None})
    values.update({key: value for key, value in arguments.items() if value is not None})
    if not values.get("application_id"):
        _warn_of_mistyped(environment)
    return _check(values)


def _warn_of_mistyped(environment: Mapping[str, str]) -> None:
    """Names the variables that look like an option of ours and are none, nor a setting of the server."""
    ours = [row.environment for row in rows(Options)]
    servers = {row.environment for row in rows(ServerSettings)}
    for name in environment:
        if not name.startswith(PREFIX) or name in ours or name in servers:
            continue
        near = difflib.get_close_matches(name, ours, n=1, cutoff=_MISTYPED)
        if near:
            LOGGER.warning("the variable %s is no option; did you mean %s?", name, near[0])


def _check(values: dict[str, Any]) -> Options:
    """The options made of raw values, each of the right type and in bounds."""
    known = {row.name for row in rows(Options)} - {"identify_company_by"}
    for key in values:
        if key not in known and key != "identify_company_by":
            raise unknown_key(key, known)
    _take_company(values)
    if values.get("should_skip") in (None, []):  # KrakenD's page prints [] as its default
        values.pop("should_skip", None)
    if isinstance(values.get("spool_directory"), Path):
        values["spool_directory"] = str(values["spool_directory"])
    if not values.get("application_id"):
        raise InvalidSettings(
            "application_id is required: the collector id of your application"
            f" (or set {PREFIX}APPLICATION_ID)",
            field="application_id",
        )
    try:
        options = msgspec.convert(values, Options, strict=True)
    except msgspec.ValidationError as error:
        raise _named(error) from error
    _check_meaning(options)
    return options


def _take_company(values: dict[str, Any]) -> None:
    """Tells the two meanings of `identify_company` apart: a callable, or an object of one strategy."""
    company = values.get("identify_company")
    if callable(company):
        values["identify_company_by"] = values.pop("identify_company")
    elif isinstance(company, Mapping):
        company = values["identify_company"] = without_comments(company)
        unknown = [key for key in company if key not in CompanyStrategy.__struct_fields__]
        if unknown:
            raise unknown_key(f"identify_company.{unknown[0]}", _strategies())
        chosen = [key for key, value in company.items() if value is not None]
        if len(chosen) > 1:
            raise InvalidSettings(
                f"identify_company takes one strategy, {' and '.join(chosen)} are two; keep one of them",
                field="identify_company",
            )
        if not chosen or company[chosen[0]] == "":
            raise InvalidSettings(
                f"identify_company names no strategy; set one of {', '.join(_strategies())}",
                field="identify_company",
            )


def _strategies() -> list[str]:
    """The company strategies by their full names."""
    return [f"identify_company.{name}" for name in CompanyStrategy.__struct_fields__]


def _named(error: msgspec.ValidationError) -> InvalidSettings:
    """The same error, led by the name of the option instead of a JSON path."""
    text, _, path = str(error).partition(" - at `$.")
    name = path.rstrip("`")
    return InvalidSettings(
        f"{name}: {text[:1].lower()}{text[1:]}", field=re.split(r"[.\[]", name)[0]
    )


def _check_meaning(options: Options) -> None:
    """Refuses values of the right type that cannot work."""
    if not re.fullmatch(r"[\x21-\x7e]+", options.application_id):
        raise InvalidSettings(
            "application_id: must be printable ASCII without spaces", field="application_id"
        )
    if not _is_web_address(options.url):
        raise InvalidSettings(f"url: {options.url!r} is no http or https address", field="url")
    for network in options.trusted_proxies:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise InvalidSettings(f"trusted_proxies: {error}", field="trusted_proxies") from error
    for name, function in options.callables.items():
        if not callable(function):
            raise InvalidSettings(
                f"{name}: expected a callable, got {type(function).__name__}", field=name
            )


def _is_web_address(url: str) -> bool:
    """True for an address that can be connected to."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        return False


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values that variables of our prefix set, converted from text.

    Variables that no option knows are left alone: the server shares the prefix.
    """
    values: dict[str, Any] = {}
    for row in rows(Options):
        text = environment.get(PREFIX + row.name.upper())
        if text is None or (row.name in CALLABLES and row.name != "identify_company"):
            continue
        values[row.name] = _from_text(row.name, row.type, text)
    values.pop("identify_company_by", None)
    return values


_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
    "": False,
}


def _from_text(name: str, kind: str, text: str) -> Any:
    """One value out of the environment; text that does not fit is left for the type check to refuse."""
    stripped = text.strip()
    if kind == "bool":
        return _FLAGS.get(stripped.lower(), text)
    if kind.startswith("tuple") and not stripped.startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind in ("int", "float") or (stripped.startswith(("{", "[")) and kind != "str"):
        try:
            return msgspec.json.decode(stripped)
        except msgspec.DecodeError:
            if stripped.startswith(("{", "[")):
                raise InvalidSettings(
                    f"{PREFIX}{name.upper()}: is not valid JSON", field=name
                ) from None
    return text
