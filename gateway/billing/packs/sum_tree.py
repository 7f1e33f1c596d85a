"""The tree of a month's bills: its root commits to every bill, and to what all of them gave, before anybody draws a sample.

Each bill is a leaf; each branch has the sums of its two (a Merkle sum tree, as proofs of liabilities have it), so that nobody
can leave a bill out, count one twice or change one without another root or another sum. Bills stand in an order that only the
gateway's key gives: a place says nothing of whose bill it is.
"""

import hmac
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.billing.content import Content, read_content
from gateway.billing.packs.verify import joined, leaf
from gateway.billing.series import CREDIT_NOTE
from gateway.privacy.pseudonyms import derive
from gateway.store.tables import bills

STREAMED: Final = {"yield_per": 1000}
SALT: Final = 16
Branch = tuple[bytes, dict[str, list[int]]]
"""Its hash, and by currency the sums of all below it, as `verify.leaf` has them."""
Step = list[Any]
"""A branch beside the way to the root: its hash in hexadecimal digits, and its sums."""


class SumTree:
    """The tree of the bills and credit notes of a month."""

    def __init__(self, numbers: list[int], leaves: list[Branch]) -> None:
        """Take the identifiers of bills and their leaves, in the order of places."""
        self.numbers, self.places = numbers, {number: place for place, number in enumerate(numbers)}
        self._levels = [leaves]
        while len(self._levels[-1]) > 1:
            self._levels.append(_above(self._levels[-1]))

    @property
    def root(self) -> Branch:
        """The root; of no bills at all a hash of zeros."""
        return self._levels[-1][0] if self.numbers else (bytes(32), {})

    def path(self, place: int) -> list[Step]:
        """Return the branches beside the way from a place to the root."""
        found: list[Step] = []
        for level in self._levels[:-1]:
            beside = place ^ 1
            if beside < len(level):
                found.append([level[beside][0].hex(), level[beside][1]])
            place //= 2
        return found


def _above(level: list[Branch]) -> list[Branch]:
    """Join branches by two; one that is alone at the end goes up as it is."""
    found = [joined(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return [*found, level[-1]] if len(level) % 2 else found


class Salts:
    """What is hashed with each bill, and the order that they stand in: without the key nobody tries out what a leaf says."""

    def __init__(self, evidence_key: bytes) -> None:
        """Take the key of evidence."""
        self._salts, self._order = derive(evidence_key, "pack/salts"), derive(evidence_key, "pack/order")

    def salt(self, bill: int) -> str:
        """Return the salt of a bill in hexadecimal digits."""
        return hmac.digest(self._salts, str(bill).encode(), "sha256")[:SALT].hex()

    def place(self, bill: int) -> bytes:
        """Return what bills are sorted by."""
        return hmac.digest(self._order, str(bill).encode(), "sha256")


def told(row: Any, content: Content, salt: str) -> dict[str, Any]:  # noqa: ANN401  (a row)
    """Return what a leaf is made of; it names nobody."""
    return {
        "series": row.series,
        "back": row.series == CREDIT_NOTE and row.replaces is not None,
        "currency": row.currency,
        "opening": row.opening,
        "closing": row.opening + content.amount,
        "given": row.given,
        "salt": salt,
        "moved": [[each.kind, str(each.section), each.count, each.amount] for each in content.moved],
        "used": [
            [each.service, each.traffic, each.records, each.octets, each.seconds, each.units, each.covered, each.price]
            for each in content.used
        ],
    }


def tree_of(connection: Connection, period: str, salts: Salts) -> SumTree:
    """Make the tree of a month: the same for ever, once the month is closed."""
    rows = connection.execute(select(bills).where(bills.c.period == period), execution_options=STREAMED)
    leaves = sorted(_leaves(rows, salts), key=lambda each: each[0])
    return SumTree([number for _, number, _ in leaves], [branch for _, _, branch in leaves])


def _leaves(rows: Iterable[Any], salts: Salts) -> Iterable[tuple[bytes, int, Branch]]:
    for row in rows:
        yield salts.place(row.id), row.id, leaf(told(row, read_content(row.content), salts.salt(row.id)))
