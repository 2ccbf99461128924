"""Tollkeeper: who calls an API, how much, whether they may, and what they owe.

The package's rooms, from the host's process to the dashboard: ``capture`` watches calls inside
the API's own process; ``ingest`` takes them durably; ``store`` keeps them; ``identity`` knows who
is behind a credential; ``query`` answers questions; ``web`` and ``cli`` show the answers.

Boundaries: importing this package imports nothing else; ``tollkeeper.capture`` needs msgspec only,
everything behind the network needs the extra ``tollkeeper[server]``.
"""

__version__ = "0.1.0"
