"""What the log shows of an error."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging
import structlog
from tollkeeper.app.log import configure

def fail(headers):
    raise ValueError("told")

configure(%r, "info")
for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
    try:
        fail("local" + "-secret")
    except ValueError:
        log.exception("failed")
structlog.get_logger().info("sent", authorization="Bearer given-secret", count=3)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_an_error_is_logged_with_its_place_and_without_the_values_around_it(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % form], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("ValueError: told") == 2
    assert "in fail" in done.stderr
    assert "local-secret" not in done.stderr
    assert "given-secret" not in done.stderr
    assert "[masked]" in done.stderr
