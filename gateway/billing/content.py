"""What a bill has: sums of what was used and of what moved the wallet, as they are kept with it. Pure.

Money is in micro-units, seen from the wallet: what the customer pays is below zero. Rounding is elsewhere (billing.rounding).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from gateway.rating.prices import half_even
from gateway.rating.taxes import MILLION


class Section(StrEnum):
    """The parts of a bill, in the order in which they stand on it."""

    USAGE = "usage"
    SALES = "sales"
    CORRECTIONS = "corrections"
    TAXES = "taxes"
    GIFTS = "gifts"
    CREDIT = "credit"
    FAMILY = "family"
    PAYMENTS = "payments"
    SETTLEMENT = "settlement"
    OTHER = "other"


SECTIONS: Final[dict[str, Section]] = {
    "charge": Section.USAGE,
    "service": Section.USAGE,
    "sale": Section.SALES,
    "reversal": Section.CORRECTIONS,
    "rerated": Section.CORRECTIONS,
    "refund": Section.CORRECTIONS,
    "promo_refund": Section.CORRECTIONS,
    "pro_rata": Section.CORRECTIONS,
    "added_tax": Section.TAXES,
    "added_tax_back": Section.TAXES,
    "gift": Section.GIFTS,
    "promotion": Section.CREDIT,
    "lapse": Section.CREDIT,
    "breakage": Section.CREDIT,
    "breakage_vat": Section.CREDIT,
    "breakage_back": Section.CREDIT,
    "breakage_vatback": Section.CREDIT,
    "family": Section.FAMILY,
    "opening": Section.PAYMENTS,
    "topup": Section.PAYMENTS,
    "payment": Section.PAYMENTS,
    "chargeback": Section.PAYMENTS,
    "settlement": Section.SETTLEMENT,
}
"""Where the entries of a kind (ledger.postings) stand; `promotional` is usage or a sale, as its entry says."""
PAID_BY_PROMOTION: Final = "promotional"


def section_of(kind: str, *, has_usage: bool) -> Section:
    """Return the section of an entry by its kind, and by whether it is about a usage record."""
    if kind == PAID_BY_PROMOTION:
        return Section.USAGE if has_usage else Section.SALES
    return SECTIONS.get(kind, Section.OTHER)


class Used(msgspec.Struct, array_like=True, gc=False):
    """What was used of one service, in one way (`traffic`: empty, `free`, `in`, `sos`, or a roaming zone's id).

    `records` is how many there were, `price` what they cost, `ids` which ones they are: the first, then what each is above the
    one before it.
    """

    service: str
    traffic: str
    records: int = 0
    octets: int = 0
    seconds: int = 0
    units: int = 0
    covered: int = 0
    price: int = 0
    ids: list[int] = []


class Moved(msgspec.Struct, array_like=True, gc=False):
    """What entries of a kind moved the wallet by: signed, so that what was paid in is above zero.

    `ids` are its entries, where they may be shown one by one (not the charges, which usage records tell of).
    """

    kind: str
    section: str
    count: int
    amount: int
    ids: list[int] = []


class Taxed(msgspec.Struct, array_like=True, gc=False):
    """Prices that include a tax: of which jurisdiction, at which rate (parts per million), and what they come to."""

    jurisdiction: str
    rate: int
    gross: int


class Added(msgspec.Struct, array_like=True, gc=False):
    """A tax or fee that was added to prices: its name and kind (rating.taxes.AddedTax), the state that it is of, and its rate.

    The rate is in parts per million, 0 of a fee; `base` is what it is on, `amount` what it moved the wallet by.
    """

    name: str
    kind: str
    state: str
    rate: int
    base: int = 0
    amount: int = 0

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is."""
        return self.name, self.kind, self.state, self.rate


class Content(msgspec.Struct, array_like=True, gc=False):
    """All that is kept of a bill's content; `final`: of a line that has ended.

    `credited` is what of the taxed prices was given back: a credit note takes it away with what it is of. `added` are the taxes
    on top of prices one by one, which are entries as well (Section.TAXES).
    """

    used: list[Used] = []
    moved: list[Moved] = []
    taxed: list[Taxed] = []
    plan: str = ""
    final: bool = False
    credited: list[Taxed] = []
    added: list[Added] = []

    @property
    def amount(self) -> int:
        """What the wallet was moved by, in all."""
        return sum(each.amount for each in self.moved)

    def of(self, *sections: Section) -> int:
        """Sum some sections."""
        return sum(each.amount for each in self.moved if each.section in sections)

    @property
    def numbers(self) -> set[int]:
        """Which records and entries it tells of one by one."""
        steps = [*(each.ids for each in self.used), *(each.ids for each in self.moved)]
        return {number for each in steps for number in from_steps(each)}

    @property
    def paid(self) -> int:
        """What came in: payments less what was taken back, and what was given back."""
        return sum(each.amount for each in self.moved if each.amount > 0 or each.section == Section.PAYMENTS)


def without_corrections(content: Content) -> tuple[Content, Content | None]:
    """Split what was given back of prices from the rest: that is a credit note; None where there is nothing of it."""
    given_back = [each for each in content.moved if each.section == Section.CORRECTIONS and each.amount > 0]
    if not given_back:
        return content, None
    rest = [each for each in content.moved if each not in given_back]
    note = Content([], given_back, content.credited, content.plan, content.final)
    return msgspec.structs.replace(content, moved=rest, credited=[]), note


write_content: Final = msgspec.msgpack.Encoder().encode
read_content: Final = msgspec.msgpack.Decoder(Content).decode


def tax_of(taxed: Taxed, unit: int) -> int:
    """Return the tax within prices in whole `unit`s (micro-units), half-even (VAT Notice 700 §17.5: totals may be rounded)."""
    return half_even(taxed.gross * taxed.rate, (MILLION + taxed.rate) * unit) * unit


def in_steps(ids: Iterable[int]) -> list[int]:
    """Write numbers as the first, and what each is above the one before it."""
    steps, before = [], 0
    for number in sorted(ids):
        steps.append(number - before)
        before = number
    return steps


def from_steps(steps: Iterable[int]) -> list[int]:
    """Read them again."""
    ids, reached = [], 0
    for step in steps:
        reached += step
        ids.append(reached)
    return ids


def merged(one: Content, other: Content) -> Content:
    """Join what two closes of one month found for a line."""
    used: dict[tuple[str, str], Used] = {}
    for each in (*one.used, *other.used):
        key = (each.service, each.traffic)
        known = used.get(key)
        used[key] = each if known is None else _used_together(known, each)
    moved: dict[tuple[str, str, bool], Moved] = {}
    for entry in (*one.moved, *other.moved):
        side = (entry.kind, entry.section, entry.amount > 0)
        before = moved.get(side)
        moved[side] = entry if before is None else _moved_together(before, entry)
    taxed: dict[tuple[str, int], int] = {}
    for tax in (*one.taxed, *other.taxed):
        taxed[tax.jurisdiction, tax.rate] = taxed.get((tax.jurisdiction, tax.rate), 0) + tax.gross
    return Content(
        list(used.values()),
        list(moved.values()),
        [Taxed(*key, gross) for key, gross in taxed.items()],
        other.plan or one.plan,
        one.final or other.final,
        added=added_up((*one.added, *other.added)),
    )


def negated(content: Content) -> Content:
    """Return what takes a bill back: the same, with the opposite sign."""
    return Content(
        [],
        [Moved(each.kind, each.section, each.count, -each.amount) for each in content.moved],
        [Taxed(each.jurisdiction, each.rate, -each.gross) for each in content.taxed],
        content.plan,
        content.final,
        added=[msgspec.structs.replace(each, base=-each.base, amount=-each.amount) for each in content.added],
    )


def added_up(taxes: Iterable[Added]) -> list[Added]:
    """Join taxes that are the same."""
    found: dict[tuple[str, str, str, int], Added] = {}
    for each in taxes:
        known = found.get(each.key, Added(*each.key))
        found[each.key] = Added(*each.key, known.base + each.base, known.amount + each.amount)
    return list(found.values())


def _used_together(one: Used, other: Used) -> Used:
    ids = in_steps([*from_steps(one.ids), *from_steps(other.ids)])
    return Used(
        one.service,
        one.traffic,
        one.records + other.records,
        one.octets + other.octets,
        one.seconds + other.seconds,
        one.units + other.units,
        one.covered + other.covered,
        one.price + other.price,
        ids,
    )


def _moved_together(one: Moved, other: Moved) -> Moved:
    ids = in_steps([*from_steps(one.ids), *from_steps(other.ids)])
    return Moved(one.kind, one.section, one.count + other.count, one.amount + other.amount, ids)
