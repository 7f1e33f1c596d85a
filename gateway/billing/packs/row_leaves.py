"""What a leaf of a day's tree says of a row (ledger.row_tree): as much as a pack tells of it, without whose it is.

A leaf is made once, when its day is sealed, and again for each pack that has its row: what it is made of must never change.
Where a row names another one, or a cause, it has a commitment in its place: a hash of that with octets of its own, which a pack
opens or not. Secrets follow from the key of evidence and the row's number, so that nothing is kept for them.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.billing.content import read_content
from gateway.billing.packs.sum_tree import Salts, told
from gateway.billing.packs.verify import LEAF
from gateway.billing.reading import TENTHS
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.balances import account_names
from gateway.privacy.pseudonyms import derive
from gateway.store.evidence import DAY_US
from gateway.store.versions import PLAN, digest, read

SALT: Final = 16
SIDES: Final = {(True, False): "out", (False, True): "in", (True, True): "both", (False, False): "none"}
"""Whose wallet an entry moves: by whether it debits and credits one."""
_NUMBER: Final = struct.Struct(">q").pack
_encode: Final = msgspec.json.Encoder().encode


class RowSecrets:
    """What belongs to each number: the salt of its leaf, what hides the rows and causes that it names, and an empty leaf."""

    def __init__(self, evidence_key: bytes) -> None:
        """Take the key of evidence."""
        self._of = hashlib.blake2b(key=derive(evidence_key, "pack/rows"), digest_size=64)

    def of(self, number: int) -> bytes:
        """Return 64 octets: the salt, then what hides another row, a cause, and nothing."""
        keyed = self._of.copy()
        keyed.update(_NUMBER(number))
        return keyed.digest()

    def salt(self, number: int) -> bytes:
        """Return the salt of a row's leaf."""
        return self.of(number)[:SALT]

    def hiding(self, number: int) -> bytes:
        """Return what hides the use that a row names."""
        return self.of(number)[SALT : 2 * SALT]

    def hiding_cause(self, number: int) -> bytes:
        """Return what hides the cause that a row names."""
        return self.of(number)[2 * SALT : 3 * SALT]

    def empty(self, number: int) -> bytes:
        """Return the leaf of a number that no row has."""
        return self.of(number)[2 * SALT :]


def leaf_of(salt: bytes, content: Sequence[object]) -> bytes:
    """Return the leaf of a row."""
    return hashlib.sha256(b"\0" + salt + _encode(content)).digest()


def hidden(hiding: bytes, what: bytes) -> str:
    """Return a commitment to something, in hexadecimal digits."""
    return hashlib.sha256(b"\2" + hiding + what).hexdigest()


def rows_digest(salts: Sequence[bytes]) -> str:
    """Return what a bill says of the rows that are on it, in any order."""
    return hashlib.sha256(b"\3" + b"".join(sorted(salts))).hexdigest()


class RowLeaves:
    """Makes the leaves of rows, given as rows of their tables."""

    def __init__(self, connection: Connection, evidence_key: bytes) -> None:
        """Take the store, whose accounts and price lists are read, and the key of evidence."""
        self.secrets, self._salts = RowSecrets(evidence_key), Salts(evidence_key)
        self._accounts: Mapping[int, str] = account_names(connection)
        self._prices = {each.id: digest(each.content or "") for each in read(connection, PLAN)}
        self._days: dict[int, str] = {}

    def usage(self, row: Any) -> dict[str, object]:  # noqa: ANN401  (a row)
        """Return what is said of use; `prices` is the SHA-256 of the price list that it was priced by."""
        return {
            "day": self._day(row.event_at),
            "service": row.service,
            "octets": row.octets,
            "seconds": row.seconds,
            "units": row.units,
            "covered": row.covered or 0,
            "before": row.rated_before or 0,
            "capped": row.capped or 0,
            "price": row.price,
            "prices": None if row.version is None else self._prices.get(row.version),
        }

    def entry(self, row: Any) -> dict[str, object]:  # noqa: ANN401  (a row)
        """Return what is said of an entry of the journal; `use` hides the use that it is about."""
        return {
            "day": self._day(row.event_at),
            "kind": row.kind,
            "sides": SIDES[row.debit > HIGHEST_SYSTEM, row.credit > HIGHEST_SYSTEM],
            "amount": row.amount,
            "use": self._use(row),
        }

    def tenth(self, row: Any) -> dict[str, object]:  # noqa: ANN401  (a row)
        """Return what is said of a part of a tenth; `to` hides the account of its cause."""
        return {
            "day": self._day(row.event_at),
            "kind": row.kind,
            "amount": row.amount,
            "base": row.base,
            "share": row.share,
            "policy": row.policy,
            "use": self._use(row),
            "to": hidden(self.secrets.hiding_cause(row.id), self.cause_account(row).encode()),
        }

    def bill(self, row: Any) -> dict[str, object]:  # noqa: ANN401  (a row)
        """Return what is said of a bill or a note; `rows` is of the use and the entries that it tells of one by one."""
        content = read_content(row.content)
        leaf, secrets = told(row, content, ""), self.secrets
        salts = [secrets.salt(number) for number in content.numbers]
        return {name: leaf[name] for name in LEAF} | {"rows": rows_digest(salts)}

    def cause_account(self, row: Any) -> str:  # noqa: ANN401  (a row)
        """Return the name of the account that a tenth goes to, or comes back from."""
        return self._accounts.get(row.debit if TENTHS[row.kind] < 0 else row.credit, "")

    def leaf_of_usage(self, row: Any) -> bytes:  # noqa: ANN401  (a row)
        """Return the leaf of use."""
        return leaf_of(self.secrets.salt(row.id), ("usage", *self.usage(row).values()))

    def leaf_of_transfer(self, row: Any) -> bytes:  # noqa: ANN401  (a row)
        """Return the leaf of an entry, or of a part of a tenth."""
        content = (
            ("tenths", *self.tenth(row).values()) if row.kind in TENTHS else ("entries", *self.entry(row).values())
        )
        return leaf_of(self.secrets.salt(row.id), content)

    def leaf_of_bill(self, row: Any) -> bytes:  # noqa: ANN401  (a row)
        """Return the leaf of a bill or a note: its salt is that of the month's tree."""
        return leaf_of(bytes.fromhex(self._salts.salt(row.id)), ("bills", *self.bill(row).values()))

    def _use(self, row: Any) -> str | None:  # noqa: ANN401  (a row)
        if row.usage_id is None:
            return None
        return hidden(self.secrets.hiding(row.id), self.secrets.salt(row.usage_id))

    def _day(self, at: int) -> str:
        day = at // DAY_US
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = datetime.fromtimestamp(day * (DAY_US // 1_000_000), UTC).date().isoformat()
        return found
