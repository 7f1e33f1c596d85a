"""An evidence pack, made from the store: the rows behind some bills of a month, with what proves them.

The same store, seed and key give the same octets, so that an auditor who stands beside the gateway can have it made again.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from gateway.billing.packs import files, reading, wording
from gateway.billing.packs.labels import Labels
from gateway.billing.packs.proving import Prover
from gateway.billing.packs.rates import RateTable
from gateway.billing.packs.reading import Document
from gateway.billing.packs.row_leaves import RowLeaves
from gateway.billing.packs.row_trees import Ways
from gateway.billing.packs.sum_tree import Salts, SumTree, told, tree_of
from gateway.billing.packs.tenth_rows import Tenths
from gateway.billing.packs.verify import canonical, claim, draw
from gateway.billing.series import BILL
from gateway.ledger.seals import SealKey, kept
from gateway.store.tables import bills

Row = dict[str, Any]


class Asked(msgspec.Struct, frozen=True):
    """What a pack is of: one bill by its number, or a sample of a month's; `named`: with causes and amounts of payments."""

    period: str
    bill: int | None = None
    seed: str = ""
    sample: int = 0
    named: bool = False

    @property
    def kind(self) -> str:
        """`bill` or `audit`."""
        return "audit" if self.bill is None else "bill"


class Commitment(msgspec.Struct, frozen=True):
    """What is told of a month before anybody draws a sample, and its signature."""

    text: bytes
    signature: bytes
    content: Row


class Month:
    """The bills of a closed month, as packs of it need them."""

    def __init__(self, connection: Connection, evidence_key: bytes, period: str) -> None:
        """Read them."""
        self.salts, self.key, self.period = Salts(evidence_key), SealKey(evidence_key), period
        self.tree: SumTree = tree_of(connection, period, self.salts)
        self.seals = kept(connection)

    def drawn(self, asked: Asked) -> list[int]:
        """Return the places of the bills that a sample draws."""
        committed = self.commitment().content
        return draw(asked.seed, committed["root"], committed["heads"], committed["bills"], asked.sample)

    def commitment(self) -> Commitment:
        """Commit to the month's bills, and to the heads that were sealed by its end."""
        root, latest = self.tree.root, {}
        for seal in self.seals:
            if seal.day[:7] <= self.period:
                latest[seal.node] = [seal.node, seal.day, seal.head]
        content = {
            "format": "tpo-commitment/1",
            "period": self.period,
            "bills": len(self.tree.numbers),
            "sums": root[1],
            "root": root[0].hex(),
            "heads": [latest[node] for node in sorted(latest)],
        }
        text = canonical(content) + b"\n"
        return Commitment(text, f"{self.key.sign_octets(b'tpo-commitment/1 ' + text)}\n".encode(), content)


class PackMaker:
    """Makes one pack."""

    def __init__(self, connection: Connection, evidence_key: bytes, month: Month, asked: Asked) -> None:
        """Take the store, the key of evidence, the month, and what is asked for."""
        self._connection, self._month, self._asked = connection, month, asked
        self._committed = month.commitment()
        root = self._committed.content["root"]
        of = canonical([asked.kind, asked.period, asked.bill, asked.seed, asked.sample, asked.named, root]).decode()
        self._labels, self._prover = Labels(evidence_key, of), Prover(connection, evidence_key)
        self._rates = RateTable(connection, self._labels)
        self._leaves, self._ways = RowLeaves(connection, evidence_key), Ways(connection, evidence_key)
        self._tenths = Tenths(connection, self._labels, self._leaves, named=asked.named)
        self._rows: dict[str, list[Row]] = {"bills": [], "usage": [], "entries": []}
        taken_back = select(bills.c.replaces).where(bills.c.series != BILL, bills.c.replaces.is_not(None))
        self._void = set(connection.scalars(taken_back.where(bills.c.period == asked.period)))
        self._told: dict[int, list[Row]] = defaultdict(list)
        """What is told of each row, by its number in the store: use of a bill that was taken back is told of twice."""

    def make(self, progress: Callable[[str, int], None]) -> dict[str, bytes]:
        """Return the files; NotKept, NotProved where a bill cannot be proved. `unsealed` is how many rows no seal has."""
        places = self._places()
        groups = {found[0].row.id: found for found in (self._documents(place) for place in places)}
        for done, found in enumerate(groups.values(), 1):
            self._add(found, places)
            progress("bills", done)
        self._rows["bills"].sort(key=lambda row: int(row["place"]))
        self.unsealed = self._seal()
        statement = {
            "format": "tpo-pack/1",
            "kind": self._asked.kind,
            "period": self._asked.period,
            "seed": self._asked.seed,
            "sample": self._asked.sample,
            "named": self._asked.named,
        }
        one = next(row for row in self._rows["bills"] if row["drawn"]) if self._asked.kind == "bill" else None
        what = "a bill" if one else f"{len(places)} bills"
        causes = wording.NAMED if self._asked.named else wording.UNNAMED
        texts = {
            "README.md": wording.README.format(what=f"{what} of {self._asked.period}", causes=causes).encode(),
            "CLAIM.txt": claim(self._asked.period, self._committed.content["sums"], one).encode(),
            "statement.json": canonical(statement) + b"\n",
            "commitment.json": self._committed.text,
            "commitment.sig": self._committed.signature,
        }
        return files.whole(texts, {**self._rows, **self._tables()}, self._month.key)

    def _seal(self) -> int:
        """Write beside each row its way to the root that a seal has; returns how many have none."""
        ways = self._ways.of(self._told)
        for number, rows in self._told.items():
            way = ways.get(number)
            for row in rows:
                row["sealed"] = way and [way.node, way.day, way.width, way.place, b64encode(way.path).decode()]
        return len(self._told) - len(ways)

    def _tables(self) -> dict[str, list[Row]]:
        heads = {(node, day) for node, day, _ in self._committed.content["heads"]}
        heads |= {tuple(row["sealed"][:2]) for rows in self._told.values() for row in rows if row["sealed"]}
        sealed = [seal for seal in self._month.seals if (seal.node, seal.day) in heads]
        return {
            "rates": self._rates.rows,
            "tenths": self._tenths.rows,
            "sessions": self._tenths.sessions(self._rows["usage"], self._rows["entries"]),
            "policies": self._tenths.policies(),
            "payments": self._tenths.payments,
            "seals": [msgspec.to_builtins(seal) for seal in sealed],
        }

    def _places(self) -> list[int]:
        """Return the places of the bills that are asked for."""
        tree, asked = self._month.tree, self._asked
        if asked.bill is None:
            return self._month.drawn(asked)
        row = select(bills.c.id).where(bills.c.series == BILL, bills.c.number == asked.bill)
        return [tree.places[self._connection.execute(row).scalar_one()]]

    def _documents(self, place: int) -> list[Document]:
        return reading.documents(self._connection, self._month.tree.numbers[place])

    def _add(self, found: Sequence[Document], drawn: Container[int]) -> None:
        """Add a bill with its credit notes, and what stands behind them."""
        line, labels = self._labels.of("line", found[0].row.id), dict[int, str]()
        for bill, content in found:
            labels[bill.id] = self._labels.of("bill", bill.id)
            place = self._month.tree.places[bill.id]
            row = told(bill, content, self._month.salts.salt(bill.id)) | {"bill": labels[bill.id], "line": line}
            row |= {"drawn": place in drawn, "place": place, "path": self._month.tree.path(place)}
            row |= {"void": bill.id in self._void}
            self._prover.prove("bills", [tuple(bill)], [bill.at])
            self._tell("bills", bill.id, row | {"rows": self._leaves.bill(bill)["rows"]})
        if found[0].row.series == BILL:
            self._add_rows(found, labels)

    def _add_rows(self, found: Sequence[Document], labels: Mapping[int, str]) -> None:
        """Add use, entries and tenths, each after it was held against its link."""
        bill, rows = found[0].row, reading.behind(self._connection, found)
        booked = {entry.usage_id: entry.at for entry in rows.entries if entry.usage_id is not None}
        times = [booked.get(row.id, rows.before[row.id]) for row in rows.usage]
        self._prover.prove("usage", rows.usage, times)
        for some in (rows.entries, rows.tenths):
            self._prover.prove("transfers", some, [row.at for row in some])
        named = {number for each in found for number in each.content.numbers}
        for each in rows.usage:
            self._tell("usage", each.id, self._usage(each, bill.id, labels[bill.id], rows.traffic[each.id]))
        for each in rows.entries:
            label = labels[rows.note_of.get(each.id, bill.id)]
            self._tell("entries", each.id, self._entry(each, bill, label, rows.traffic) | {"named": each.id in named})
        for number, tenth in self._tenths.add(bill, labels[bill.id], rows).items():
            self._told[number].append(tenth)

    def _tell(self, name: str, number: int, row: Row) -> None:
        self._rows[name].append(row)
        self._told[number].append(row)

    def _usage(self, row: Any, number: int, bill: str, traffic: str) -> Row:  # noqa: ANN401  (a row)
        return {
            "usage": self._labels.of("usage", number, row.id),
            "bill": bill,
            "session": self._tenths.session(number, row),
            "traffic": traffic,
            "rate": self._rates.label(row),
            "salt": self._leaves.secrets.salt(row.id).hex(),
            **self._leaves.usage(row),
        }

    def _entry(self, row: Any, bill: Any, label: str, told_of: Container[int]) -> Row:  # noqa: ANN401  (rows)
        """Return an entry; use that no bill tells of is not told of here."""
        return {
            "entry": self._labels.of("entry", bill.id, row.id),
            "bill": label,
            "section": reading.section_of_entry(row),
            "usage": self._labels.of("usage", bill.id, row.usage_id) if row.usage_id in told_of else None,
            "salt": self._leaves.secrets.salt(row.id).hex(),
            "opens": self._leaves.secrets.hiding(row.id).hex() if row.usage_id in told_of else None,
            **self._leaves.entry(row),
            "amount": reading.signed(row, bill.subscriber_id),
        }
