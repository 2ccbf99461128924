"""The keyed digest of a credential: the only form in which one is ever stored.

``HMAC-SHA256(pepper, hex(sha256(bare credential)))``, its first 32 hex digits. A host sends the
inner sha256 and a Moesif SDK the token itself; both give the same digest. The pepper lies in a
file beside the databases, never in one, so that a copy of the data alone cannot be searched for
known or weak tokens.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path

from tollkeeper.errors import InvalidSettings
from tollkeeper.model.secret import bare_credential, credential_digest

DIGEST_LENGTH = 32
PEPPER_BYTES = 32

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_KEYED = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}")


def digest_from_secret(pepper: bytes, value: str) -> str:
    """The keyed digest of a credential as it stands in a header or a session token.

    Guarantee: never raises; text that is not valid Unicode has a digest too.
    """
    return _keyed(pepper, credential_digest(bare_credential(value)))


def digest_from_sha256(pepper: bytes, hexadecimal: str) -> str:
    """The keyed digest of a credential of which a host sent only the sha256.

    What is not 64 hex digits is taken for a credential that was sent in the wrong place.
    """
    if not is_sha256(hexadecimal):
        return digest_from_secret(pepper, hexadecimal)
    return _keyed(pepper, hexadecimal.lower())


def is_sha256(text: str) -> bool:
    """Whether this can be the sha256 of a credential, as hosts send it."""
    return _SHA256.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether this can be a keyed digest, as queries and lists show it."""
    return _KEYED.fullmatch(text) is not None


def load_pepper(folder: Path) -> bytes:
    """The pepper of a data folder, made at the first start.

    Guarantee: two processes that start at once end with the same pepper, and it is on disk
    before it is used.

    Raises:
        InvalidSettings: when the file is there but holds no pepper. A new one would part every
            credential from its past, so that is for a person to decide.
    """
    path = folder / "pepper"
    if not path.exists():
        _create_pepper(path)
    try:
        pepper = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        pepper = b""
    if len(pepper) != PEPPER_BYTES:
        raise InvalidSettings(
            f"{path} must hold {PEPPER_BYTES} bytes as hex digits", field="pepper"
        )
    return pepper


def _create_pepper(path: Path) -> None:
    # Written aside and linked into place: nobody ever sees half a file, and the first one wins.
    draft = path.with_name(f"pepper.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, f"{secrets.token_hex(PEPPER_BYTES)}\n".encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keyed(pepper: bytes, sha256: str) -> str:
    return hmac.digest(pepper, sha256.encode("ascii"), "sha256").hex()[:DIGEST_LENGTH]
