"""Taxes on what customers pay, within a price or added to it, by jurisdiction, kind and tax point. Pure.

A plan says whether its prices include tax (UK VAT) or not (taxes of the US), and by which jurisdiction. The rate is that of the
tax point: of pay-as-you-go credit, a multi-purpose voucher, the use (VAT Notice 700/7, section 9); of a bundle or an add-on,
which is no voucher but what is supplied, the sale (Lycamobile v HMRC [2024] UKFTT 638).

Rates are parts per million, money is micro-units, times are microseconds.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.prices import half_even

MILLION: Final = 1_000_000
_PERCENT: Final = MILLION // 100


class TaxRate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rate that prices include, from a time on, until one of the same kind follows it."""

    kind: str
    rate: int
    valid_from: int


class AddedTax(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tax or fee that is added to what a line in an area pays, from a time on, until one of the same name follows it.

    It is `rate` of the part `of` of the charges, and `fixed` micro-units a month. With `zips` it is for the places whose ZIP
    begins so, without any for the whole state. `kind` is state, local, 911 or usf, as bills label it. With `on_taxes` it is on
    the charges and on the taxes and fees that are not on taxes themselves.
    """

    name: str
    kind: str
    valid_from: int
    rate: int = 0
    fixed: int = 0
    of: int = MILLION
    zips: tuple[str, ...] = ()
    on_taxes: bool = False

    def is_for(self, zip_code: str) -> bool:
        """Return whether it is for the place with a ZIP."""
        return not self.zips or zip_code.startswith(self.zips)


class Jurisdiction(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose taxes they are: `rates` are within prices, `added` are on top of them by state (EVERYWHERE: in all states)."""

    id: str
    name: str
    currency: str
    timezone: str
    rates: tuple[TaxRate, ...] = ()
    added: dict[str, tuple[AddedTax, ...]] = {}


FEDERAL: Final = "usf"
"""The kind of the taxes that are of no state: contributions to the Universal Service Fund."""
EVERYWHERE: Final = "*"
"""Stands for every state of a jurisdiction."""
TaxTable = Mapping[str, Jurisdiction]
"""Jurisdictions by their ids."""


class TaxArea(msgspec.Struct, frozen=True):
    """Where a line is taxed: the state (two capital letters) and the ZIP."""

    state: str
    zip: str


class TaxLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A labelled line of tax on a bill: what it is on, and what it comes to, both in micro-units.

    `rate` is that of a tax on charges (parts per million of the part `of` of them), `state` the one that it is of where the
    line is in another one by the month's end. Lines from before have neither.
    """

    name: str
    kind: str
    base: int
    amount: int
    rate: int = 0
    state: str = ""


class TaxedCharges(msgspec.Struct, frozen=True):
    """What a line was charged (micro-units) while some taxes were in force for it in a state; fees are those of the last."""

    taxes: Sequence[AddedTax]
    charges: int
    state: str = ""


def rate_at(table: TaxTable, tax: PlanTax, at: int) -> int | None:
    """Return the rate that prices include at a tax point; None where the table has none for it."""
    jurisdiction = table.get(tax.jurisdiction)
    if jurisdiction is None or tax.treatment is not Treatment.INCLUSIVE:
        return None
    found = [each for each in jurisdiction.rates if each.kind == tax.kind and each.valid_from <= at]
    return max(found, key=lambda each: each.valid_from).rate if found else None


def included(amount: int, rate: int) -> int:
    """Return the tax within an amount that includes it, rounded half-even to the micro-unit once."""
    return half_even(amount * rate, MILLION + rate)


def included_after(before: int, amount: int, rate: int) -> int:
    """Return the tax within an amount that follows others, which come to `before`: so parts add up to the tax of the whole."""
    return included(before + amount, rate) - included(before, rate)


def percent(rate: int) -> str:
    """Write a rate in percent: 20, 17.5."""
    whole, rest = divmod(rate, _PERCENT)
    return f"{whole}.{rest:04d}".rstrip("0") if rest else str(whole)


def added_taxes(table: TaxTable, tax: PlanTax, area: TaxArea, at: int) -> list[AddedTax]:
    """Find the taxes that are added at a time to what a line in an area pays, in the order of the table."""
    jurisdiction = table.get(tax.jurisdiction)
    if jurisdiction is None or tax.treatment is not Treatment.EXCLUSIVE:
        return []
    listed = (*jurisdiction.added.get(EVERYWHERE, ()), *jurisdiction.added.get(area.state, ()))
    latest: dict[tuple[str, str], AddedTax] = {}
    for each in listed:
        if each.valid_from <= at and each.is_for(area.zip):
            known = latest.get((each.kind, each.name))
            if known is None or known.valid_from <= each.valid_from:
                latest[each.kind, each.name] = each
    return list(latest.values())


def knows(table: TaxTable, tax: PlanTax, area: TaxArea) -> bool:
    """Return whether the table has taxes for an area: a state that it does not name is unknown, and not without taxes."""
    jurisdiction = table.get(tax.jurisdiction)
    return jurisdiction is not None and area.state in jurisdiction.added


def tax_lines(parts: Sequence[TaxedCharges], *, unit: int) -> list[TaxLine]:
    """Return the lines of tax on what a line was charged in a month, each rounded half-even to whole `unit`s.

    `unit` is the currency's minor unit in micro-units: a bill shows what is paid. Each tax is on the charges of its time and
    place; one whose rate changed has a line for each rate. Fees are those of the last part. What a tax on taxes is on has those
    unrounded, so that the order of the table makes no difference.
    """
    exact: dict[tuple[str, AddedTax], list[Fraction]] = {}
    for place, part in enumerate(parts):
        is_last = place == len(parts) - 1
        others = sum((_exact(each, part.charges, fees=is_last) for each in part.taxes if not each.on_taxes), Fraction())
        for each in part.taxes:
            base = part.charges + others if each.on_taxes else Fraction(part.charges)
            state = "" if each.kind == FEDERAL else part.state
            known = exact.setdefault((state, each), [Fraction(), Fraction()])
            known[0] += base
            known[1] += _exact(each, base, fees=is_last)
    lines, order = [], list(dict.fromkeys((each.kind, each.name) for part in parts for each in part.taxes))
    for (state, each), (base, tax) in sorted(
        exact.items(), key=lambda known: order.index((known[0][1].kind, known[0][1].name))
    ):
        amount = half_even(tax.numerator, tax.denominator * unit) * unit
        if amount:
            on = half_even(base.numerator, base.denominator)
            lines.append(TaxLine(each.name, each.kind, on, amount, each.rate, state))
    return lines


def _exact(tax: AddedTax, charges: Fraction | int, *, fees: bool) -> Fraction:
    """Return what a tax comes to, unrounded, in micro-units."""
    return Fraction(charges * tax.of * tax.rate) / MILLION**2 + (tax.fixed if fees else 0)
