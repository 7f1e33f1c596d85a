"""Labels in place of identifiers: a pack has its own, under a key of its own, so that no two packs can be joined by them.

The key is derived from the gateway's, and from what the pack is of: the same pack, made again, is the same octet for octet.
"""

import hmac

from gateway.privacy.pseudonyms import derive

LENGTH = 24
"""Hexadecimal digits: 96 bits, so that no two rows of a pack share a label."""


class Labels:
    """Gives the labels of one pack."""

    def __init__(self, evidence_key: bytes, pack: str) -> None:
        """Take the key of evidence, and what the pack is of."""
        self._key = derive(evidence_key, f"pack/labels/{pack}")

    def of(self, kind: str, *identity: object) -> str:
        """Return the label of something by its kind and its identifiers."""
        named = "/".join(map(str, (kind, *identity)))
        return hmac.digest(self._key, named.encode(), "sha256").hex()[:LENGTH]
