import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ("demo", "serve", "test", "check", "bench", "docs", "fmt", "clean")


def plain(requirement: str) -> str:
    """The name of a requirement as PyPI compares names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {plain(name): version for name, version in pairs}


def test_constraints_name_versions_and_no_addresses() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)


def test_every_requirement_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(name for extra in extras for name in extra)]
    assert {plain(name) for name in wanted} - {"tollkeeper"} <= set(pinned())


def test_make_help_tells_every_target() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(TARGETS) <= set(re.findall(r"^  make (\w+)", told.stdout, re.MULTILINE))


def test_ci_runs_what_everybody_runs() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if "make" in line] == ["exec make test"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "sudo apt-get install chromium postgresql nodejs npm"),
        (("python", "python3"), "needs Python 3.11 or newer"),
    ],
)
def test_setup_names_what_is_missing_where_it_may_not_install(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    for name, script in {
        "id": "echo 1000",
        "node": "exit 1",
        "python3": "exit 1",
    }.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "tests" / "setup", *arguments],
        env={"PATH": str(tmp_path), "SETUP_PLACES": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert said in done.stdout
