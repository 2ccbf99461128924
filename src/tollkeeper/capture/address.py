"""The client's address: whom to believe about it, and where it stands.

Source: the rule of nginx's `real_ip_recursive`: X-Forwarded-For is read from the right, through
proxies that are trusted, to the first address that is not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

_MEMO_LIMIT = 4096
_MEMO_CHARACTERS = 256
_LOOPBACK = "127.0.0.1"
_MAPPED = "::ffff:"


class Proxies:
    """The networks whose word on the client's address is taken.

    A peer without an address (a Unix socket) is this machine. Thread safe; memory is bounded.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._known: dict[str, bool] = {}
        self._answers: dict[tuple[str, str], str] = {}

    def client_ip(self, peer_ip: str, forwarded_for: str) -> str:
        """The address of the client, "" when it is not known.

        Args:
            peer_ip: Who opened the connection.
            forwarded_for: The X-Forwarded-For values, joined by commas in their order.
        """
        if not forwarded_for or not self._is_trusted(peer_ip or _LOOPBACK):
            if peer_ip.startswith(_MAPPED):  # a socket for both kinds shows IPv4 clients so
                return _plain(peer_ip) or peer_ip
            return peer_ip
        asked = peer_ip, forwarded_for
        answer = self._answers.get(asked)
        if answer is None:
            answer = self._walk(peer_ip, forwarded_for)
            if len(self._answers) >= _MEMO_LIMIT:
                self._answers.clear()
            if len(forwarded_for) <= _MEMO_CHARACTERS:
                self._answers[asked] = answer
        return answer

    def _walk(self, peer_ip: str, forwarded_for: str) -> str:
        """The first address from the right that is no proxy of ours."""
        client = _plain(peer_ip) or peer_ip
        for hop in reversed(forwarded_for.split(",")):
            address = _plain(hop)
            if address is None:
                break  # what stands left of something unreadable cannot be believed
            client = address
            if not self._is_trusted(address):
                break
        return client

    def _is_trusted(self, address: str) -> bool:
        """True when the address lies in one of the networks."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _MEMO_LIMIT:
                self._known.clear()
            known = self._known[address] = self._judge(address)
        return known

    def _judge(self, address: str) -> bool:
        """The verdict on one address, uncached."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None)
        return any((mapped or ip) in network for network in self._networks)


def _plain(hop: str) -> str | None:
    """The address of one entry, without port, brackets and zone; None when it is none."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(ip, "ipv4_mapped", None) or ip)
