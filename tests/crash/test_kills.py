"""SIGKILL under load, at named points and at random: nothing lost, nothing counted twice."""

import random
from pathlib import Path

import pytest
from crash.drive import drive

SEED = 20261120
POINTS = (
    "journal.before_commit",
    "journal.after_commit",
    "journal.rotated",
    "pipeline.begun",
    "pipeline.stored",
    "pipeline.counted",
    "pipeline.released",
)
LEAVE_HALF_A_BLOCK = ("pipeline.begun", "pipeline.stored")


def plan() -> list[str]:
    """Each point early and late in a life, each kind of half block met again at start, and chance."""
    lines = [f"{point}:{number}" for point in POINTS for number in (1, 2, 5)]
    dice = random.Random(SEED)
    dice.shuffle(lines)
    for point in LEAVE_HALF_A_BLOCK * 2:
        lines += [f"{point}:2", "pipeline.replay:1", "random"]
    lines += ["random"] * (52 - len(lines))
    return lines


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_every_acknowledged_event_is_there_exactly_once_after_fifty_kills(tmp_path: Path) -> None:
    lines = plan()
    outcome = drive(tmp_path, lines, seed=SEED)
    assert outcome.wrong == []
    assert outcome.recount_equal
    assert outcome.kills.total() >= 50
    # The harness itself worked: it killed at every point, and in the middle of requests.
    assert set(outcome.kills) == {*POINTS, "pipeline.replay", "random"}
    assert outcome.unanswered_count > 0
    assert outcome.acknowledged_count > 1000
