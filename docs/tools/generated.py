"""Fills ``<!-- generated: NAME -->`` in pages with what the code itself says, when docs are built.

So no list of settings, options, fields, routes, commands or metrics is typed by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
import typing
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import msgspec
import typer.main

from tollkeeper import config
from tollkeeper.capture.options import CALLABLES, Options
from tollkeeper.cli.main import cli
from tollkeeper.query.fields import ALIASES, FIELDS, OPERATORS

_MARK = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)
_ENVIRONMENT_LESS = frozenset({*CALLABLES, "identify_company_by"}) - {"identify_company"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return fill(markdown)


def fill(markdown: str) -> str:
    """The page with every mark replaced.

    Raises:
        KeyError: nothing of a mark's name can be generated.
    """
    return _MARK.sub(lambda found: PARTS[found[1]](), markdown)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if value is None or value == "" or value == ():
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(row: config.Setting) -> str:
    if row.type == "Literal":
        hint = typing.get_type_hints(config.ServerSettings)[row.name]
        return " or ".join(f"`{value}`" for value in typing.get_args(hint))
    known = {
        "tuple": "list of texts",
        "str": "text",
        "bool": "true or false",
        "int": "whole number",
    }
    words = {"float": "number", "dict": "object", "CompanyStrategy": "object or callable"}
    name = next((w for key, w in {**known, **words}.items() if row.type.startswith(key)), row.type)
    if row.name in CALLABLES and row.name != "identify_company":
        return "callable"
    return name if row.unit == "" else f"{name}, {row.unit}"


def _server_settings() -> str:
    rows = (
        (f"`{r.environment}`", _type(r), _value(r.default), r.help + (" (secret)" * r.secret))
        for r in config.rows(config.ServerSettings)
    )
    return _table(("environment", "type", "default", "meaning"), rows)


def _capture_options() -> str:
    rows = (
        (
            f"`{r.name}`",
            _type(r),
            _value(r.default),
            r.help,
            "" if r.name in _ENVIRONMENT_LESS else f"`{r.environment}`",
        )
        for r in config.rows(Options)
        if r.name != "identify_company_by"  # given under the name identify_company
    )
    return _table(("option", "type", "default", "meaning", "environment"), rows)


def _event_fields() -> str:
    short: dict[str, list[str]] = {}
    for alias, name in ALIASES.items():
        short.setdefault(name, []).append(f"`{alias}`")
    rows = (
        (
            f"`{f.name}`" if f.kind != "map" else f"`{f.name}.KEY`",
            "any" if f.kind == "map" else f.kind if f.unit is None else f"{f.kind}, {f.unit}",
            "" if f.kind == "map" else ", ".join(short.get(f.name, [])),
            "rollups" if f.rollup is not None and f.kind != "map" else "raw events",
        )
        for f in FIELDS
    )
    return _table(("field", "type", "short names", "answered from"), rows)


def _operators() -> str:
    names = {"map": "a part of a map (`request.headers.X`, `metadata.a.b`, …)"}
    rows = (
        (names.get(kind, kind), ", ".join(f"`{name}`" for name in operators))
        for kind, operators in OPERATORS.items()
    )
    return _table(("type of field", "operators"), rows)


@cache
def described() -> dict[str, Any]:
    """What ``describe.py`` prints."""
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(Path(__file__).with_name("describe.py"))],
        check=True,
        stdout=subprocess.PIPE,
        timeout=120,
    )
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


def _metrics() -> str:
    rows = (
        (f"`{m['name']}`", m["type"], ", ".join(f"`{n}`" for n in m["labels"]), m["help"])
        for m in described()["metrics"]
    )
    return _table(("metric", "type", "labels", "meaning"), rows)


def _http_api(*, collector: bool) -> str:
    document = described()["openapi"]
    parts = []
    for path, methods in document["paths"].items():
        collects = path.startswith(("/v1/", "/api/v1/")) or path == "/health/probe"
        if collects is not collector:
            continue
        parts += [
            _operation(document, method, path, operation) for method, operation in methods.items()
        ]
    return "\n\n".join(parts)


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    text = operation.get("description") or f"{operation.get('summary', '')}."
    parts = [f"## `{method.upper()} {path}`", text.replace("``", "`")]
    rows = [
        (f"`{p['name']}`", p["in"], _schema(document, p["schema"]), p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    body = next(iter(operation.get("requestBody", {}).get("content", {}).values()), None)
    if body is not None:
        fields = _resolved(document, body["schema"]).get("properties", {})
        rows += [
            (f"`{name}`", "body", _schema(document, field), field.get("description", ""))
            for name, field in fields.items()
        ]
    if rows:
        width = 4 if any(row[3] for row in rows) else 3
        head = ("name", "in", "type", "meaning")[:width]
        parts.append(_table(head, [row[:width] for row in rows]))
    answers = ", ".join(f"{code}" for code in operation.get("responses", {}) if code != "422")
    parts.append(f"Answers: {answers}.")
    return "\n\n".join(parts)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].split("/")[-1]]
        return found
    return schema


def _schema(document: dict[str, Any], schema: dict[str, Any]) -> str:
    choices = schema.get("anyOf") or [schema]
    names = []
    for choice in choices:
        choice = _resolved(document, choice)
        if "enum" in choice:
            names += [f"`{value}`" for value in choice["enum"]]
        elif choice.get("type") == "array":
            names.append(f"list of {_schema(document, choice.get('items', {}))}")
        elif choice.get("type") != "null":
            names.append(str(choice.get("type", "any")))
    default = schema.get("default")
    shown = "" if default in (None, "", [], {}) else f", default `{_json(default)}`"
    return " or ".join(dict.fromkeys(names)) + shown


def _json(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def commands() -> dict[str, click.Command]:
    """Every command by its full name, such as ``quarantine list``."""
    found: dict[str, click.Command] = {}
    root = typer.main.get_command(cli)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if below is None:
            found[name] = command
        else:
            found.update({f"{name} {inner}": sub for inner, sub in below.items()})
    return found


def _cli() -> str:
    parts = []
    for name, command in commands().items():
        arguments = " ".join(
            p.name.upper() if p.required else f"[{p.name.upper()}]"
            for p in command.params
            if p.param_type_name == "argument" and p.name
        )
        parts.append(f"## `tollkeeper {name}`")
        parts.append(" ".join((command.help or "").split()))
        parts.append(f"```text\ntollkeeper {name} [OPTIONS] {arguments}".rstrip() + "\n```")
        rows = [
            (
                ", ".join(f"`{option}`" for option in p.opts),
                "" if p.default in (None, (), []) or callable(p.default) else _value(p.default),
                " ".join((getattr(p, "help", "") or "").split()),
            )
            for p in command.params
            if p.param_type_name == "option" and p.name != "help"
        ]
        if rows:
            parts.append(_table(("option", "default", "meaning"), rows))
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "server-settings": _server_settings,
    "capture-options": _capture_options,
    "event-fields": _event_fields,
    "operators": _operators,
    "metrics": _metrics,
    "management-api": lambda: _http_api(collector=False),
    "collector-api": lambda: _http_api(collector=True),
    "cli": _cli,
}
"""What can be generated, by the name in the mark."""
