"""The settings of a server to be: environment, then arguments."""

from collections.abc import Mapping
from typing import Any

from tollkeeper import config
from tollkeeper.capture.options import Options


def server_settings(
    environment: Mapping[str, str], arguments: Mapping[str, Any]
) -> config.ServerSettings:
    """The settings of the server.

    Raises:
        InvalidSettings: a value is of the wrong type, or a variable with our prefix is unknown.
    """
    config.check_environment(
        environment, [*config.rows(config.ServerSettings), *config.rows(Options)]
    )
    settings, _ = config.load(config.ServerSettings, environment=environment, arguments=arguments)
    return settings
