"""The direction of a call or text and whom it goes to, read from Service-Information (TS 32.299 §7.2.192).

Only voice and texts are looked into: data has no called party. The groups are found by their AVP codes and cut one level at a
time; an AVP of a wrong length is passed over, since a price must not hang on a well-formed decoration.
"""

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
    recipients: list[tuple[str, ...]] = []
    messages = 0
    for group in _inside(data, IMS_INFORMATION, VCS_INFORMATION, SMS_INFORMATION):
        for avp in _inside(group.data):
            if avp.code == ROLE_OF_NODE:
                incoming = _number(avp) == TERMINATING_ROLE
            elif avp.code == SM_MESSAGE_TYPE:
                incoming = _number(avp) not in (SUBMISSION, SM_SERVICE_REQUEST)
            elif avp.code in (CALLED_PARTY_ADDRESS, REQUESTED_PARTY_ADDRESS):
                call.append(_text(avp))
            elif avp.code == NUMBER_OF_MESSAGES_SENT and len(avp.data) == 4:
                messages = int.from_bytes(avp.data, "big")
            elif avp.code == RECIPIENT_INFO:
                recipients.append(tuple(_addresses(avp)))
    if call:
        recipients.append(tuple(call))
    return Called(incoming, tuple(each for each in recipients if each), messages or max(len(recipients), 1))


def _addresses(recipient: Avp) -> Iterator[str]:
    for address in _inside(recipient.data, RECIPIENT_ADDRESS, RECIPIENT_RECEIVED_ADDRESS):
        for avp in _inside(address.data, ADDRESS_DATA):
            yield _text(avp)


def _inside(data: bytes, *codes: int) -> Iterator[Avp]:
    """Give the 3GPP AVPs of a group, all or those of some codes; nothing of a group that cannot be cut."""
    try:
        avps = decode_avps(data, 0, len(data))
    except DiameterError:
        return
    for avp in avps:
        if avp.vendor_id == VENDOR_3GPP and (not codes or avp.code in codes):
            yield avp


def _number(avp: Avp) -> int:
    return int.from_bytes(avp.data, "big", signed=True) if len(avp.data) == 4 else SUBMISSION


def _text(avp: Avp) -> str:
    return avp.data.decode("utf-8", "replace")
