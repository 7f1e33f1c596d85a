"""What some usage would cost on a plan, step by step: charged as a request would be, on a wallet that nobody has."""

import itertools

import msgspec

from gateway.balance.profiles import Profile
from gateway.balance.usage import ACTIVE
from gateway.balance.wallets import Wallet
from gateway.charging.decide import PLENTY
from gateway.charging.quota import CreditControlRun
from gateway.charging.request import DATA, EVENT, SMS, VOICE, ChargingRequest, Item, Traffic, Used
from gateway.charging.session import Session
from gateway.charging.tariff import Tariff
from gateway.ledger.money import minor_unit
from gateway.rating.destinations import Destination, called_number, destination
from gateway.rating.plan_taxes import Treatment
from gateway.rating.plans import Plan, Rate
from gateway.rating.prices import billed, price, service_price
from gateway.rating.rate_keys import rate_by, read_key
from gateway.rating.taxes import (
    TaxArea,
    TaxedCharges,
    TaxLine,
    TaxTable,
    added_taxes,
    included,
    knows,
    rate_at,
    tax_lines,
)

TRAFFIC = {
    Destination.EMERGENCY: Traffic.EMERGENCY,
    Destination.FREE: Traffic.FREE,
    Destination.ORDINARY: Traffic.OUTGOING,
}


class Usage(msgspec.Struct, frozen=True):
    """What is to be priced: `units` of a service (octets, seconds, texts) from a time on (microseconds).

    `to` is what is dialled, `network` the MCC and MNC of who serves the customer; `own`: it is another line of ours.
    """

    service: str
    units: int
    at: int
    to: str = ""
    network: str = ""
    rating_group: int | None = None
    incoming: bool = False
    own: bool = False


class QuotedTax(msgspec.Struct, frozen=True):
    """The tax of a price: within it at a `rate` (parts per million), or in `lines` on top of it.

    The tax of a day is that of its sum, so that the taxes of its prices may be micro-units off it. A rate of None: the table
    has none for the time. `lines` are None where the place of the line was not said, or the table does not know it.
    """

    treatment: Treatment
    jurisdiction: str
    rate: int | None
    tax: int
    net: int
    total: int
    lines: list[TaxLine] | None = None


class Quotation(msgspec.Struct, frozen=True):
    """A price and what it is made of, all money in micro-units.

    `connection`, `used` and `service_charge` add up to the price; what is `over_limit` is taken off it again.
    """

    rate_key: str
    zone: str
    destination: str
    destination_name: str
    traffic: str
    period: str
    rate: Rate
    billed_units: int
    connection: int
    used: int
    service_charge: int
    over_limit: int
    price: int
    without_tenth: int
    tax: QuotedTax | None = None


class NotPriced(LookupError):
    """The plan has no price there."""


def quote(
    plan: Plan, usage: Usage, tariff: Tariff, taxes: TaxTable | None = None, area: TaxArea | None = None
) -> Quotation:
    """Price usage as the first of its line's month. NotPriced: the plan has no price in the network.

    `taxes` are those of the files; `area` is where the line is taxed, of which taxes on top depend.
    """
    if plan.prices(usage.network) is None and _traffic(usage, tariff) is not Traffic.EMERGENCY:
        message = f"{plan.id} has no price in the network {usage.network}: such usage is refused, and held where it is reported"
        raise NotPriced(message)
    run = _run(plan, usage, tariff)
    amounts = {DATA: (usage.units, 0, 0), VOICE: (0, usage.units, 0), SMS: (0, 0, usage.units)}
    run.charge(run.request.items[0], (Used(*amounts[usage.service]),))
    (record,) = run.usage
    key = read_key(record.rate_key)
    rate = rate_by(plan, usage.service, usage.rating_group, key)
    if rate is None:
        message = f"no rate of {plan.id} has the key {record.rate_key}"
        raise NotPriced(message)
    prices = next((zone for zone in plan.zones if zone.id == key.zone), plan)
    called = prices.destinations.get(key.destination)
    passed_on = service_price(rate, usage.units)
    connection = rate.connection if usage.units else 0
    return Quotation(
        record.rate_key,
        key.zone,
        key.destination,
        "" if called is None else called.name,
        key.traffic,
        key.period,
        rate,
        billed(rate, usage.units) if usage.units else 0,
        connection,
        price(rate, usage.units) - connection - passed_on,
        passed_on,
        record.capped,
        record.price,
        sum(entry.amount for entry in run.entries if entry.kind == "service"),
        _tax(plan, record.price, usage.at, taxes or {}, area),
    )


def _tax(plan: Plan, amount: int, at: int, taxes: TaxTable, area: TaxArea | None) -> QuotedTax | None:
    """Return the tax of a price, by what books it: `included` once for each day, `tax_lines` for a bill."""
    tax = plan.tax
    if tax is None:
        return None
    if tax.treatment is Treatment.INCLUSIVE:
        rate = rate_at(taxes, tax, at)
        within = 0 if rate is None else included(amount, rate)
        return QuotedTax(tax.treatment, tax.jurisdiction, rate, within, amount - within, amount)
    if area is None or not knows(taxes, tax, area):
        return QuotedTax(tax.treatment, tax.jurisdiction, None, 0, amount, amount)
    monthly = [each for each in added_taxes(taxes, tax, area, at) if each.rate]  # fees a month are of no single price
    lines = tax_lines([TaxedCharges(monthly, amount)], unit=minor_unit(plan.currency))
    added = sum(each.amount for each in lines)
    return QuotedTax(tax.treatment, tax.jurisdiction, None, added, amount, amount + added, lines)


def _traffic(usage: Usage, tariff: Tariff) -> Traffic:
    return Traffic.INCOMING if usage.incoming else TRAFFIC[destination(usage.to, tariff.country)]


def _run(plan: Plan, usage: Usage, tariff: Tariff) -> CreditControlRun:
    wallet = Wallet(0, plan.currency, PLENTY, 0, [], ACTIVE)
    request = ChargingRequest(
        session_id="",
        origin_host="",
        peer="",
        request_type=EVENT,
        request_number=0,
        service=usage.service,
        event_at=usage.at,
        as_of=usage.at,
        imsi=None,
        msisdn=None,
        items=(Item(usage.rating_group, (), (), None),),
        digest=0,
        inconsistent=False,
        traffic=_traffic(usage, tariff),
        called=called_number(usage.to, tariff.country),
        network=usage.network,
    )
    session = Session(0, "", 0, 0, "", "", usage.service, usage.at, usage.at, 0, None, 0, {})
    ids = itertools.count(1)
    return CreditControlRun(
        request, session, wallet, Profile(), plan, tariff, usage.at, lambda: next(ids), own_line=usage.own
    )
