"""Usage that was priced anew: each rerating has the price of its version, and its entries are those that it should have.

What was charged is given back whole, each part of its tenth to the account that it was booked to; what should have been is
charged, with a tenth that is its own or, by what rounding leaves, near it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Select, Text, cast, literal, select

from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.checks.examined import Examined, Finding, Recompute
from gateway.ledger.checks.plan_versions import PlanVersions
from gateway.ledger.checks.prices import Facts, Prices, counted
from gateway.ledger.checks.rules import SALE as LEFT_OUT_SALE
from gateway.ledger.checks.rules import Rule, may_be_left_out
from gateway.ledger.checks.tenths import WHOLE
from gateway.store.tables import reratings, transfers, usage

CHECK: Final = "rerating"
ENTRIES: Final = ("reversal", "accrual_reversal", "rerated", "rerated_accrual")
BEFORE: Final = "accrual"
OTHERS: Final = ("refund:", "pro-rata:")
"""What else takes a tenth back, by how its reference begins."""
SALE: Final = "sale:"
_Found = Iterator[tuple[str, str]]


def reratings_right(books: Examined) -> Iterator[Finding]:
    """Name prices that were put right wrongly."""
    wrong = wrong_reratings(books.connection, books.journals, books.recompute, books.rules)
    return (Finding(*found) for found in wrong)


def wrong_reratings(
    connection: Connection, journals: Sequence[Connection], recompute: Recompute, rules: Sequence[Rule]
) -> _Found:
    """Name reratings, and entries of such, that are not right, as (check, what is wrong)."""
    rows = connection.execute(select(reratings).order_by(reratings.c.record_id, reratings.c.id)).all()
    entries = _entries(journals)
    yield from _strangers(entries, {f"rerate:{row.id}" for row in rows})
    if not rows:
        return
    records, first, services = _records(journals), _first_tenths(journals), _passed_on(journals)
    sales, plans = _sales(journals), PlanVersions(connection)
    prices = Prices(plans)
    for usage_id, group in groupby(rows, key=lambda row: row.record_id):
        record, replaced, tenth = records.get(usage_id), 0, first.get(usage_id, {})
        sale = sales.get(usage_id)
        stood = record.price if record is not None else sale
        for row in group:
            what = f"rerating {row.id} of record {usage_id}"
            if row.replaces != replaced or (stood is not None and row.price_before != stood):
                yield CHECK, f"{what} does not go on from what the record was priced before it"
            if record is not None:
                yield from _wrong_price(what, row, record, prices, plans)
                if not plans.priced_anew(row.version, record.plan, record.subscriber_id, record.event_at, row.at):
                    yield CHECK, f"{what} went by version {row.version}, which was not its line's of {record.plan} then"
            plan = plans.plan(row.version)
            if sale is not None and (plan is None or plan.bundle is None or plan.bundle.price != row.price):
                yield CHECK, f"{what} priced a bundle {row.price} micro-units, which version {row.version} did not ask"
            mine = entries.get(f"rerate:{row.id}", [])
            passed_on = services.get(usage_id, 0)
            yield from _wrong_entries(what, row, mine, None if stood is None else tenth, passed_on)
            service = record.service if record is not None else None
            if not _has_its_tenth(row.price - passed_on, mine, recompute, rules, service):
                yield CHECK, f"{what} books a tenth that is not that of {row.price} micro-units"
            if mine:
                tenth = _by_account(mine, "rerated_accrual")
            replaced, stood = row.id, row.price


def _wrong_price(what: str, row: Any, record: Any, prices: Prices, plans: PlanVersions) -> _Found:  # noqa: ANN401  (rows)
    """Name a price that is not the version's, nor what one of its caps may have left of that."""
    charged = record.units - (record.covered or 0)
    key, place = record.rate_key or "", record.rated_before or 0
    expected = prices.of(Facts(row.version, key, record.service, record.rating_group, place, charged))
    rate = prices.rate(row.version, key, record.service, record.rating_group)
    is_capped = rate is not None and rate.service is None and plans.may_cap(row.version, rate, record.service)
    if expected != row.price and not (is_capped and expected is not None and 0 <= row.price < expected):
        yield CHECK, f"{what} priced it {row.price} micro-units, by version {row.version} it is {expected}"


def _wrong_entries(
    what: str,
    row: Any,  # noqa: ANN401  (a row)
    entries: list[Any],
    tenth_before: dict[int, int] | None,
    passed_on: int,
) -> _Found:
    """Hold the entries of a rerating against it; without any nothing may have changed.

    What is `passed_on` of its record's price stands in an entry of its own, and stays.
    """
    if not entries:
        if row.price != row.price_before:
            yield CHECK, f"{what} has no entries, and changed the price from {row.price_before} to {row.price}"
        return
    for kind, amount in (("reversal", row.price_before), ("rerated", row.price)):
        booked = sum(entry.amount for entry in entries if entry.kind == kind)
        if booked != amount - passed_on:
            yield CHECK, f"{what} books {booked} micro-units as {kind}, it says {amount - passed_on}"
    wallets = {side for entry in entries for side in (entry.debit, entry.credit) if side >= HIGHEST_SYSTEM}
    if len(wallets) > 1 or any(entry.usage_id not in (None, row.record_id) for entry in entries):
        yield CHECK, f"{what} has entries of another record or wallet"
    if tenth_before is not None and _by_account(entries, "accrual_reversal") != tenth_before:
        yield CHECK, f"{what} does not take back the tenth that was booked before it"


def _has_its_tenth(
    price: int, entries: list[Any], recompute: Recompute, rules: Sequence[Rule], service: str | None
) -> bool:
    """Return whether a rerating's entries, if it has any, have the tenth of the price, or none where a rule leaves it out."""
    new = [entry for entry in entries if entry.kind == "rerated_accrual"]
    if not entries or (not any(entry.base != price for entry in new) and _is_tenth(price, new, recompute)):
        return True
    first = entries[0]
    what = service if first.usage_id is not None else LEFT_OUT_SALE
    return not new and may_be_left_out(rules, what, first.event_at, first.at)


def _is_tenth(price: int, parts: list[Any], recompute: Recompute) -> bool:
    """Return whether parts are a tenth and its shares, but for what rounding in a session moves from one to another."""
    if not parts:
        return price < WHOLE
    together, expected = sum(part.amount for part in parts), recompute(parts[0].policy, price, WHOLE)
    if expected is None or abs(together - expected) > _ROUNDING:
        return False
    return all(abs(part.amount - together * part.share // WHOLE) <= 1 for part in parts)


_ROUNDING: Final = 1000
"""Micro-units, a tenth of a penny: what the last record of a long session may have to make up for."""


def _by_account(entries: list[Any], kind: str) -> dict[int, int]:
    """Return the parts of a tenth by the account of the cause, which a reversal debits and an accrual credits."""
    found: dict[int, int] = {}
    for entry in entries:
        if entry.kind == kind:
            account = entry.debit if kind == "accrual_reversal" else entry.credit
            found[account] = found.get(account, 0) + entry.amount
    return found


def _entries(journals: Sequence[Connection]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for journal in journals:
        for entry in journal.execute(select(transfers).where(transfers.c.kind.in_(ENTRIES))):
            if entry.kind == "accrual_reversal" and (entry.reference or "").startswith(OTHERS):
                continue
            found.setdefault(entry.reference or "", []).append(entry)
    return found


def _strangers(entries: dict[str, list[Any]], known: set[str]) -> _Found:
    for reference in sorted(entries.keys() - known):
        yield (
            CHECK,
            f"entry {entries[reference][0].id} corrects a price by {reference or 'nothing'}, which is no rerating",
        )


def _records(journals: Sequence[Connection]) -> dict[int, Any]:
    u = usage.c
    columns = (
        u.id,
        u.subscriber_id,
        u.event_at,
        u.plan,
        u.price,
        u.service,
        u.rating_group,
        u.rate_key,
        u.rated_before,
        u.covered,
        counted().label("units"),
    )
    of = u.id.in_(select(reratings.c.record_id))
    return {row.id: row for journal in journals for row in journal.execute(select(*columns).where(of))}


def _passed_on(journals: Sequence[Connection]) -> dict[int, int]:
    """Return what third parties have of records that were priced anew, by their numbers."""
    t = transfers.c
    wanted = select(t.usage_id, t.amount).where(t.kind == "service", t.usage_id.in_(select(reratings.c.record_id)))
    return {number: amount for journal in journals for number, amount in journal.execute(wanted)}


def _first_tenths(journals: Sequence[Connection]) -> dict[int, dict[int, int]]:
    t = transfers.c
    about = select(reratings.c.record_id)
    of_usage = select(t.usage_id, t.credit, t.amount).where(t.kind == BEFORE, t.usage_id.in_(about))
    of_sales = select(t.reference, t.credit, t.amount).where(t.kind == BEFORE, t.reference.in_(_sold()))
    found: dict[int, dict[int, int]] = {}
    for journal in journals:
        for of in (of_usage, of_sales):
            for record, account, amount in journal.execute(of):
                parts = found.setdefault(int(str(record).removeprefix(SALE)), {})
                parts[account] = parts.get(account, 0) + amount
    return found


def _sales(journals: Sequence[Connection]) -> dict[int, int]:
    """Return what bundles were sold for, by the number of the sale, of those that were priced anew."""
    t = transfers.c
    sold = select(t.reference, t.amount).where(t.kind == "sale", t.reference.in_(_sold()))
    return {
        int(reference.removeprefix(SALE)): amount for journal in journals for reference, amount in journal.execute(sold)
    }


def _sold() -> Select[str]:
    return select(literal(SALE).concat(cast(reratings.c.record_id, Text)))
