"""What ``serve`` prints once it listens: where to look, and what to paste."""

from rich.console import Console

from tollkeeper.app.listen import Address

_SNIPPET = """\
from tollkeeper.capture.asgi import TollkeeperMiddleware
app.add_middleware(TollkeeperMiddleware,
    url="{url}",
    application_id="{collector_id}")"""


def welcome(address: Address) -> None:
    """Prints the admin link, the collector id and a snippet; to standard output, never to a log."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]Tollkeeper[/bold] is running.\n")
    if address.admin_token:
        console.print(f"  dashboard      [link]{address.admin_link}[/link]")
    else:
        console.print(f"  dashboard      {address.url}")
    console.print(f"  collector id   {address.collector_id}")
    console.print(f"  collector      {address.url}\n")
    console.print("Capture your first call (FastAPI, Starlette, any ASGI):\n")
    for line in _SNIPPET.format(**address._asdict()).splitlines():
        console.print(f"  [dim]{line}[/dim]" if not line else f"  {line}", markup=False)
    console.print("")
