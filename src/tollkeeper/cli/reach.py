"""Finds the server that a command talks to: by address, or by data folder, running or not.

In this order: ``--url``; ``--data``; ``TOLLKEEPER_URL`` together with an admin token; the data
folder of the settings. A running server leaves its address and token in ``server.json`` of its
folder; when no server runs there, the folder is opened in this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tollkeeper.errors import InvalidSettings, TollkeeperError

if TYPE_CHECKING:
    import httpx

_TIMEOUT_SECONDS = 120.0
_PROBE_SECONDS = 3.0


class Unreachable(TollkeeperError):
    """No server answers where one is expected."""

    code = "unreachable"


class Place(NamedTuple):
    """Where a server is: its address and token, or (``url`` empty) a folder to open here."""

    url: str
    token: str
    folder: Path | None


class Server:
    """One server over its API. Refusals and lost connections are errors that say which and why."""

    def __init__(self, client: httpx.Client, place: Place) -> None:
        self.client = client
        self.place = place

    @property
    def is_running(self) -> bool:
        """Whether it is a process of its own, and not opened in this one."""
        return bool(self.place.url)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The answer to a request, decoded.

        Raises:
            TollkeeperError: the server refused (its own words), or did not answer.
        """
        return refused_or_json(self.send(method, path, **options))

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The response to a request, whatever its status.

        Raises:
            Unreachable: there was none.
        """
        import httpx

        try:
            return self.client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.place.url} does not answer: {error}") from error

    def application(self, wanted: str | None) -> dict[str, Any]:
        """The application that is meant: the one of this id or name, else the first.

        Raises:
            InvalidSettings: there is none of that id or name.
        """
        known = self.ask("GET", "/api/applications")["applications"]
        for application in known:
            if wanted in (None, application["id"], application["name"]):
                return dict(application)
        ids = ", ".join(application["id"] for application in known)
        raise InvalidSettings(
            f"there is none called {wanted!r}; known are {ids}", field="application"
        )


def refused_or_json(response: httpx.Response) -> Any:
    """The decoded body of a response.

    Raises:
        TollkeeperError: the response is a refusal; with the server's words.
    """
    try:
        body = msgspec.json.decode(response.content) if response.content else None
    except msgspec.DecodeError:
        body = None
    if response.is_success:
        return body
    said = body if isinstance(body, dict) else {}
    detail = said.get("detail") or f"the server answered {response.status_code}"
    if response.status_code == 401:
        detail = f"the server does not know this admin token ({detail})"
    raise TollkeeperError(str(detail), field=said.get("field"), code=said.get("code") or "refused")


@contextmanager
def reach(
    url: str | None, token: str | None, data: str | None, *, running: bool = False
) -> Iterator[Server]:
    """The server of a command; ``running`` refuses to open a folder in this process.

    Raises:
        TollkeeperError: there is no server to be found, or it cannot be opened.
    """
    place = locate(os.environ, url=url, token=token, data=data)
    if place.url:
        import httpx

        headers = {"authorization": f"Bearer {place.token}"}
        with httpx.Client(base_url=place.url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            yield Server(client, place)
    elif running:
        raise Unreachable(
            f"no server runs on {place.folder}; start one with: tollkeeper serve --data {place.folder}"
        )
    else:
        from tollkeeper.app.settings import server_settings
        from tollkeeper.cli.inside import opened

        settings = server_settings(os.environ, {"data": str(place.folder)})
        with opened(settings) as (client, admin_token):
            client.headers["authorization"] = f"Bearer {admin_token}"
            yield Server(client, place)


def locate(
    environment: Mapping[str, str], *, url: str | None, token: str | None, data: str | None
) -> Place:
    """Where the server is.

    Raises:
        TollkeeperError: nothing names a server, its token is missing, or it hangs.
    """
    given = token
    token = token or environment.get("TOLLKEEPER_ADMIN_TOKEN") or ""
    folder = Path(data or environment.get("TOLLKEEPER_DATA") or "tollkeeper-data")
    address = url or ("" if data else environment.get("TOLLKEEPER_URL", ""))
    known = _server_file(folder)
    if url or (address and token):
        address = address.rstrip("/")
        if known and not token and known["url"] == address:
            token = known["admin_token"]
        if not token:
            raise InvalidSettings(
                "give the admin token with --token or TOLLKEEPER_ADMIN_TOKEN", field="token"
            )
        return Place(address, token, None)
    if known and _answers(known["url"], folder):
        return Place(known["url"], given or known["admin_token"] or token, folder)
    if not _is_used(folder) and "TOLLKEEPER_RECORDS" not in environment:
        if address:
            raise InvalidSettings(
                f"TOLLKEEPER_URL names {address}, but there is no admin token for it: "
                "give --token or TOLLKEEPER_ADMIN_TOKEN",
                field="token",
            )
        raise Unreachable(
            f"there is no data folder {str(folder)!r}; name one with --data, or a server with --url"
        )
    return Place("", "", folder)


def _is_used(folder: Path) -> bool:
    """Whether a server has kept something in a folder.

    Raises:
        Unreachable: this user may not look into it.
    """
    try:
        return (folder / "records.db").exists()
    except OSError as error:
        raise Unreachable(f"cannot look into {folder}: {error.strerror}") from error


def _server_file(folder: Path) -> dict[str, str] | None:
    try:
        return msgspec.json.decode((folder / "server.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None


def _answers(url: str, folder: Path) -> bool:
    """Whether a server lives at an address; a file left behind by a killed one says nothing."""
    import httpx

    try:
        return httpx.get(f"{url}/health/live", timeout=_PROBE_SECONDS).is_success
    except httpx.ConnectError:
        return False
    except httpx.HTTPError as error:
        raise Unreachable(
            f"the server on {folder} ({url}) does not answer: {type(error).__name__}"
        ) from error
