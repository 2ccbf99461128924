import stat
from pathlib import Path

import pytest

from tollkeeper.app.folder import SERVER_FILE, claim
from tollkeeper.errors import InvalidSettings


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    claim(tmp_path / "a" / "b").close()
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_second_claim_is_refused_and_says_where_the_first_listens(tmp_path: Path) -> None:
    with claim(tmp_path):
        (tmp_path / SERVER_FILE).write_text('{"url": "http://127.0.0.1:8600"}')
        with pytest.raises(InvalidSettings, match=r"a server at http://127\.0\.0\.1:8600"):
            claim(tmp_path)
    claim(tmp_path).close()


def test_a_file_in_place_of_the_folder_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(InvalidSettings, match="is a file, not a folder"):
        claim(tmp_path / "data")


def test_a_folder_that_cannot_be_made_is_said_in_one_sentence() -> None:
    with pytest.raises(InvalidSettings, match="cannot use the data folder"):
        claim(Path("/proc/nowhere/data"))
