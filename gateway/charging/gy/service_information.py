"""The direction of a call or text and whom it goes to, read from Service-Information (TS 32.299 §7.2.192).

Only voice and texts are looked into for it: data has no called party. The groups are found by their AVP codes and cut one level
at a time; an AVP of a wrong length is passed over, since a price must not hang on a well-formed decoration.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from protocols.diameter.codec import Avp, decode_avps
from protocols.diameter.errors import DiameterError

VENDOR_3GPP: Final = 10415
IMS_INFORMATION, SMS_INFORMATION, VCS_INFORMATION = 876, 2000, 3410
ROLE_OF_NODE, CALLED_PARTY_ADDRESS, REQUESTED_PARTY_ADDRESS, IMS_EMERGENCY_INDICATOR = 829, 832, 1251, 2322
SM_MESSAGE_TYPE, RECIPIENT_INFO, RECIPIENT_ADDRESS, RECIPIENT_RECEIVED_ADDRESS, ADDRESS_DATA = (
    2007,
    2026,
    1201,
    2028,
    897,
)
NUMBER_OF_MESSAGES_SENT = 2019
PS_INFORMATION, SGSN_MCC_MNC, USER_LOCATION_INFO, IMS_VISITED_NETWORK_IDENTIFIER = 874, 18, 22, 2713
ACCESS_NETWORK_INFORMATION, CELLULAR_NETWORK_INFORMATION = 1263, 3924
PLMN_LOCATIONS: Final = frozenset({0, 1, 2, 128, 129, 130, 135, 136, 137})
"""Geographic location types that begin with a PLMN (TS 29.061 §16.4.7.2)."""
_MCC_MNC: Final = re.compile(r"\d{5,6}", re.ASCII)
_FILLERS: Final = dict.fromkeys(map(ord, " \0-Ff"))
_CELL: Final = re.compile(r"(?:utran-cell-id|utran-sai|cgi)-3gpp\s*=\s*\"?([0-9a-f]+)", re.IGNORECASE | re.ASCII)
_DIGITS_OF_CELL: Final = {13: 5, 14: 6, 16: 5, 17: 6, 20: 5, 21: 6}
"""Digits of MCC and MNC by those of the whole: 8 hexadecimal ones of area and cell (GERAN), 11 (UTRAN, E-UTRAN) or 15 (NR)."""
_VISITED: Final = re.compile(r"mnc(\d{2,3})\.mcc(\d{3})\.", re.IGNORECASE | re.ASCII)
EMERGENCY: Final = 1
"""IMS-Emergency-Indicator of an emergency call (TS 32.299 §7.2.79A)."""
TERMINATING_ROLE: Final = 1
"""Role-Of-Node of the called customer's node (TS 32.299 §7.2.187)."""
COMES_TO_CUSTOMER: Final = {0: False, 1: True, 2: False, 3: True, 4: True}
"""SM-Message-Type (TS 32.299 §7.2.206): what a customer sends is a submission or service request; a report, a delivery or a
trigger comes to the customer. Of 5 and above releases differ, and a submission over T4 is among them: there the numbers say."""


class Called(msgspec.Struct, frozen=True):
    """Whom a call or text goes to: `incoming` if to the customer, None if nothing says so.

    `recipients` has the addresses of each, as it was dialled and as it was routed after translation: a call has one recipient,
    a text may have several. `messages` is how many texts are sent: as many as the network says, else one to each recipient.
    `emergency`: the network says that it is an emergency call, whatever number it was routed to.
    """

    incoming: bool | None = None
    recipients: tuple[tuple[str, ...], ...] = ()
    messages: int = 1
    emergency: bool = False


def read_called(data: bytes) -> Called:
    """Read the direction and the recipients out of the data of a Service-Information AVP."""
    incoming: bool | None = None
    call: list[str] = []
    dialled: list[str] = []
    recipients: list[tuple[str, ...]] = []
    messages, emergency = 0, False
    for group in _inside(data, IMS_INFORMATION, VCS_INFORMATION, SMS_INFORMATION):
        for avp in _inside(group.data):
            if avp.code == ROLE_OF_NODE:
                incoming = _number(avp) == TERMINATING_ROLE
            elif avp.code == SM_MESSAGE_TYPE:
                incoming = COMES_TO_CUSTOMER.get(_number(avp))
            elif avp.code == IMS_EMERGENCY_INDICATOR:
                emergency = emergency or _number(avp) == EMERGENCY
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
    named = tuple(each for each in recipients if each)
    return Called(incoming, named, messages or max(len(recipients), 1), emergency)


def read_network(data: bytes, beside: Iterable[Avp] = ()) -> str:
    """Read the network that serves the customer out of the data of a Service-Information AVP: its MCC and MNC, or nothing.

    It stands in PS-Information as such, or in the location (TS 29.061 §16.4.7.2); of a call in the cell, or in the visited
    network's name, which is the home's where calls are led home. `beside` are the AVPs of the command: some clients put those
    of PS-Information there.
    """
    named: dict[int, str] = {}
    for group in _inside(data, PS_INFORMATION, IMS_INFORMATION):
        for avp in _inside(group.data, *_NETWORKS):
            network = _NETWORKS[avp.code](avp.data)
            if network and avp.code == SGSN_MCC_MNC:
                return network  # as nearly always
            if network:
                named.setdefault(avp.code, network)
    for avp in () if named else beside:
        network = _NETWORKS[avp.code](avp.data) if avp.vendor_id == VENDOR_3GPP and avp.code in _NETWORKS else ""
        if network:
            named.setdefault(avp.code, network)
    return next((named[code] for code in _NETWORKS if code in named), "")


def _as_digits(data: bytes) -> str:
    """Return MCC and MNC that are written as such, without what some clients pad or part them with."""
    digits = data.decode("latin-1")
    if not digits.isdigit():
        digits = digits.translate(_FILLERS)
    return digits if _MCC_MNC.fullmatch(digits) else ""


def _of_cell(data: bytes) -> str:
    """Return MCC and MNC of the cell in a P-Access-Network-Info (TS 24.229 §7.2A.4.3): what its area and number leave."""
    cell = _CELL.search(data.decode("latin-1"))
    digits = cell[1][: _DIGITS_OF_CELL.get(len(cell[1]), 0)] if cell else ""
    return digits if digits.isdigit() else ""


def _of_name(data: bytes) -> str:
    named = _VISITED.search(data.decode("latin-1"))
    return _mcc_mnc(named[2], named[1]) if named else ""


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


_NETWORKS: Final[Mapping[int, Callable[[bytes], str]]] = {
    SGSN_MCC_MNC: _as_digits,
    USER_LOCATION_INFO: _plmn,
    ACCESS_NETWORK_INFORMATION: _of_cell,
    CELLULAR_NETWORK_INFORMATION: _of_cell,
    IMS_VISITED_NETWORK_IDENTIFIER: _of_name,
}
"""What names the network, the surest first, and how it is read."""


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
    return int.from_bytes(avp.data, "big", signed=True) if len(avp.data) == 4 else 0


def _text(avp: Avp) -> str:
    return avp.data.decode("utf-8", "replace")
