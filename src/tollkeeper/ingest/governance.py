"""What SDKs fetch beside sending: the config and the rules, with the tags that announce changes.

The config's tag covers the rules too, because most SDKs look at that one only.
Source: protocol notes section 0 points 2 to 4 and 14, sections 2 and 3.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import msgspec


class Documents(NamedTuple):
    """Both documents of an application as they go out, and the tags of both."""

    config: bytes
    rules: bytes
    config_tag: str
    rules_tag: str


def documents(application: str) -> Documents:
    """The documents of an application (empty id: of one that nobody knows).

    Shape: all eleven keys of the config are there and no map is null; plugins refuse it otherwise.
    """
    config = msgspec.json.encode(
        {
            "org_id": "tollkeeper",
            "app_id": application or "unknown",
            "sample_rate": 100,
            "user_sample_rate": {},
            "company_sample_rate": {},
            "regex_config": [],
            "user_rules": {},
            "company_rules": {},
            "block_bot_traffic": False,
            "ip_addresses_blocked_by_name": {},
            "billing_config_jsons": {},
        }
    )
    rules = b"[]"
    return Documents(config, rules, _tag(config + rules), _tag(rules))


def _tag(content: bytes) -> str:
    return blake2b(content, digest_size=12).hexdigest()
