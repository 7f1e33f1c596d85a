"""What `ledger check` proves of allowances: each has what it was granted, less what its entries and usage records say.

So allowance and money add up to what was used: a record whose `covered` was changed, an entry that was invented or taken away,
and a wallet that says another rest are found here, by the allowance's number.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, case, func, or_, select

from gateway.ledger.allowance_kinds import ADDS, TAKES, USE
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.append_only import RELEASED
from gateway.store.tables import allowance_entries, marks, usage, wallets

Key = tuple[int, str]
"""An allowance's number, and a service."""


class _Held(msgspec.Struct):
    """What is read here of an allowance in a wallet."""

    id: int
    left: dict[str, int]


class _Holdings(msgspec.Struct):
    """What is read here of a wallet's holdings."""

    allowances: list[_Held] = []


_holdings = msgspec.json.Decoder(_Holdings).decode


def allowances_match(books: Examined) -> Iterator[Finding]:
    """Name allowances that are not what they should be; the first few."""
    for detail in islice(wrong_allowances(books.connection, books.journals), SHOWN):
        yield Finding("allowance", detail)


def wrong_allowances(connection: Connection, journals: Sequence[Connection]) -> Iterator[str]:
    """Say which allowances are not what they should be; `journals` are the parts that usage stands in."""
    yield from _ill_formed(connection)
    yield from _too_much_covered(journals)
    sums = {(row[0], row[1]): int(row[2]) for row in connection.execute(_sums())}
    owners = {row[0]: row[1] for row in connection.execute(_owners())}
    covered = _covered(journals)
    released = select(marks.c.value).where(marks.c.node == 0, marks.c.name == RELEASED)
    swept = connection.execute(released).scalar() or 0
    begun = {row[0]: row[1] for row in connection.execute(_begun())} if swept else {}
    held: dict[Key, int] = {}
    for owner, holdings in connection.execute(_wallets(), execution_options={"yield_per": 1000}):
        for allowance in _holdings(holdings).allowances:
            if owners.get(allowance.id) not in (owner, None):
                yield f"allowance {allowance.id} is in wallet:{owner}, and was granted to wallet:{owners[allowance.id]}"
            held |= {(allowance.id, service): left for service, left in allowance.left.items()}
    for key in sorted(sums.keys() | covered.keys() | held.keys()):
        if begun.get(key[0], swept) < swept:
            continue  # some of its usage may be gone
        expected = sums.get(key, 0) - covered.get(key, 0)
        if expected != held.get(key, 0):
            yield (
                f"allowance {key[0]} has {held.get(key, 0)} units of {key[1]} left; "
                f"its entries and usage say {expected}"
            )


@cache
def _sums() -> Any:  # noqa: ANN401  (a select of three columns)
    entry = allowance_entries.c
    return select(entry.allowance_id, entry.service, func.sum(entry.units)).group_by(entry.allowance_id, entry.service)


@cache
def _owners() -> Any:  # noqa: ANN401  (as above)
    entry = allowance_entries.c
    return select(entry.allowance_id, func.min(entry.subscriber_id)).group_by(entry.allowance_id)


@cache
def _begun() -> Any:  # noqa: ANN401  (as above)
    entry = allowance_entries.c
    return select(entry.allowance_id, func.min(entry.event_at)).group_by(entry.allowance_id)


@cache
def _wallets() -> Any:  # noqa: ANN401  (as above)
    return select(wallets.c.subscriber_id, wallets.c.bundle).where(wallets.c.bundle.is_not(None))


def _covered(journals: Sequence[Connection]) -> dict[Key, int]:
    """Sum what usage records say themselves, less what others covered of the same records."""
    found: dict[Key, int] = {}
    for journal in journals:
        for number, service, units in journal.execute(_by_usage()):
            found[number, service] = found.get((number, service), 0) + int(units)
        for number, service, units in journal.execute(_by_others()):
            found[number, service] = found.get((number, service), 0) + int(units)
    return found


@cache
def _by_usage() -> Any:  # noqa: ANN401  (as above)
    wanted = select(usage.c.allowance_id, usage.c.service, func.sum(usage.c.covered))
    return wanted.where(usage.c.allowance_id.is_not(None)).group_by(usage.c.allowance_id, usage.c.service)


@cache
def _by_others() -> Any:  # noqa: ANN401  (as above)
    entry = allowance_entries.c
    return (
        select(usage.c.allowance_id, entry.service, func.sum(entry.units))
        .join_from(allowance_entries, usage, usage.c.id == entry.usage_id)
        .where(entry.kind == USE, entry.service == usage.c.service)
        .group_by(usage.c.allowance_id, entry.service)
    )


def _ill_formed(connection: Connection) -> Iterator[str]:
    for (number,) in connection.execute(_not_bookable()):
        yield f"entry {number} of an allowance is none that may be booked"
    for (number,) in connection.execute(_mixed()):
        yield f"allowance {number} has entries of several wallets"


@cache
def _not_bookable() -> Any:  # noqa: ANN401  (as above)
    entry = allowance_entries.c
    wrong = or_(
        entry.kind.not_in([*TAKES, *ADDS]),
        entry.units == 0,
        entry.kind.in_(list(TAKES)) & (entry.units > 0),
        entry.kind.in_(list(ADDS)) & (entry.units < 0),
        (entry.kind == USE) & entry.usage_id.is_(None) & entry.reference.is_(None),
        entry.kind.in_(list(ADDS)) & entry.reference.is_(None),
    )
    return select(entry.id).where(wrong).order_by(entry.id).limit(SHOWN)


@cache
def _mixed() -> Any:  # noqa: ANN401  (as above)
    several = select(allowance_entries.c.allowance_id).group_by(allowance_entries.c.allowance_id)
    return several.having(func.count(allowance_entries.c.subscriber_id.distinct()) > 1).limit(SHOWN)


def _too_much_covered(journals: Sequence[Connection]) -> Iterator[str]:
    """Find records that were covered beyond what they say was used."""
    for journal in journals:
        for (number,) in journal.execute(_beyond_use()):
            yield f"record {number} was covered by more units than were used"


@cache
def _beyond_use() -> Any:  # noqa: ANN401  (as above)
    used = case(
        (usage.c.service == "data", usage.c.octets), (usage.c.service == "voice", usage.c.seconds), else_=usage.c.units
    )
    wrong = or_(usage.c.covered > used, usage.c.covered < 0)
    return select(usage.c.id).where(wrong).order_by(usage.c.id).limit(SHOWN)
