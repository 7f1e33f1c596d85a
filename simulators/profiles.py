"""What kinds of PGW there are: how each fills the Credit-Control-Requests that it sends (field notes from real clients)."""

from collections.abc import Mapping
from typing import Final

import msgspec

from protocols.diameter.codec import Avp, encode_avp
from protocols.diameter.dictionary import standard
from simulators.customers import Customer

SERVICE_CONTEXT_ID: Final = "32251@3gpp.org"
"""Packet-switched data (TS 32.251)."""
E164, IMSI = 0, 1
"""Subscription-Id-Type (RFC 8506 §8.47)."""


class Profile(msgspec.Struct, frozen=True):
    """One kind of client.

    Attributes:
        rating_groups: those that its traffic falls into; None: it sends no Rating-Group.
        multiple_services_indicator: 0 says that MSCC is not supported, which Open5GS says and then sends one.
        requested_octets: in Requested-Service-Unit; None: the group is empty, and the server decides.
        total_octets: whether Used-Service-Unit has CC-Total-Octets, or only input, output and time.
        totals_alone: until its last report Used-Service-Unit has CC-Total-Octets and nothing else.
        zero_directions: Requested-Service-Unit has CC-Input-Octets and CC-Output-Octets of 0, too.
        service_identifier: beside the Rating-Group of each MSCC; None: it sends none.
        requested_action: sent although the request is no event.
        subscription_ids: Subscription-Id-Types in the order in which they are sent.
        origin_state_id: whether it is sent.
        obeys: reports when it is asked to (RAR) and ends a session when it is told to (ASR). Open5GS answers RAR with 2001,
            does nothing, and does not know ASR.
        extras: AVPs without a field of their own, at the command level and in each MSCC.
    """

    name: str
    rating_groups: tuple[int | None, ...]
    multiple_services_indicator: int
    requested_octets: int | None
    total_octets: bool
    requested_action: int | None
    subscription_ids: tuple[int, ...]
    origin_state_id: bool
    obeys: bool
    extras: bool
    totals_alone: bool = False
    zero_directions: bool = False
    service_identifier: int | None = None


STANDARD: Final = Profile(
    name="standard",
    rating_groups=(100, 200),
    multiple_services_indicator=1,
    requested_octets=None,
    total_octets=True,
    requested_action=None,
    subscription_ids=(E164, IMSI),
    origin_state_id=True,
    obeys=True,
    extras=False,
)
OPEN5GS: Final = Profile(
    name="open5gs",
    rating_groups=(None,),
    multiple_services_indicator=0,
    requested_octets=1_000_000,
    total_octets=False,
    requested_action=0,
    subscription_ids=(IMSI, E164),
    origin_state_id=False,
    obeys=False,
    extras=True,
)
STAROS: Final = Profile(
    name="staros",
    rating_groups=(10,),
    multiple_services_indicator=1,
    requested_octets=10_000_000,
    total_octets=True,
    requested_action=None,
    subscription_ids=(E164, IMSI),
    origin_state_id=True,
    obeys=True,
    extras=False,
    totals_alone=True,
    zero_directions=True,
    service_identifier=1,
)
PROFILES: Final[Mapping[str, Profile]] = {profile.name: profile for profile in (STANDARD, OPEN5GS, STAROS)}


def service_information(profile: Profile, customer: Customer, number: int, *, initial: bool) -> bytes:
    """The data of Service-Information: PS-Information as a PGW on LTE fills it, in Open5GS's order.

    `number` tells bearers apart: it makes 3GPP-Charging-Id and the customer's address. Open5GS sends 3GPP-PDP-Type in its
    first request only.
    """
    pdp_type = named("3GPP-PDP-Type", word(0)) if initial or profile is not OPEN5GS else b""
    bearer = b"\x05" if profile is OPEN5GS else b"5"  # the EBI as an octet on EPS, as a hexadecimal digit on GTPv1
    inside = (
        named("3GPP-Charging-Id", word(number & 0xFFFFFFFF)),
        pdp_type,
        named("PDP-Address", _address(10, 45, number >> 8 & 0xFF, number & 0xFF)),
        named("SGSN-Address", _address(10, 1, 0, 3)),
        named("GGSN-Address", _address(10, 1, 0, 4)),
        named("Called-Station-Id", b"internet"),
        named("3GPP-Selection-Mode", b"0"),
        named("3GPP-Charging-Characteristics", b"0800"),
        named("3GPP-SGSN-MCC-MNC", customer.imsi[:5].encode()),
        named("3GPP-NSAPI", bearer),
        named("3GPP-MS-TimeZone", b"\0\0"),
        named("3GPP-User-Location-Info", b"\x82" + _plmn(customer.imsi) + b"\0\1" + _plmn(customer.imsi) + b"\0\0\1\1"),
        named("3GPP-RAT-Type", b"\x06"),
        named(
            "User-Equipment-Info",
            named("User-Equipment-Info-Type", word(0)) + named("User-Equipment-Info-Value", b"3512345678901234"),
        ),
    )
    return named("PS-Information", b"".join(inside))


def command_extras(profile: Profile) -> tuple[Avp, ...]:
    """What Open5GS adds to the command: it asks for Advice of Charge."""
    return (_avp("AoC-Request-Type", word(1)),) if profile.extras else ()


def mscc_extras(profile: Profile) -> tuple[Avp, ...]:
    """What Open5GS adds to its MSCC: the bearer's quality of service, three groups deep."""
    if not profile.extras:
        return ()
    priority = (
        named("Priority-Level", word(8))
        + named("Pre-emption-Capability", word(1))
        + named("Pre-emption-Vulnerability", word(1))
    )
    quality = named("QoS-Class-Identifier", word(9)) + named("Allocation-Retention-Priority", priority)
    return (_avp("QoS-Information", quality),)


def named(name: str, data: bytes) -> bytes:
    """One encoded AVP by its name in the dictionary."""
    definition = standard().by_name(name)
    return encode_avp(definition.code, data, definition.vendor_id, definition.flags)


def word(number: int) -> bytes:
    """An Unsigned32 or Enumerated."""
    return number.to_bytes(4, "big")


def _avp(name: str, data: bytes) -> Avp:
    definition = standard().by_name(name)
    return Avp(definition.code, definition.vendor_id, definition.flags, data)


def _address(*octets: int) -> bytes:
    return b"\0\1" + bytes(octets)


def _plmn(imsi: str) -> bytes:
    """MCC and a two-digit MNC in BCD (TS 24.008 §10.5.1.3)."""
    a, b, c, d, e = (int(digit) for digit in imsi[:5])
    return bytes((b << 4 | a, 0xF0 | c, e << 4 | d))
