"""The command line, one module per command.

Three modules serve all commands: ``reach`` finds the server (running, or opened in this process),
``where`` reads filters as the dashboard's text box does, ``terminal`` speaks to people. Everything
heavy is imported inside the commands, so that ``--help`` and completion stay instant.

Boundaries: commands translate arguments and print; what they do is done by ``app`` in this
process (``serve``, or when no server runs) or by a running server over its API.
"""

from tollkeeper.cli.main import main

__all__ = ["main"]
