"""The direction of a call or text and whom it goes to, read from Service-Information (TS 32.299 §7.2.192).

Only voice and texts are looked into: data has no called party. The groups are found by their AVP codes and cut one level at a
time; an AVP of a wrong length is passed over, since a price must not hang on a well-formed decoration.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from protocols.diameter.codec import Avp, decode_avps
from protocols.diameter.errors import DiameterError

VENDOR_3GPP: Final = 10415
IMS_INFORMATION, SMS_INFORMATION, VCS_INFORMATION = 876, 2000, 3410
ROLE_OF_NODE, CALLED_PARTY_ADDRESS, REQUESTED_PARTY_ADDRESS = 829, 832, 1251
SM_MESSAGE_TYPE, RECIPIENT_INFO, RECIPIENT_ADDRESS, RECIPIENT_RECEIVED_ADDRESS, ADDRESS_DATA = (
    2007,
    2026,
    1201,
    2028,
    897,
)
NUMBER_OF_MESSAGES_SENT = 2019
PS_INFORMATION, SGSN_MCC_MNC, USER_LOCATION_INFO, IMS_VISITED_NETWORK_IDENTIFIER = 874, 18, 22, 2713
PLMN_LOCATIONS: Final = frozenset({0, 1, 2, 128, 129, 130, 135, 136, 137})
"""Geographic location types that begin with a PLMN (TS 29.061 §16.4.7.2)."""
_MCC_MNC: Final = re.compile(r"\d{5,6}", re.ASCII)
_VISITED: Final = re.compile(r"mnc(\d{2,3})\.mcc(\d{3})\.", re.IGNORECASE | re.ASCII)
TERMINATING_ROLE: Final = 1
"""Role-Of-Node of the called customer's node (TS 32.299 §7.2.187)."""
SUBMISSION, SM_SERVICE_REQUEST = 0, 2
"""SM-Message-Type of what a customer sends (TS 32.299 §7.2.206); a delivery, a report or a trigger comes to the customer."""


class Called(msgspec.Struct, frozen=True):
    """Whom a call or text goes to: `incoming` if to the customer, None if nothing says so.

    `recipients` has the addresses of each, as it was dialled and as it was routed after translation: a call has one recipient,
    a text may have several. `messages` is how many texts are sent: as many as the network says, else one to each recipient.
    """

    incoming: bool | None = None
    recipients: tuple[tuple[str, ...], ...] = ()
    messages: int = 1


def read_called(data: bytes) -> Called:
    """Read the direction and the recipients out of the data of a Service-Information AVP."""
    incoming: bool | None = None
    call: list[str] = []
    dialled: list[str] = []
    recipients: list[tuple[str, ...]] = []
    messages = 0
    for group in _inside(data, IMS_INFORMATION, VCS_INFORMATION, SMS_INFORMATION):
        for avp in _inside(group.data):
            if avp.code == ROLE_OF_NODE:
                incoming = _number(avp) == TERMINATING_ROLE
            elif avp.code == SM_MESSAGE_TYPE:
                incoming = _number(avp) not in (SUBMISSION, SM_SERVICE_REQUEST)
            elif avp.code == CALLED_PARTY_ADDRESS:
                call.append(_text(avp))
            elif avp.code == REQUESTED_PARTY_ADDRESS:
                dialled.append(_text(avp))
            elif avp.code == NUMBER_OF_MESSAGES_SENT and len(avp.data) == 4:
                messages = int.from_bytes(avp.data, "big")
            elif avp.code == RECIPIENT_INFO:
                recipients.append(tuple(_addresses(avp)))
    if dialled or call:
        recipients.append((*dialled, *call))
    return Called(incoming, tuple(each for each in recipients if each), messages or max(len(recipients), 1))


def read_network(data: bytes) -> str:
    """Read the network that serves the customer out of the data of a Service-Information AVP: its MCC and MNC, or nothing.

    It stands in PS-Information as such, else in the location (TS 29.061 §16.4.7.2), or in a call's visited network's name.
    """
    found = ""
    for group in _inside(data, PS_INFORMATION, IMS_INFORMATION):
        for avp in _inside(group.data, SGSN_MCC_MNC, USER_LOCATION_INFO, IMS_VISITED_NETWORK_IDENTIFIER):
            if avp.code == SGSN_MCC_MNC and _MCC_MNC.fullmatch(_text(avp)):
                return _text(avp)
            if avp.code == USER_LOCATION_INFO:
                found = _plmn(avp.data) or found
            elif avp.code == IMS_VISITED_NETWORK_IDENTIFIER:
                named = _VISITED.search(_text(avp))
                found = found or (_mcc_mnc(named[2], named[1]) if named else "")
    return found


def _mcc_mnc(mcc: str, mnc: str) -> str:
    """Join both as a name has them: an MNC of two digits is written with a zero before it (TS 23.003 §13.2).

    Those of three digits are the North American ones, whose countries have MCCs that begin with 3.
    """
    return mcc + (mnc[1:] if len(mnc) == 3 and mnc[0] == "0" and mcc[0] != "3" else mnc)


def _plmn(location: bytes) -> str:
    """Return MCC and MNC of a location: its second to fourth octet, as half-octets of swapped digits (TS 29.274 §8.21)."""
    if len(location) < 4 or location[0] not in PLMN_LOCATIONS:
        return ""
    one, two, three = location[1:4]
    digits = f"{one & 15:x}{one >> 4:x}{two & 15:x}{three & 15:x}{three >> 4:x}"
    third = "" if two >> 4 == 15 else f"{two >> 4:x}"
    return digits + third if (digits + third).isdigit() else ""


def _addresses(recipient: Avp) -> Iterator[str]:
    for address in _inside(recipient.data, RECIPIENT_ADDRESS, RECIPIENT_RECEIVED_ADDRESS):
        for avp in _inside(address.data, ADDRESS_DATA):
            yield _text(avp)


def _inside(data: bytes, *codes: int) -> Iterator[Avp]:
    """Return the 3GPP AVPs of a group, all or those of some codes; nothing of a group that cannot be cut."""
    try:
        avps = decode_avps(data, 0, len(data), codes or None)
    except DiameterError:
        return
    for avp in avps:
        if avp.vendor_id == VENDOR_3GPP:
            yield avp


def _number(avp: Avp) -> int:
    return int.from_bytes(avp.data, "big", signed=True) if len(avp.data) == 4 else SUBMISSION


def _text(avp: Avp) -> str:
    return avp.data.decode("utf-8", "replace")
