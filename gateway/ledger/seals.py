"""Daily seals: the last link of a node's chain (store.evidence), signed, and published to whoever keeps it elsewhere.

A seal says node, day, sequence, head, the root of the tree of the day's rows (ledger.row_tree), and signature (Ed25519,
RFC 8032), nothing else: no sum, no count of anything. Who holds it can show that the store no longer has what it had, although
everything in the store was put right.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from sqlalchemy import Connection, func, insert, select

from gateway.events.outbox import Event, emit, source_of
from gateway.events.times import rfc3339
from gateway.ledger.row_tree import Numbers, root_of
from gateway.privacy.pseudonyms import derive
from gateway.store.batch import Batch, Unit
from gateway.store.evidence import DAY_US, Tip
from gateway.store.private_files import FILE, make_folder
from gateway.store.releases import prove_usage, usage_upto
from gateway.store.tables import chains, row_trees, seals

TOPIC: Final = "ledger/sealed"
TYPE: Final = "org.tpo.ledger.sealed.v1"
FILE_NAME: Final = "seals.jsonl"
"""The file beside the privacy key that has each seal of this gateway, a JSON object a line."""


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What leaves the house of a day (`2026-11-26`, in UTC); `head`, `signature` and `rows` in hexadecimal.

    `rows` is empty where no row was numbered since the seal before, and in seals of before there were trees of rows.
    """

    node: int
    day: str
    sequence: int
    head: str
    signature: str
    rows: str = ""


class RowTree(msgspec.Struct, frozen=True):
    """What is kept of the tree of a day's rows: the numbers that it is of, and the roots of its subtrees (ledger.row_tree)."""

    ranges: list[tuple[int, int]]
    roots: bytes

    @property
    def root(self) -> bytes:
        """What the seal says of it."""
        return root_of(Numbers(self.ranges).width, self.roots)


class SealKey:
    """What seals are signed with; who has `public` can prove a seal."""

    def __init__(self, evidence_key: bytes) -> None:
        """Take the key of evidence, from which this one is derived."""
        self._private = Ed25519PrivateKey.from_private_bytes(derive(evidence_key, "seals"))

    @property
    def public(self) -> str:
        """The public key, 32 octets in hexadecimal."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign_octets(self, octets: bytes) -> str:
        """Sign something other than a seal, in hexadecimal digits; it begins with what it is."""
        return self._private.sign(octets).hex()

    def sign(self, node: int, day: str, tip: Tip, tree: RowTree | None = None) -> Seal:
        """Make the seal of a node's day, with the tree of its rows where it has any."""
        seal = Seal(node, day, tip.sequence, tip.head.hex(), "", "" if tree is None else tree.root.hex())
        return replace(seal, signature=self._private.sign(_statement(seal)).hex())

    def is_signed(self, seal: Seal) -> bool:
        """Return whether a seal was made with this key, and says what it said then."""
        try:
            signature = bytes.fromhex(seal.signature)
            self._private.public_key().verify(signature, _statement(seal))
        except (ValueError, InvalidSignature):
            return False
        return True


def _statement(seal: Seal) -> bytes:
    said = f"{seal.node} {seal.day} {seal.sequence} {seal.head}"
    return (f"tpo-seal/2 {said} {seal.rows}" if seal.rows else f"tpo-seal/1 {said}").encode()


def due(connection: Connection, node: int, now: int, *, is_over: bool = False) -> tuple[str, Tip] | None:
    """Return the day that ended last, and the last link, if that day is not sealed yet; None where there is nothing to seal.

    `is_over`: nobody adds to the chain any more, as another node took over: its last link is sealed once.
    """
    day = datetime.fromtimestamp((now // DAY_US - 1) * (DAY_US // 1_000_000), UTC).strftime("%Y-%m-%d")
    latest = connection.scalar(select(func.max(seals.c.day)).where(seals.c.node == node))
    tip = connection.execute(select(chains.c.sequence, chains.c.head).where(chains.c.node == node)).one_or_none()
    sealed = connection.scalar(select(func.max(seals.c.sequence)).where(seals.c.node == node)) if is_over else None
    if tip is not None and tip.sequence == sealed:
        return None
    return None if tip is None or (latest is not None and latest >= day) else (day, Tip(tip.sequence, tip.head))


def due_with_usage(
    connection: Connection, node: int, now: int, *, is_over: bool = False
) -> tuple[tuple[str, Tip] | None, int]:
    """Return what is due, and the last usage (its number) that the link stands for: it is read before the link is."""
    proved = usage_upto(connection, node)
    return due(connection, node, now, is_over=is_over), proved


class WriteSeal(Unit):
    """Keep a seal in the store, with what is kept of the tree of its rows, and tell of it.

    `source` is the gateway's name, `usage` the last usage that the seal stands for.
    """

    touches: ClassVar[tuple[type, ...]] = ()

    seal: Seal
    source: str
    tree: RowTree | None = None
    usage: int = 0

    def decide(self, batch: Batch) -> bool:
        """Return whether it is new."""
        seal = self.seal
        there = select(seals.c.day).where(seals.c.node == seal.node, seals.c.day == seal.day)
        if batch.connection.execute(there).one_or_none() is not None:
            return False
        head, signature, rows = map(bytes.fromhex, (seal.head, seal.signature, seal.rows))
        row = (seal.node, seal.day, seal.sequence, head, signature, batch.now, rows or None)
        batch.connection.execute(insert(seals).values(row))
        if self.tree is not None:
            ranges = msgspec.json.encode(self.tree.ranges).decode()
            kept_of = (seal.node, seal.day, self.tree.ranges[-1][1], ranges, self.tree.roots)
            batch.connection.execute(insert(row_trees).values(kept_of))
        prove_usage(batch.connection, seal.node, self.usage)
        source, number = source_of(self.source), f"seal-{seal.node}-{seal.day}"
        emit(batch, TOPIC, Event(id=number, source=source, type=TYPE, time=rfc3339(batch.now), data=seal))
        return True


def kept(connection: Connection, node: int | None = None) -> list[Seal]:
    """Return the seals that the store has, of one node or of all."""
    wanted = select(seals).order_by(seals.c.node, seals.c.day)
    if node is not None:
        wanted = wanted.where(seals.c.node == node)
    return [
        Seal(row.node, row.day, row.sequence, row.head.hex(), row.signature.hex(), (row.rows or b"").hex())
        for row in connection.execute(wanted)
    ]


def tree_of_day(connection: Connection, node: int, day: str) -> RowTree | None:
    """Return what is kept of the tree of a day's rows; None where nothing is."""
    own = row_trees.c
    row = connection.execute(select(own.ranges, own.roots).where(own.node == node, own.day == day)).one_or_none()
    return None if row is None else RowTree(msgspec.json.decode(row.ranges, type=list[tuple[int, int]]), row.roots)


def trees(connection: Connection) -> Iterator[tuple[int, str, int, list[tuple[int, int]]]]:
    """Return node, day, last number and ranges of numbers of each tree that is kept, in the order of nodes and days."""
    own = row_trees.c
    wanted = select(own.node, own.day, own.upto, own.ranges).order_by(own.node, own.day)
    for node, day, upto, ranges in connection.execute(wanted):
        yield node, day, upto, msgspec.json.decode(ranges, type=list[tuple[int, int]])


def append_missing(path: Path, known: Sequence[Seal]) -> int:
    """Write the seals into the file that it has not, and give how many; what stands there is never changed. OSError."""
    there = {(seal.node, seal.day) for seal in read_file(path)}
    lines = [msgspec.json.encode(seal) + b"\n" for seal in known if (seal.node, seal.day) not in there]
    if lines:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE)
        try:
            os.write(descriptor, b"".join(lines))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return len(lines)


def read_file(path: Path) -> list[Seal]:
    """Read the seals of a file; none where there is no such file."""
    return read_lines(path.read_bytes().splitlines()) if path.exists() else []


def read_lines(lines: Iterable[bytes]) -> list[Seal]:
    """Read seals, one a line; a line that is none, such as a torn last one, is left out."""
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Seal))
        except msgspec.DecodeError:
            continue
    return found
