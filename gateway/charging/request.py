"""What a client asks of charging, in no protocol's terms: a service, and items of usage and of quota wanted."""

import zlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

INITIAL, UPDATE, TERMINATION, EVENT = 1, 2, 3, 4
"""Where in a session a request stands, or that it stands alone; the store has these numbers (RFC 8506 §8.3 has the same)."""
DATA, VOICE, SMS = "data", "voice", "sms"
MICROSECONDS = 1_000_000
MAX_OCTETS = 1 << 50
MAX_UNITS = 1 << 31
"""The most that one report may carry, octets (a pebibyte) and seconds or messages; more is a fault of the client, not usage."""
_encode = msgspec.msgpack.Encoder().encode


class Traffic(StrEnum):
    """What kind of call or text it is, as far as its price is concerned; data is OUTGOING."""

    OUTGOING = ""
    INCOMING = "in"
    FREE = "free"
    EMERGENCY = "sos"


class Enquiry(StrEnum):
    """What a one-time event only asks about: nothing is charged, held or remembered."""

    NONE = ""
    BALANCE = "balance"
    PRICE = "price"


class Used(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One report of used units: octets, seconds, and messages or other units of the service.

    `unpriced`: it names only units that the service has no price for, such as the seconds of a data session. `after_change`:
    they were used after the change of tariff that their grant told of (RFC 8506 §8.27).
    """

    octets: int
    seconds: int
    units: int
    unpriced: bool = False  # left out where False: the digest of a report stays what it was
    after_change: bool = False  # so is this

    def quantity(self, service: str) -> int:
        """Return the number that the service is rated by."""
        return self.octets if service == DATA else self.seconds if service == VOICE else self.units

    @property
    def says_something(self) -> bool:
        """Whether any number is more than none."""
        return bool(self.octets or self.seconds or self.units)

    @property
    def countable(self) -> bool:
        """Whether each number is one that a network can carry in one report."""
        return self.octets <= MAX_OCTETS and self.seconds <= MAX_UNITS and self.units <= MAX_UNITS


class Item(msgspec.Struct, frozen=True):
    """What a request says of one rating group, or, where `command_level` is set, of the whole request without any.

    `requested`: None = no quota wanted, 0 = as much as the server thinks fit, else units of the service. `unpriced`: quota is
    wanted in units that the service has no price for, or a one-time event does not say of how much.
    """

    rating_group: int | None
    service_identifier: tuple[int, ...]
    used: tuple[Used, ...]
    requested: int | None
    command_level: bool = False
    unpriced: bool = False

    @property
    def grant_key(self) -> str:
        """Name the grant of this item within its rating group."""
        return ",".join(map(str, sorted(set(self.service_identifier)))) if self.service_identifier else ""


class ChargingRequest(msgspec.Struct):
    """A request ready to be decided; times in microseconds.

    `as_of` is when the event is held against plans, choices and owners of numbers: the end of its second, since an
    Event-Timestamp says no more than the second, but not after the arrival.
    """

    session_id: str
    origin_host: str
    peer: str
    request_type: int
    request_number: int
    service: str
    event_at: int
    as_of: int
    imsi: str | None
    msisdn: str | None
    items: tuple[Item, ...]
    digest: int
    inconsistent: bool
    realm: str = ""
    """The client's realm if a relay brought the request: what we ask of the client later has to name it."""
    traffic: Traffic | None = None
    """None where the request does not say: then it is what its session is."""
    called: str = ""
    """The number that is called or texted, as E.164 digits; empty where none is named. A text to several has the first."""
    network: str = ""
    """MCC and MNC of the network that serves the customer, as digits; empty where the request does not say."""
    other_msisdns: tuple[str, ...] = ()
    """Further numbers that the request gives for its subscriber: one of them may be ours where the first is not."""
    enquiry: Enquiry = Enquiry.NONE

    @property
    def msisdns(self) -> tuple[str, ...]:
        """Every number that the request gives for its subscriber, in its order."""
        return () if self.msisdn is None else (self.msisdn, *self.other_msisdns)

    @property
    def reports_usage(self) -> bool:
        """Return whether any units are reported, be it zero of them."""
        return any(item.used for item in self.items)


def as_part_of(request: ChargingRequest, service: str) -> ChargingRequest:
    """Read a request that names another service than its session as one of that session: what it counts in other units has no
    price, and how much it wants is left to us."""
    items = tuple(
        msgspec.structs.replace(
            item,
            used=tuple(
                msgspec.structs.replace(used, unpriced=not used.quantity(service) and used.says_something)
                for used in item.used
            ),
            requested=None if item.requested is None else 0,
            unpriced=False,
        )
        for item in request.items
    )
    return msgspec.structs.replace(request, service=service, items=items)


def usage_digest(items: Iterable[Item], request_type: int) -> int:
    """Return the checksum (CRC-32) of what items are charged by, by which a repeat that says something else is noticed.

    That is what they report, and of a one-time event what it asks for. The store keeps the checksum beside the outcome: it has
    to stay the same from one version to the next.
    """
    said: list[object] = [(item.rating_group, item.used) for item in items if item.used]
    if request_type == EVENT:
        said += [(item.rating_group, item.requested) for item in items if item.requested is not None]
    if len(said) > 1:  # a client may say the same in another order
        said.sort(key=_encode)
    return zlib.crc32(_encode(said))


NOTHING_SAID: Final = usage_digest((), INITIAL)
"""The checksum of a request that reports nothing; a store of before 2026-12 has it beside one-time events, too."""
