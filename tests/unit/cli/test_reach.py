import json
import socket
from pathlib import Path

import pytest

from tollkeeper.cli.reach import Place, locate
from tollkeeper.errors import InvalidSettings, TollkeeperError

URL = "http://127.0.0.1:9"


def server_file(folder: Path, url: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "server.json").write_text(json.dumps({"url": url, "admin_token": "kept"}))


def test_an_address_goes_before_everything(tmp_path: Path) -> None:
    environment = {"TOLLKEEPER_URL": "http://other", "TOLLKEEPER_ADMIN_TOKEN": "secret"}
    assert locate(environment, url=f"{URL}/", token=None, data=str(tmp_path)) == Place(
        URL, "secret", None
    )


def test_an_address_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="token"):
        locate({}, url=URL, token=None, data=str(tmp_path))


def test_the_token_of_an_own_server_is_found_in_its_folder(tmp_path: Path) -> None:
    server_file(tmp_path, URL)
    assert locate({}, url=URL, token=None, data=str(tmp_path)).token == "kept"


def test_the_environments_address_counts_only_with_a_token(tmp_path: Path) -> None:
    environment = {"TOLLKEEPER_URL": URL, "TOLLKEEPER_DATA": str(tmp_path / "none")}
    with pytest.raises(InvalidSettings, match="no admin token for it"):
        locate(environment, url=None, token=None, data=None)
    assert locate(environment, url=None, token="t", data=None) == Place(URL, "t", None)


def test_a_folder_goes_before_the_environments_address(tmp_path: Path) -> None:
    (tmp_path / "records.db").touch()
    environment = {"TOLLKEEPER_URL": URL, "TOLLKEEPER_ADMIN_TOKEN": "t"}
    assert locate(environment, url=None, token=None, data=str(tmp_path)) == Place("", "", tmp_path)


def test_what_a_killed_server_left_behind_is_no_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    server_file(tmp_path, f"http://127.0.0.1:{port}")
    (tmp_path / "records.db").touch()
    assert locate({}, url=None, token=None, data=str(tmp_path)) == Place("", "", tmp_path)


def test_no_folder_is_made_by_looking_for_one(tmp_path: Path) -> None:
    with pytest.raises(TollkeeperError, match="no data folder"):
        locate({}, url=None, token=None, data=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
