"""Which rate applies to the units of a request: by network, called party, direction, rating group and tariff period. Pure.

A report is priced by the tariff period in which it began: a client that was told of a change of tariff says which of its units
came after it (Tariff-Change-Usage, RFC 8506 §8.27), and any other has its slice at the price at which it was granted.
"""

from typing import Final

import msgspec

from gateway.balance.allowances import HOME, Place
from gateway.charging.request import EVENT, MICROSECONDS, VOICE, ChargingRequest, Item, Traffic, Used
from gateway.charging.session import Group, Session
from gateway.charging.tariff import Tariff
from gateway.rating.calendars import Calendar, calendar_of
from gateway.rating.plans import Plan, Rate, Zone, destination_of
from gateway.rating.prices import price
from gateway.rating.rate_keys import RateKey, base_rate
from gateway.store.errors import RowUnknown
from gateway.store.known_values import unknown

CLOCKS_US: Final = 60 * MICROSECONDS
"""How far two clocks may be apart of which one says that a tariff has changed."""
_ANY_NUMBER: Final = frozenset({Traffic.INCOMING, Traffic.EMERGENCY})
"""Traffic whose price does not depend on the number."""


class TariffChange(msgspec.Struct, frozen=True, gc=False):
    """When another price begins (microseconds), and the rate from then on."""

    at: int
    rate: Rate


class Pricing:
    """The rates of one request, by the plan of its subscriber as it was at the time of use."""

    def __init__(
        self, request: ChargingRequest, session: Session, plan: Plan, tariff: Tariff, *, own_line: bool = False
    ) -> None:
        """Find out where the customer is and what is called; `own_line`: it is another line of ours."""
        self._request, self._session, self._plan, self._tariff = request, session, plan, tariff
        self.traffic = _traffic(request, session)
        self.network = request.network or session.network
        self._prices: Plan | Zone = plan.prices(self.network) or plan
        """Those of the network; of one without any nothing is decided that they matter for."""
        self.destination = session.destination
        if request.called:
            self.destination = destination_of(self._prices, request.service, request.called, own=own_line)
        self._begun_at = 0 if session.last_number < 0 else session.opened_at
        self._heard_at: dict[int, int] = {}
        self._rates: dict[int | None, Rate] = {}

    @property
    def is_abroad(self) -> bool:
        """Whether the customer is in a network that has prices of its own in the plan."""
        return self._prices is not self._plan

    def base(self, item: Item) -> Rate:
        """Return the rate of an item's units outside all tariff periods."""
        group = item.rating_group
        rate = self._rates.get(group)
        if rate is None:
            rate = base_rate(self._prices, self._request.service, group, self.traffic, self.destination)
            self._rates[group] = rate
        return rate

    def of_use(self, item: Item, used: Used, group: Group) -> tuple[Rate, str]:
        """Return the rate of reported units and its key (rating.rate_keys); asked before the group notes that it is known."""
        rate = self.base(item)
        if not rate.at:
            return rate, self._key()
        heard_at = self._heard_at.setdefault(id(group), group.reported_at)
        return self._in_period(rate, self._period(used, self._began(used, heard_at)))

    def of_grant(self, item: Item, now: int, validity: int) -> tuple[Rate, TariffChange | None]:
        """Return the rate of units granted now, and the change of tariff within their validity (seconds), if there is one."""
        rate = self.base(item)
        if not rate.at:
            return rate, None
        present, _ = self._in_period(rate, self._calendar.period(now))
        change = self._calendar.next_change(now, now + validity * MICROSECONDS)
        if change is None:
            return present, None
        later, _ = self._in_period(rate, self._calendar.period(change))
        return present, None if later == present else TariffChange(change, later)

    def place(self, rate: Rate) -> Place:
        """Say where units of a price are used, as far as allowances go by that."""
        zone = "" if isinstance(self._prices, Plan) else self._prices.id
        if not zone and rate.in_bundle:
            return HOME
        return Place(zone, rate.in_bundle, apart=bool(self.destination) and not rate.in_bundle)

    @property
    def _calendar(self) -> Calendar:
        return calendar_of(self._plan.periods, self._tariff.zone, self._plan.holidays)

    def _in_period(self, rate: Rate, period: str) -> tuple[Rate, str]:
        found = rate.at.get(period)
        return (rate, self._key()) if found is None else (found, self._key(period))

    def _period(self, used: Used, at: int) -> str:
        """Name the period of units; one that a client's clock is a moment ahead of has begun where the client says so."""
        name = self._calendar.period(at)
        if not used.after_change or name != self._calendar.period(at - CLOCKS_US):
            return name
        change = self._calendar.next_change(at, at + CLOCKS_US)
        return name if change is None else self._calendar.period(change)

    def _began(self, used: Used, heard_at: int) -> int:
        """Say when units began to be used (microseconds): when their group was last heard of, as far as that is known."""
        as_of = self._request.as_of
        if used.after_change or self._request.request_type == EVENT:
            return as_of
        last = heard_at or self._begun_at
        if last and last < as_of:
            return last
        return as_of - used.seconds * MICROSECONDS if self._request.service == VOICE else as_of

    def _key(self, period: str = "") -> str:
        """Name the rate by what it was found by; a destination that has no price in this network is none."""
        traffic, destination = self.traffic, self.destination
        zone = "" if self._prices is self._plan else self._prices.id
        if not (zone or traffic or destination or period):
            return ""
        if traffic in _ANY_NUMBER or destination not in self._prices.destinations:
            destination = ""
        return str(RateKey(str(traffic), zone, destination, period))


def dearer(first: Rate, second: Rate, ahead: int, wanted: int) -> Rate:
    """Return the rate by which the units that follow `ahead` ones cost more: what is held for must do for either."""
    costs = [price(rate, ahead + wanted) - price(rate, ahead) for rate in (first, second)]
    return first if costs[0] >= costs[1] else second


def _traffic(request: ChargingRequest, session: Session) -> Traffic:
    """Return what kind of call or text a request is about.

    A session is one call: what it was said to be once it stays, though a later request names no called party, or the number
    that a free or emergency call was routed to. An event stands alone.
    """
    said = request.traffic or Traffic.OUTGOING
    if request.request_type == EVENT or said is Traffic.EMERGENCY or not session.traffic:
        return said
    try:  # and no call more, as nearly always
        return Traffic(session.traffic)
    except ValueError:
        message = unknown(f"traffic {session.traffic!r}", "sessions", session.id)
        raise RowUnknown(message) from None
