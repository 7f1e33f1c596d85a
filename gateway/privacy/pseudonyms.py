"""Pseudonyms: names that stand for a number or a subscriber where the number itself has no business.

A pseudonym is `HMAC-SHA-256(key, type ":" normalised id)`, cut to 80 bits and written as `s1:` and 16 letters of base32:
the type (m MSISDN, i IMSI, c ICCID, s subscriber) and the key's epoch, so that a rotated key shows. A plain hash of a
phone number is undone by trying all numbers; without the key this one is not. Each purpose has a key derived for it
alone, so that a name in an event and one in a log cannot be joined.
"""

import hmac
import os
import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Final

from gateway.privacy.masks import Secret
from gateway.store.private_files import make_folder

EVENTS: Final = "events"
LOGS: Final = "logs"
KEY_SIZE: Final = 32
MIN_KEY: Final = 16
"""Octets of the shortest key that is let in."""
CACHED: Final = 1 << 16
"""Subscribers whose pseudonym is remembered."""
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(high + low for high in _BASE32 for low in _BASE32)
"""Two letters for each 10 bits: 80 bits are eight of them."""
_SEPARATORS: Final = re.compile(r"[\s().-]+")


class KeyInvalid(ValueError):
    """A privacy key that protects nothing, or a file of it that others can read."""


class Pseudonyms:
    """Give the pseudonyms of one purpose; the same id always gets the same name."""

    def __init__(self, key: bytes, purpose: str = EVENTS, epoch: int = 1) -> None:
        """Take the master key, what the names are for, and the key's epoch, 0 to 9."""
        self._keyed = hmac.new(derive(key, f"pseudonyms/{purpose}"), digestmod="sha256")
        self._epoch = epoch
        self.subscriber = lru_cache(CACHED)(self._subscriber)
        """Name a subscriber by its id."""

    def msisdn(self, number: str) -> str:
        """Name a phone number; `+44 7700 900123` and `447700900123` are the same one."""
        return self._name("m", normalise(number))

    def imsi(self, number: str) -> str:
        """Name an IMSI."""
        return self._name("i", normalise(number))

    def iccid(self, number: str) -> str:
        """Name a SIM card."""
        return self._name("c", normalise(number))

    def _subscriber(self, subscriber_id: int) -> str:
        return self._name("s", str(subscriber_id))

    def _name(self, kind: str, value: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(f"{kind}:{value}".encode())
        n, p = int.from_bytes(keyed.digest()[:10], "big"), _PAIRS
        return (
            f"{kind}{self._epoch}:{p[n >> 70]}{p[n >> 60 & 1023]}{p[n >> 50 & 1023]}{p[n >> 40 & 1023]}"
            f"{p[n >> 30 & 1023]}{p[n >> 20 & 1023]}{p[n >> 10 & 1023]}{p[n & 1023]}"
        )


def normalise(number: str) -> str:
    """Bring the ways of writing one number to one: no spaces or signs, no leading `+`, letters in upper case."""
    return _SEPARATORS.sub("", number).removeprefix("+").upper()


def derive(key: bytes, purpose: str) -> bytes:
    """Make the key of one purpose; keys of different purposes tell nothing of each other."""
    return hmac.digest(key, f"tpo/1/{purpose}".encode(), "sha256")


def load_key(configured: Secret | None, path: Path) -> bytes:
    """Return the master key: the configured one, else the one kept at `path`, which is made when it is first asked for.

    Raises KeyInvalid for a key that is too short or a file that others can read, OSError where none can be read or made.
    """
    if configured is not None:
        return _checked(configured.reveal(), configured.origin)
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise KeyInvalid(f"{path}: others can read the key; make it private with chmod 600")
    return _checked(path.read_text(encoding="utf-8"), str(path))


def _checked(text: str, origin: str) -> bytes:
    key = text.strip().encode()
    if len(key) < MIN_KEY:
        raise KeyInvalid(f"the privacy key ({origin}) has fewer than {MIN_KEY} octets")
    return key


def _make(path: Path) -> None:
    """Write a fresh key beside its place and link it in whole: a crash leaves no half of one, and no key is replaced."""
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{secrets.token_hex(KEY_SIZE)}\n".encode())
        os.fsync(file)
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process made it at the same moment; that one counts
    finally:
        os.close(file)
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
