"""Secrets at rest: AES-256-GCM under a key of their own, bound to what they belong to (NIST SP 800-38D)."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.privacy.pseudonyms import derive

_VERSION: Final = b"\x01"
_NONCE: Final = 12
"""Octets; random, which is safe for far more secrets than there are SIM cards."""


class SealBroken(ValueError):
    """A sealed secret that does not open: another key, another owner, or changed octets."""


class Sealer:
    """Seal secrets, and open them again for the owner that they were sealed for."""

    def __init__(self, key: bytes) -> None:
        """Take the master key; seals have a key derived from it."""
        self._cipher = AESGCM(derive(key, "sealing"))

    def seal(self, secret: bytes, owner: str) -> bytes:
        """Give the sealed form: a version, the nonce, the ciphertext with its tag. `owner` is the associated data."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Give the secret; SealBroken where it was not sealed by this key for this owner."""
        if sealed[:1] != _VERSION:
            raise SealBroken("the sealed secret has a version that this program does not know")
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], owner.encode())
        except InvalidTag:
            raise SealBroken(
                "the sealed secret does not open: is privacy.key the one that it was sealed with?"
            ) from None
