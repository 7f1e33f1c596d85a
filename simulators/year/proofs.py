"""What must hold of a simulated year, each month and at its end, held against what the year itself has counted."""

import asyncio
import subprocess
import sys
import tarfile
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Final

from gateway.api.answers.charity import CommitmentMade, CoverRow, PackMade, RemittanceRow, RemittanceRows, StandingRow
from gateway.api.answers.rows import BooksChecked
from gateway.ledger.totals import Totals
from simulators.bank import Bank
from simulators.year.gateway import MAKER, Gateway
from simulators.year.settings_files import CHARITY

ZERO: Final = Decimal(0)
LINES: Final = ("accrued", "reversed", "paid", "carried")
STATES: Final = ("waiting", "confirmed", "payable", "instructed")
UNITS: Final = {"data": "octets", "voice": "seconds", "sms": "units"}
SHOWN: Final = 5
"""Findings of a check that are told."""
Account = tuple[str, str]
"""A stream, tenths or gifts, and a cause."""


class Proofs:
    """Counts what was proved, and keeps what did not hold."""

    def __init__(self) -> None:
        """Begin with nothing proved."""
        self.proved: Counter[str] = Counter()
        self.failures: list[str] = []
        self._closings: dict[Account, Decimal] = {}
        self._paid: dict[Account, Decimal] = {}

    def hold(self, what: str, found: object, expected: object, where: str) -> None:
        """Note whether something is as it must be."""
        if found == expected:
            self.proved[what] += 1
        else:
            self.failures.append(f"{where}: {what}: {found}, expected {expected}")

    async def books(self, gateway: Gateway, where: str, *, full: bool = False) -> BooksChecked:
        """Have `ledger check` find nothing."""
        found = await gateway.ask(MAKER, "ledger.check", BooksChecked, full=full)
        told = [f"{each.check}: {each.detail}" for each in found.findings[:SHOWN]]
        self.hold("ledger check finds nothing", told, [], where)
        return found

    async def totals(self, gateway: Gateway, period: str, reported: Counter[tuple[str, str]]) -> Totals:
        """Have the control totals add up, and say the use that the network has reported."""
        found = await gateway.ask(MAKER, "ledger.totals", Totals, period=period)
        self.hold("control totals add up", found.differences, [], period)
        for service, unit in UNITS.items():
            rated = sum(getattr(row, unit) for row in found.rows if (row.step, row.service) == ("rated", service))
            self.hold(
                "use is rated as the network reported it", rated, reported[period, service], f"{period} {service}"
            )
        return found

    async def remittances(self, gateway: Gateway, period: str, shared: Decimal) -> list[RemittanceRow]:
        """Have each cause's lines add up, and open with what the month before closed with.

        What heirs take is what closed causes hand on, so that what is carried comes to what was `shared` of a profit.
        """
        found = (await gateway.ask(MAKER, "charity.remittance", RemittanceRows, period=period)).rows
        closings: dict[Account, Decimal] = {}
        for row in found:
            where, account = f"{period} {row.stream} {row.cause}", (row.stream, row.cause)
            amounts = [Decimal(getattr(row, name)) for name in ("opening", *LINES)]
            self.hold("remittances add up", sum(amounts), Decimal(row.closing), where)
            self.hold(
                "remittances open with what the last closed with", amounts[0], self._closings.get(account, ZERO), where
            )
            states = sum((Decimal(getattr(row, name)) for name in STATES), ZERO)
            self.hold("the states of the tenth make up what is owed", states, Decimal(row.closing), where)
            closings[account] = Decimal(row.closing)
            self._paid[account] = self._paid.get(account, ZERO) - Decimal(row.paid)
        carried = sum((Decimal(row.carried) for row in found), ZERO)
        self.hold("nothing is carried but what was shared of a profit", carried, shared, period)
        self.hold("no cause is left out", sorted(self._closings.keys() - closings.keys()), [], period)
        self._closings = closings
        return found

    def closings(self, rows: Iterable[RemittanceRow], heirs: Mapping[str, str], where: str, shared: Decimal) -> None:
        """Have closed causes as they must be, by who takes what they are owed: handed on, or standing where it shows.

        What was `shared` of a profit since the last confirmation is handed on by the next one.
        """
        for row in rows:
            if row.cause in heirs:
                left = row.confirmed if heirs[row.cause] and not shared else "0.00"
                found = (row.payable, row.instructed, left)
                self.hold(
                    "closed causes are paid nothing more", found, ("0.00",) * 3, f"{where} {row.stream} {row.cause}"
                )

    async def standings(self, gateway: Gateway, period: str, rows: Iterable[StandingRow]) -> None:
        """Have the balances that are kept by state be those that the journal adds up to in the month that runs."""
        found = (await gateway.ask(MAKER, "charity.remittance", RemittanceRows, period=period)).rows
        by_account = {(row.stream, row.cause): row for row in found}
        for row in rows:
            line = by_account.get((row.stream, row.cause))
            kept = (row.confirmed, row.payable, row.instructed)
            told = ("0.00",) * 3 if line is None else (line.confirmed, line.payable, line.instructed)
            self.hold("kept states are the journal's", kept, told, f"{period} {row.stream} {row.cause}")

    def cover(self, row: CoverRow | None, bank: Bank, day: str, *, missing: int | None = None) -> None:
        """Have the cover say what the bank has, and what of that is missing.

        `missing` is how many pence that is, where the year knows it: gifts of the last days are known to the books alone.
        """
        if row is None:
            self.failures.append(f"{day}: the cover says nothing")
            return
        balance, needed = Decimal(bank.balances[CHARITY]) / 100, Decimal(row.needed)
        self.hold("the cover goes by the bank's balance", Decimal(row.balance or "nan"), balance, day)
        self.hold("the cover subtracts", Decimal(row.difference or "nan"), balance - needed, day)
        self.hold("the cover says whether it is enough", row.covered, balance >= needed, day)
        if missing is not None:
            short = (needed - balance) * 100
            self.hold("what is missing is what was left out", missing - 1 < short <= missing, True, f"{day}: {short}")  # noqa: FBT003  (it holds)

    def payments(self, bank: Bank, causes: Iterable[tuple[str, Sequence[str]]], where: str) -> None:
        """Have each cause have received what the books say was paid; `causes` have their accounts' numbers."""
        for cause, numbers in causes:
            said = sum((amount for (_, its), amount in self._paid.items() if its == cause), ZERO)
            received = sum(amount for (_, number), amount in bank.received.items() if number in numbers)
            self.hold("causes received what the books say", Decimal(received) / 100, said, f"{where} {cause}")

    async def pack(self, gateway: Gateway, period: str, seed: str, sample: int, folder: Path) -> str:
        """Commit to a month, draw a sample, and have its verify.py prove it in a Python of its own; gives what that said."""
        committed = await gateway.ask(MAKER, "charity.commitment", CommitmentMade, period=period)
        told = {"period": period, "seed": seed, "sample": sample, "named": True}
        made = await gateway.ask(MAKER, "charity.audit", PackMade, **told)
        code, words = await asyncio.to_thread(_verified, made, committed, folder)
        self.hold("the audit pack proves itself", (code, made.bills), (0, min(sample, made.of)), words[-1])
        return words[0]


def _verified(made: PackMade, committed: CommitmentMade, folder: Path) -> tuple[int, list[str]]:
    """Unpack a pack, and run its verify.py as an auditor does, by the standard library alone; gives its exit code and lines."""
    folder.mkdir(exist_ok=True)
    commitment = folder / f"commitment-{committed.period}.json"
    commitment.write_bytes(b64decode(committed.commitment))
    commitment.with_suffix(".sig").write_text(committed.signature, encoding="utf-8")
    with tarfile.open(fileobj=BytesIO(b64decode(made.pack))) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 of Debian 12 has none
        archive.extractall(folder)  # noqa: S202  (a pack of our own)
    command = [sys.executable, "-I", "-S", str(folder / made.name / "verify.py")]
    command += ["--key", made.key, "--commitment", str(commitment)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own words)
    return done.returncode, done.stdout.strip().splitlines() or [done.stderr.strip()]
