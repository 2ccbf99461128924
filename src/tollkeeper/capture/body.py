"""Bodies as they are sent: JSON where it is JSON, text where it is text, base64 otherwise, masked.

Forms (url-encoded and multipart) become JSON objects of their fields, so that they can be masked
and asked about like JSON. A body that was cut off is no JSON any more: it is sent as text (or
base64), with a note. A body in an encoding that cannot be looked into is not sent, because its
secrets could not be masked.
"""

from __future__ import annotations

import base64
import re
import zlib
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from tollkeeper.capture.mask import HIDE, Verdicts, mask_json, mask_string, mask_text
from tollkeeper.model.secret import MASK

DEPTH_LIMIT = 48
"""JSON nested deeper is sent as text: the collector refuses events nested deeper than 64."""

_FIELDS_COUNT = 1000
_MEMBER_MARK = re.compile(rb'"\s*:')
_BLANK = b" \t\r\n\xef\xbb\xbf"  # a byte order mark may stand before JSON
_TEXT_TYPES = (
    "text/",
    "application/xml",
    "application/javascript",
    "application/graphql",
    "application/x-ndjson",
)
_JSON_LINES = ("ndjson", "jsonl", "json-seq", "event-stream")


class Body(NamedTuple):
    """A body ready to be encoded: its value, `json`, `base64` or None for text, and what must be said of it."""

    value: Any
    transfer_encoding: str | None
    note: str | None = None


def present(
    data: bytes, headers: dict[str, str], verdicts: Verdicts, limit_bytes: int, *, truncated: bool
) -> Body:
    """The body as it may leave the host.

    Args:
        data: The bytes seen on the wire, at most the limit.
        headers: For its type and encoding.
        verdicts: Which names are hidden.
        limit_bytes: A compressed body is unpacked up to here.
        truncated: True when there were more bytes than `data` holds.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        plain = _unpacked(data, encoding, limit_bytes)
        if plain is None:
            return Body(None, None, f"not sent: {encoding[:32]}")
        data, is_cut = plain
        truncated = truncated or is_cut
    kind, _, parameters = headers.get("content-type", "").partition(";")
    body = _by_kind(data, kind.strip().lower(), parameters, verdicts, truncated=truncated)
    return body._replace(note="truncated") if truncated else body


def _by_kind(
    data: bytes, kind: str, parameters: str, verdicts: Verdicts, *, truncated: bool
) -> Body:
    """The body by its media type, and by its looks where the type says nothing."""
    looks_json = data[:64].lstrip(_BLANK)[:1] in (b"{", b"[")
    if kind == "application/x-www-form-urlencoded" and not looks_json:  # curl -d '{...}' says so
        return _form(data, verdicts)
    if kind.startswith("multipart/"):
        return _multipart(data, f"{kind};{parameters}", verdicts)
    is_json = looks_json or kind.endswith("json")
    if is_json and not truncated and not any(word in kind for word in _JSON_LINES):
        found = _json(data, verdicts)
        if found is not None:
            return found
    is_text = is_json or kind.startswith(_TEXT_TYPES) or kind.endswith("+xml")
    if is_text or kind == "":
        text = _decoded(data, parameters, truncated=truncated)
        if text is None and is_text:
            # As base64 it would leave with its secrets, so it is read as well as can be.
            text = data.decode("utf-8", "replace")
        if text is not None and "\x00" not in text:
            return Body(mask_text(text, verdicts), None)
    if is_text:
        return Body(None, None, "not sent: neither text nor JSON")
    return Body(base64.b64encode(data).decode("ascii"), "base64")


def _json(data: bytes, verdicts: Verdicts) -> Body | None:
    """A JSON body, byte for byte when nothing in it is masked; None when it is no JSON."""
    try:
        document = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    if data.count(b"{") + data.count(b"[") > DEPTH_LIMIT and is_deep(document):
        return None
    if mask_json(document, verdicts) or _hides_members(data, document):
        return Body(document, "json")
    return Body(msgspec.Raw(data), "json")


def _hides_members(data: bytes, document: Any) -> bool:
    """True when the text may hold more members than the document: of equal names only the last was seen."""
    count = 0
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            count += len(node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return len(_MEMBER_MARK.findall(data)) != count


def is_deep(document: Any) -> bool:
    """True when objects and lists are nested deeper than the collector takes."""
    level = [document]
    for _ in range(DEPTH_LIMIT + 1):
        inner: list[Any] = []
        for node in level:
            inner.extend(node.values() if isinstance(node, dict) else node)
        # By identity, or a document that holds itself twice would double at every level.
        level = list({id(node): node for node in inner if isinstance(node, (dict, list))}.values())
        if not level:
            return False
    return True


def _form(data: bytes, verdicts: Verdicts) -> Body:
    """A url-encoded form as an object; a field that comes several times is a list."""
    try:
        pairs = parse_qsl(
            data.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=_FIELDS_COUNT,
            errors="replace",
        )
    except ValueError:
        return Body(None, None, "not sent: too many fields")
    return Body(_gathered([(name, _shown(name, value, verdicts)) for name, value in pairs]), "json")


def _shown(name: str, value: str, verdicts: Verdicts) -> str:
    """A field's value as it may leave; one that is JSON or holds addresses is looked into."""
    return MASK if verdicts[name] == HIDE else mask_string(value, verdicts)


def _gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Fields as an object."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _multipart(data: bytes, content_type: str, verdicts: Verdicts) -> Body:
    """A multipart form as an object of its fields; of a file only name, type and size are told."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("utf-8", "replace")
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(head + data)
    except RecursionError:
        return Body(None, None, "not sent: nested too deeply")
    parts = message.get_payload() if message.is_multipart() else []
    pairs: list[tuple[str, Any]] = []
    for part in parts if isinstance(parts, list) else []:
        field = _field(part, verdicts) if isinstance(part, Message) else None
        if field is not None and len(pairs) < _FIELDS_COUNT:
            pairs.append(field)
    return Body(_gathered(pairs), "json")


def _field(part: Message, verdicts: Verdicts) -> tuple[str, Any] | None:
    """One field of a multipart form; None when it has no name by which to judge it."""
    name = str(part.get_param("name", "", header="content-disposition"))
    if not name:
        return None
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else b""
    filename = part.get_filename()
    if filename is not None:
        return name, {
            "filename": filename,
            "content_type": part.get_content_type(),
            "bytes": len(content),
        }
    return name, _shown(name, content.decode("utf-8", "replace"), verdicts)


def _decoded(data: bytes, parameters: str, *, truncated: bool) -> str | None:
    """The body's text; None when it is not text in UTF-8 or the charset it names."""
    _, _, charset = parameters.lower().partition("charset=")
    charset = charset.partition(";")[0].strip().strip('"')
    if truncated and charset in ("", "utf-8", "utf8"):
        data = _whole_characters(data)
    try:
        return data.decode(charset or "utf-8")
    except (ValueError, LookupError):  # UnicodeError for `charset=undefined`, ValueError for NULs
        return None


def _whole_characters(data: bytes) -> bytes:
    """UTF-8 bytes without the started character that a cut left at their end."""
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead & 0xC0 != 0x80:
            needed = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return data if needed <= back else data[:-back]
    return data


def _unpacked(data: bytes, encoding: str, limit_bytes: int) -> tuple[bytes, bool] | None:
    """The unpacked bytes and whether they were cut; None for encodings that only others can read."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    for window in (47, -15):  # gzip or zlib by its header, else a bare deflate stream
        stream = zlib.decompressobj(window)
        try:
            plain = stream.decompress(data, limit_bytes)
        except zlib.error:
            continue
        return plain, bool(stream.unconsumed_tail) or not stream.eof
    return None
