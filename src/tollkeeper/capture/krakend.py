"""A pasted KrakenD configuration, unwrapped to the options of its `telemetry/moesif` object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tollkeeper.errors import InvalidSettings

NAMESPACE = "telemetry/moesif"
_COMMENT = ("@", "$", "_", "#")


def unwrap(given: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """The option object inside whatever was pasted.

    Shape: the whole `krakend.json` (with `extra_config`), the `extra_config` object, or the
    `telemetry/moesif` object; a plain dict of options passes unchanged. Text that starts with `{`
    is JSON, other text is a path.

    Raises:
        InvalidSettings: when there is no such object, or the text is not JSON.
    """
    document = given if isinstance(given, Mapping) else _parse(given)
    if "extra_config" in document:
        document = document["extra_config"]
        if not isinstance(document, Mapping) or NAMESPACE not in document:
            raise InvalidSettings(f"extra_config has no {NAMESPACE} object", field="extra_config")
    if NAMESPACE in document:
        document = document[NAMESPACE]
        if not isinstance(document, Mapping):
            raise InvalidSettings(f"{NAMESPACE} must be an object", field=NAMESPACE)
    return dict(document)


def without_comments(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same object without the keys that KrakenD takes for comments (@ $ _ # in front)."""
    return {key: value for key, value in options.items() if not key.startswith(_COMMENT)}


def _parse(given: str | Path) -> Mapping[str, Any]:
    """The JSON object in a text or a file."""
    text, origin = str(given), "the pasted configuration"
    if isinstance(given, Path) or not text.lstrip().startswith("{"):
        origin = text
        try:
            text = Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidSettings(f"cannot read {origin}: {error.strerror}") from error
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidSettings(f"{origin} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidSettings(f"{origin} is not a JSON object")
    return document
