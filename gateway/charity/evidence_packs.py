"""Packs of evidence: records of a month with their charges and tenths, for somebody outside to prove without the store.

A pack names nobody: numbers of rows, customers and causes are made anew for each pack, and times are cut to the day. It is
confidential all the same, as octets and prices of a day tell whoever knows one of them the rest. Rows are held against their
digests as it is made, and the whole is signed with the key of the seals: whoever has the public one proves it (`verify_pack`).
The chain itself is made under a key, and stays in the house: `tpo ledger check` proves it there.
"""

import hashlib
import heapq
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from gateway.charity.months import begin_of, end_of
from gateway.charity.policies import POLICIES
from gateway.ledger.accounts import HIGHEST_SYSTEM, UNASSIGNED, cause_account
from gateway.ledger.balances import account_names
from gateway.ledger.money import format_amount
from gateway.ledger.seals import SealKey, kept
from gateway.privacy.pseudonyms import derive
from gateway.store.evidence import COVERED, Digester
from gateway.store.evidence_reading import Chain, nodes_of
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers, usage
from gateway.store.versions import PLAN, read

VERIFIER: Final = Path(__file__).with_name("verify_pack.py")
Sample = dict[str, Any]
"""A record and its entries, as a pack has them."""
_KINDS: Final = ("charge", "service", "promotional", "accrual")
_DAY: Final = "%Y-%m-%d"


class Wanted(msgspec.Struct, frozen=True):
    """What a pack is of: a month, so many records drawn by a seed, or all of one customer's."""

    period: str
    sample: int
    seed: str
    subscriber_id: int | None = None


class Pack(msgspec.Struct, frozen=True):
    """The files of a pack by their names."""

    pack: bytes
    signature: bytes
    verifier: bytes


def make_pack(connection: Connection, wanted: Wanted, zone: tzinfo, evidence_key: bytes, now: int) -> Pack:
    """Draw the records, and write and sign what is to be known of them; `now` in microseconds."""
    names = _Names(derive(evidence_key, f"packs/{now}/{wanted.seed}"), connection)
    with parts(connection) as found:
        journals = [part.connection for part in found]
        drawn = _drawn(journals, wanted, zone)
        rows = [row for journal in journals for row in _usage(journal, drawn)]
        entries = [entry for journal in journals for entry in _entries(journal, drawn)]
    proved = _proved(connection, evidence_key, rows, entries)
    plans = {each.id: each for each in read(connection, PLAN) if each.content is not None}
    by_record: dict[int, list[dict[str, Any]]] = {}
    for entry in entries:
        by_record.setdefault(entry.usage_id, []).append(_entry(entry, names, proved))
    samples: list[Sample] = [
        {"usage": _record(row, names, plans, proved), "entries": by_record.get(row.id, [])} for row in rows
    ]
    samples.sort(key=lambda each: str(each["usage"]["id"]))  # by made-up numbers, so that their order tells nothing
    content = {
        "claim": _claim(wanted, samples),
        "drawn": len(drawn),
        "period": wanted.period,
        "seed": wanted.seed,
        "samples": samples,
        "sums": _sums(samples),
        "policies": {name: {"base": each.base, "rate": each.rate} for name, each in POLICIES.items()},
        "plans": {
            row["usage"]["plan"]: {"content": plan.content, "hash": hashlib.sha256(plan.content.encode()).hexdigest()}
            for row in samples
            if row["usage"]["plan"] is not None and (plan := plans.get(int(row["usage"]["plan"]))) and plan.content
        },
        "seals": [msgspec.to_builtins(seal) for seal in kept(connection) if seal.day[:7] == wanted.period],
        "verifier": hashlib.sha256(VERIFIER.read_bytes()).hexdigest(),
    }
    return _signed(json.dumps(content, sort_keys=True, indent=1).encode() + b"\n", SealKey(evidence_key))


def _signed(octets: bytes, key: SealKey) -> Pack:
    said = {"public_key": key.public, "signature": key.sign_pack(hashlib.sha256(octets).hexdigest())}
    return Pack(octets, json.dumps(said, sort_keys=True, indent=1).encode() + b"\n", VERIFIER.read_bytes())


class _Names:
    """Names that are made anew for each pack: nobody joins two of them, or one with the store, without the key."""

    def __init__(self, key: bytes, connection: Connection) -> None:
        self._key, self._accounts = key, account_names(connection)

    def of(self, kind: str, number: object) -> str:
        """Name a row, a customer or a cause."""
        return f"{kind}-{hmac.digest(self._key, f'{kind}:{number}'.encode(), 'sha256').hex()[:20]}"

    def account(self, number: int) -> str:
        """Name an account: a wallet and a cause by a name of the pack."""
        if number >= HIGHEST_SYSTEM:
            return self.of("customer", number)
        name = self._accounts.get(number, "")
        return self.of("cause", name) if name == UNASSIGNED or name.startswith(cause_account("")) else name


def _drawn(journals: Iterable[Connection], wanted: Wanted, zone: tzinfo) -> set[int]:
    """Draw records that were charged: the lowest by a hash of the seed and their number, which anybody repeats."""
    begin, end = begin_of(wanted.period, zone), end_of(wanted.period, zone)
    of_month: list[ColumnElement[bool]] = [usage.c.event_at >= begin, usage.c.event_at < end, usage.c.price > 0]
    if wanted.subscriber_id is not None:
        of_month.append(usage.c.subscriber_id == wanted.subscriber_id)
    numbers = (number for journal in journals for number in journal.scalars(select(usage.c.id).where(*of_month)))

    def place(number: int) -> bytes:
        return hashlib.sha256(f"{wanted.seed}|{number}".encode()).digest()

    return set(heapq.nsmallest(wanted.sample, numbers, key=place))


def _usage(journal: Connection, drawn: set[int]) -> list[Any]:
    return [row for chunk in _chunks(drawn) for row in journal.execute(select(usage).where(usage.c.id.in_(chunk)))]


def _entries(journal: Connection, drawn: set[int]) -> list[Any]:
    entry = transfers.c
    wanted = select(transfers).where(entry.kind.in_(_KINDS)).order_by(entry.id)
    return [row for chunk in _chunks(drawn) for row in journal.execute(wanted.where(entry.usage_id.in_(chunk)))]


def _chunks(numbers: set[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(numbers)
    return (ordered[i : i + 500] for i in range(0, len(ordered), 500))


def _proved(connection: Connection, key: bytes, rows: Sequence[Any], entries: Sequence[Any]) -> set[tuple[str, int]]:
    """Give which rows are as their links say: it reads the chains through."""
    digester = Digester(key)
    found = {"usage": rows, "transfers": entries}
    wanted = {
        (table, row.id): digester.digests(table, COVERED[table].of([tuple(row)]))[0]
        for table, each in found.items()
        for row in each
    }
    proved: set[tuple[str, int]] = set()
    for node in nodes_of(connection):
        for link in Chain(connection, node, digester):
            for said in link.rows if link.wrong is None else ():
                if said.table in found:
                    for number, digest, _ in said:
                        if wanted.get((said.table, number)) == digest:
                            proved.add((said.table, number))
    return proved


def _record(row: Any, names: _Names, plans: Any, proved: set[tuple[str, int]]) -> dict[str, Any]:  # noqa: ANN401  (a row)
    return {
        "id": names.of("record", row.id),
        "customer": names.of("customer", row.subscriber_id),
        "day": _day(row.event_at),
        "service": row.service,
        "octets": row.octets,
        "seconds": row.seconds,
        "units": row.units,
        "price": row.price,
        "currency": row.currency,
        "plan": str(row.version) if row.version in plans else None,
        "proved": ("usage", row.id) in proved,
    }


def _entry(row: Any, names: _Names, proved: set[tuple[str, int]]) -> dict[str, Any]:  # noqa: ANN401  (a row)
    return {
        "id": names.of("entry", row.id),
        "usage": names.of("record", row.usage_id),
        "day": _day(row.event_at),
        "kind": row.kind,
        "debit": names.account(row.debit),
        "credit": names.account(row.credit),
        "amount": row.amount,
        "currency": row.currency,
        "base": row.base,
        "policy": row.policy,
        "share": row.share,
        "proved": ("transfers", row.id) in proved,
    }


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime(_DAY)


def _sums(samples: Iterable[Sample]) -> dict[str, list[int]]:
    """Add up by currency: prices, what of them was charged by us, and the tenth."""
    sums: dict[str, list[int]] = {}
    for sample in samples:
        found = sums.setdefault(sample["usage"]["currency"], [0, 0, 0])
        found[0] += sample["usage"]["price"]
        found[1] += sum(entry["amount"] for entry in sample["entries"] if entry["kind"] == "charge")
        found[2] += sum(entry["amount"] for entry in sample["entries"] if entry["kind"] == "accrual")
    return sums


def _claim(wanted: Wanted, samples: Sequence[Sample]) -> str:
    told = [
        f"of {format_amount(charged, currency)} {currency} charged, {format_amount(tenth, currency)} accrued to causes"
        for currency, (_, charged, tenth) in sorted(_sums(samples).items())
    ]
    added = "; ".join(told) or "nothing was charged"
    return f"{wanted.period}: in {len(samples)} records drawn by the seed {wanted.seed!r}, {added}"
