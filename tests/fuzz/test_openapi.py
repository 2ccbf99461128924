"""Requests made from our own OpenAPI document, valid and not: never a 5xx."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tollkeeper.testing.server import ADMIN_TOKEN, COLLECTOR_ID, ServerProcess

MOST_EXAMPLES = 25
LEAST_REQUESTS = 500
SEED = 20261120


@pytest.mark.timeout(180)
def test_no_request_that_the_description_suggests_ends_in_a_server_error(
    server: ServerProcess, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run"),
            f"{server.url}/api/openapi.json",
            *("--header", f"Authorization: Bearer {ADMIN_TOKEN}"),
            *("--header", f"X-Moesif-Application-Id: {COLLECTOR_ID}"),
            *("--checks", "not_a_server_error"),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(MOST_EXAMPLES)),
            *("--seed", str(SEED)),
            *("--request-timeout", "10"),
            # It streams until somebody goes away.
            *("--exclude-path", "/api/events/live"),
            *("--generation-database", "none"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    tested = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert tested, done.stdout
    assert int(tested[1]) > LEAST_REQUESTS
