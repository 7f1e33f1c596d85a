"""Idempotency keys: what a client's own reference led to, so that asking again does nothing twice."""

import hashlib
import hmac
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from gateway.store.batch import Batch, RowSet
from gateway.store.statements import SelectPairs
from gateway.store.tables import idempotency_keys

FOR_EVER: Final = (1 << 63) - 1
"""The time of a key that is never swept: none is past it, so that whoever sweeps does not come by it."""


class KeyConflict(ValueError):
    """The reference was used before, for something else."""


class KeptResult(msgspec.Struct, frozen=True):
    """What was asked under a key, as a digest, and what it led to."""

    digest: str
    result: bytes


_LOAD = SelectPairs(
    select(idempotency_keys.c.scope, idempotency_keys.c.key, idempotency_keys.c.digest, idempotency_keys.c.result),
    idempotency_keys.c.scope,
    idempotency_keys.c.key,
)


class KeyRows(RowSet[tuple[str, str], KeptResult]):
    """The keys that a batch names, each with its scope."""

    def load(self, connection: Connection, keys: set[tuple[str, str]]) -> None:
        """Read whatever these keys were used for in their scopes."""
        for scope, key, kept_digest, result in _LOAD.run(connection, keys):
            self.rows[scope, key] = KeptResult(kept_digest, result)

    def find(self, scope: str, key: str) -> KeptResult | None:
        """Give what a key led to in its scope, None if it is new."""
        return self.rows.get((scope, key))

    def keep(self, batch: Batch, scope: str, key: str, kept: KeptResult, *, for_ever: bool = False) -> None:
        """Note what a key led to, with the batch: until keys of its time are swept, or for ever."""
        self.rows[scope, key] = kept
        created_at = FOR_EVER if for_ever else batch.now
        batch.add(idempotency_keys, (scope, key, kept.digest, kept.result, created_at))


class Digests:
    """Digests under a key: without it nobody finds out by trying what a number, beside which a digest stands, asked for."""

    def __init__(self, key: bytes) -> None:
        """Take the key, which is made for this purpose alone."""
        self._key = key

    def __call__(self, *parts: object) -> str:
        """Digest what was asked, to tell the same body from another."""
        return hmac.digest(self._key, digest(*parts).encode(), "sha256").hex()


def digest(*parts: object) -> str:
    """Digest what may be known to whoever reads the store, to tell the same body from another."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
