"""The command line, one module per command.

Boundaries: commands translate arguments and print; what they do is done by ``app`` in this
process (``serve``) or by a running server over its API (everything else).
"""

from tollkeeper.cli.main import main

__all__ = ["main"]
