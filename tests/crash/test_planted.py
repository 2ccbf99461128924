"""A harness that cannot fail proves nothing: each planted bug must be seen by the same comparison."""

from pathlib import Path

import pytest
from crash.drive import drive

# The points where the bug shows; several lives, because one may end between two blocks.
BUGS = {
    "ack_before_commit": ("are lost", ["journal.before_commit:3"] * 2),
    "token_of_its_own": ("more than once", ["pipeline.stored:2"] * 2),
    "counts_apart": ("counters says", ["pipeline.counted:1", "pipeline.counted:3"]),
    "position_first": ("are lost", ["pipeline.begun:2"] * 2),
    "replay_skipped": ("more than once", ["pipeline.stored:2"] * 2),
    "no_dedupe": ("more than once", []),
}


@pytest.mark.crash
@pytest.mark.parametrize("bug", BUGS)
def test_the_harness_sees_a_planted_bug(tmp_path: Path, bug: str) -> None:
    told, plan = BUGS[bug]
    outcome = drive(tmp_path, plan, seed=7, bug=bug)
    assert any(told in line for line in outcome.wrong), outcome
