"""Rules of the tenth by their recorded versions: an accrual is computed again by the rule that it was booked by."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from sqlalchemy import Connection

from gateway.ledger.checks.examined import Examined, Finding, Recompute
from gateway.ledger.checks.rules import read_rule
from gateway.ledger.checks.tenths import WHOLE
from gateway.rating.prices import half_even
from gateway.store.versions import POLICY, read

CHECK: Final = "policy"


def recorded_rates(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return the rate of each recorded rule, and the tax in its base, in basis points; the latest counts.

    Of a content that was changed, which another check names, there may be none to read.
    """
    found = {}
    for version in read(connection, POLICY):
        with suppress(KeyError, ValueError, TypeError):
            if (said := read_rule(version)) is not None:
                found[version.name] = int(said["rate"]), int(said.get("tax", 0))
    return found


def by_recorded(connection: Connection, recompute: Recompute) -> Recompute:
    """Give what computes a tenth again: by the recorded rule, or by the program's where the store has recorded none."""
    rates = recorded_rates(connection)

    def compute(policy: str, base: int, share: int) -> int | None:
        known = rates.get(policy)
        if known is None:
            return recompute(policy, base, share)
        rate, tax = known
        return half_even(base * rate * share, (WHOLE + tax) * WHOLE)

    return compute


def policies_unchanged(books: Examined) -> Iterator[Finding]:
    """Name rules of the tenth that were recorded otherwise than the program has them."""
    return (Finding(*found) for found in changed_policies(books.connection, books.program))


def changed_policies(connection: Connection, recompute: Recompute) -> Iterator[tuple[str, str]]:
    """Name rules whose recorded rate is not that of the program: a rule is never changed, another one has another name."""
    for policy, (rate, _) in recorded_rates(connection).items():
        known = recompute(policy, WHOLE, WHOLE)
        if known is not None and known != rate:
            yield CHECK, f"policy {policy} was recorded with {rate} basis points, this program has {known}"
