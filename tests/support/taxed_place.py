"""A charging place whose plans include VAT: 17.5 % until the 15th of November 2023, 20 % from the 16th on."""

from zoneinfo import ZoneInfo

from gateway.ledger.tax_days import BookTaxDay, due_day
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import Jurisdiction, TaxRate
from gateway.store import versions
from gateway.store.versions import TAX, Content, canonical

LONDON = ZoneInfo("Europe/London")
GB = PlanTax(Treatment.INCLUSIVE, "GB")
RISES = 1_700_092_800_000_000
"""The 16th of November 2023, midnight."""


def record_taxes(place):
    """Record VAT, with the plans as they are."""
    rates = (TaxRate("standard", 175_000, 0), TaxRate("standard", 200_000, RISES))
    table = Jurisdiction("GB", "VAT", "GBP", "Europe/London", rates)
    record(place, table)


def record(place, table):
    """Record the taxes of a country, with the plans as they are."""
    now = next(place.ticks)
    with place.reader.connect() as connection:
        plans = [Content(versions.PLAN, each.name, each.content) for each in versions.read(connection, versions.PLAN)]
    wanted = [*plans, Content(TAX, table.id, canonical(table))]
    place.lane.run(versions.BeginVersions(place.lane.run(versions.PrepareVersions(wanted)), now))


def book(place):
    """Book each day that is over, as the gateway does; gives the days."""
    done = []
    while (day := due(place)) is not None:
        assert place.lane.run(BookTaxDay(day))
        done.append(day)
    return done


def due(place):
    with place.reader.connect() as connection:
        return due_day(connection, place.node.id, LONDON, next(place.ticks))
