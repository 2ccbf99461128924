"""Structured logs: one line an event, to standard error, with secrets masked by their names."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from tollkeeper.model.secret import MASK, is_secret_name


def configure(form: Literal["console", "json"], level: str) -> None:
    """Makes structlog and the standard library's logging speak alike."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The usual one prints local variables, and with them whatever secret they hold.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=renderer,
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Three lines at every start that say nothing; what it warns of is still told.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def mask_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replaces values whose names say that they are secret."""
    for name in event:
        if is_secret_name(name):
            event[name] = MASK
    return event
