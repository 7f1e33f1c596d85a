"""Secrets at rest: AES-256-GCM under a key of their own, bound to what they belong to (NIST SP 800-38D)."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.privacy.pseudonyms import derive

_VERSION: Final = b"\x01"
NONCE: Final = 12
"""Octets; random, which is safe for far more secrets than there are SIM cards."""


class SealBroken(ValueError):
    """A sealed secret that does not open: another key, another owner, or changed octets."""


class Sealer:
    """Seal secrets, and open them again for the owner that they were sealed for."""

    def __init__(self, key: bytes, purpose: str = "sealing") -> None:
        """Take the master key; the seals of each purpose have a key derived from it for that alone."""
        self._cipher = AESGCM(derive(key, purpose))

    def seal(self, secret: bytes, owner: str, nonce: bytes | None = None) -> bytes:
        """Return the sealed form: a version, the nonce, the ciphertext with its tag. `owner` is the associated data.

        Whoever gives a nonce (NONCE octets) never gives it for anything else under this key.
        """
        nonce = os.urandom(NONCE) if nonce is None else nonce
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Return the secret; SealBroken where it was not sealed by this key for this owner."""
        if sealed[:1] != _VERSION:
            raise SealBroken("the sealed secret has a version that this program does not know")
        try:
            return self._cipher.decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], owner.encode())
        except InvalidTag:
            raise SealBroken(
                "the sealed secret does not open: is privacy.key the one that it was sealed with?"
            ) from None
