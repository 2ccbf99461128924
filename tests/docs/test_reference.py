"""What can be set, asked, called and answered is documented, and nothing that does not exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

from tollkeeper import config
from tollkeeper.capture.options import Options
from tollkeeper.ingest.collector import DOCUMENTS, ROUTES
from tollkeeper.query import ask, filter, window
from tollkeeper.query.fields import FIELDS, OPERATORS
from tollkeeper.query.metric import FUNCTIONS

SOURCE = Path(__file__).parents[2] / "src" / "tollkeeper"
Pages = dict[str, Any]


def first_cells(text: str, heading: str) -> set[str]:
    """The first cells of the table under a heading, without their back ticks."""
    _, _, rest = text.partition(f"## {heading}\n")
    section = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


def calls_with(name: str) -> list[ast.Call]:
    """Every call in the package to a function or method of a name; of any name when empty."""
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                last = called.attr if isinstance(called, ast.Attribute) else ""
                last = called.id if isinstance(called, ast.Name) else last
                if not name or last == name:
                    found.append(node)
    return found


def texts(nodes: list[ast.expr]) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def error_codes() -> set[str]:
    """The codes of all errors and rejections that the source names."""
    keywords = [k.value for call in calls_with("") for k in call.keywords if k.arg == "code"]
    rejections = [call.args[1] for call in calls_with("Rejection") if len(call.args) > 1]
    attributes = [
        node.value
        for path in SOURCE.rglob("*.py")
        for definition in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(definition, ast.ClassDef)
        for node in definition.body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "code" for t in node.targets)
    ]
    return texts([*keywords, *rejections, *attributes])


def test_every_setting_of_the_server_is_documented(pages: Pages) -> None:
    text = pages["docs/reference/settings.md"].text
    missing = [
        r.name for r in config.rows(config.ServerSettings) if f"`{r.environment}`" not in text
    ]
    assert missing == []
    assert all(row.help for row in config.rows(config.ServerSettings))


def test_every_capture_option_is_documented(pages: Pages) -> None:
    text = pages["docs/reference/capture-options.md"].text
    names = {row.name for row in config.rows(Options)} - {"identify_company_by"}
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_every_field_operator_and_function_is_documented(pages: Pages) -> None:
    fields = pages["docs/reference/fields.md"].text
    names = {f"{f.name}.KEY" if f.kind == "map" else f.name for f in FIELDS}
    assert [name for name in names if f"| `{name}` |" not in fields] == []
    query = pages["docs/reference/query.md"].text
    operators = {operator for known in OPERATORS.values() for operator in known}
    assert [name for name in {*operators, *FUNCTIONS} if f"`{name}`" not in query] == []


def test_the_limits_of_questions_are_those_of_the_code(pages: Pages) -> None:
    said = pages["docs/reference/query.md"].section("Limits").text
    assert (
        f"At most {ask.MAX_METRICS} metrics, {ask.MAX_GROUP_BY} groups, {ask.MAX_LIMIT:,} for "
        f"`limit`, {window.MAX_BUCKETS:,} buckets, {ask.MAX_ROWS:,} rows, {filter.MAX_LEAVES} "
        f"conditions nested {filter.MAX_DEPTH} deep." in " ".join(said.split())
    )


def test_every_error_code_is_documented_and_none_that_is_gone(pages: Pages) -> None:
    documented = first_cells(pages["docs/reference/errors.md"].text, "Codes")
    assert documented == error_codes()


def test_every_drop_reason_is_documented_and_none_that_is_gone(pages: Pages) -> None:
    reasons = texts([call.args[0] for call in calls_with("drop") if call.args])
    documented = first_cells(pages["docs/reference/errors.md"].text, "Drop reasons")
    assert documented == {*reasons, "refused_..."}


def test_every_metric_is_documented_and_none_that_is_unknown(
    pages: Pages, generated: ModuleType
) -> None:
    known = {metric["name"] for metric in generated.described()["metrics"]}
    text = "".join(page.text for page in pages.values())
    assert set(re.findall(r"\btollkeeper_[a-z_]+[a-z]\b", text)) == known


def test_every_route_is_documented(pages: Pages, generated: ModuleType) -> None:
    text = pages["docs/reference/http-api.md"].text + pages["docs/reference/collector.md"].text
    described = generated.described()["openapi"]["paths"]
    routes = {f"{m.upper()} {path}" for path, methods in described.items() for m in methods}
    assert [route for route in routes if f"## `{route}`" not in text] == []
    assert {*ROUTES, *DOCUMENTS} <= described.keys()


def test_every_route_that_pages_name_exists(pages: Pages, generated: ModuleType) -> None:
    described = generated.described()["openapi"]["paths"]
    known = [
        re.compile(f"{method.upper()} {re.sub('{[^}]+}', '[^ ]+', path)}")
        for path, methods in described.items()
        for method in methods
    ]
    named = {
        (page.name, route)
        for page in pages.values()
        for route in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^\s`?]+)", page.text)
    }
    assert len(named) > 20
    assert [n for n in sorted(named) if not any(k.fullmatch(n[1]) for k in known)] == []


def test_every_command_is_documented(pages: Pages, generated: ModuleType) -> None:
    text = pages["docs/reference/cli.md"].text
    commands = generated.commands()
    assert {"serve", "usage", "tail", "quarantine replay"} <= commands.keys()
    assert [name for name in commands if f"## `tollkeeper {name}`" not in text] == []


def test_commands_in_examples_exist_with_their_options(pages: Pages, generated: ModuleType) -> None:
    commands = generated.commands()
    seen = 0
    for page in pages.values():
        for block in page.blocks:
            if block.language != "sh":
                continue
            for line in re.findall(r"(?:^|\| )(tollkeeper .*)$", block.text, re.MULTILINE):
                words = shlex.split(line)[1:]
                name = next((n for n in (" ".join(words[:2]), words[0]) if n in commands), None)
                assert name is not None, f"{page.name}: {line}"
                options = {o for p in commands[name].params for o in p.opts}
                given = {word for word in words if word.startswith("--")}
                assert given <= options, f"{page.name}: {line}"
                seen += 1
    assert seen > 10


def test_environment_variables_in_pages_exist(pages: Pages) -> None:
    known = {
        row.environment for table in (config.ServerSettings, Options) for row in config.rows(table)
    }
    named = {
        (page.name, name)
        for page in pages.values()
        for name in re.findall(r"\bTOLLKEEPER_[A-Z_]+\b", page.text)
    }
    assert [n for n in sorted(named) if n[1] not in known] == []
