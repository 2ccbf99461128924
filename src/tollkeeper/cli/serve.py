"""``tollkeeper serve``: one server over one data folder."""

import os
from typing import Annotated

import typer

from tollkeeper.cli.terminal import fail


def serve(
    data: Annotated[
        str | None, typer.Option(help="Folder that holds everything; tollkeeper-data by default.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port, 8600 by default; 0 takes a free one.")
    ] = None,
) -> None:
    """Starts the server. SIGTERM and Ctrl-C store what was accepted, then end with code 0."""
    from tollkeeper.app.listen import listen
    from tollkeeper.app.log import configure
    from tollkeeper.app.server import App
    from tollkeeper.app.settings import server_settings
    from tollkeeper.cli.welcome import welcome
    from tollkeeper.errors import TollkeeperError

    try:
        settings = server_settings(os.environ, {"data": data, "host": host, "port": port})
        configure(settings.log_format, settings.log_level)
        listen(App(settings), ready=welcome)
    except TollkeeperError as error:
        fail(error)
