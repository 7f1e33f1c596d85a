"""What a deliver_sm or data_sm from the SMSC means to us: a delivery receipt, or a text from a handset (SMPP 3.4 §4.6)."""

import hashlib

from gateway.messaging import addresses
from gateway.messaging.inbound.mo_delivery import Arrival
from gateway.messaging.inbound.redelivery import Drop
from gateway.messaging.inbound.unanswered import Silence, is_data, silence_of
from gateway.messaging.receipts import Receipt
from gateway.messaging.smpp_mapping import OUTCOMES
from gateway.messaging.texts import Step
from protocols.smpp import receipts as protocol
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DataSm, DeliverSm
from protocols.smpp.receipts import IdForm, id_forms
from protocols.smpp.text import user_data

LONGEST_ADDRESS = 20
"""Octets of an address without its NUL (SMPP 3.4 §5.2.8); a peer may send more."""


def _address(address: str, ton: int, country: str) -> str:
    """Read an address; of a longer one than there are, which the store would not hold, the beginning counts."""
    return addresses.of_smsc(address, ton, country)[:LONGEST_ADDRESS]


def receipt(
    link: str,
    message: DeliverSm | DataSm,
    found: protocol.Receipt,
    form: IdForm,
    country: str,
    *,
    by_text: bool = False,
) -> Receipt:
    """Read a delivery receipt that was parsed; one that is not final has no step. `country` is the link's.

    `by_text`: its class does not say that it is one, so a handset may have written it.
    """
    step = OUTCOMES.get(found.state) if found.final else None
    return Receipt(
        link=link,
        forms=tuple(id_forms(found.message_id, form)) if found.message_id else (),
        also=tuple(id_forms(found.text_id, form)) if found.text_id else (),
        step=step,
        error="" if step is Step.DELIVERED else found.error[:32] or found.stat[:32],
        destination=_address(message.source_addr, message.source_addr_ton, country),
        sender=_address(message.destination_addr, message.dest_addr_ton, country),
        reference=found.user_message_reference,
        by_text=by_text,
    )


def arrival(
    link: str,
    centre: str,
    message: DeliverSm | DataSm,
    alphabet: Alphabet,
    *,
    came_at: int,
    bound_at: int,
    drops: tuple[Drop, ...] = (),
    country: str = "",
) -> Arrival:
    """Read a text from a handset; the digest knows it again if it is delivered once more. `country` is the link's."""
    source = _address(message.source_addr, message.source_addr_ton, country)
    destination = _address(message.destination_addr, message.dest_addr_ton, country)
    data = user_data(message, alphabet)
    payload = getattr(message, "short_message", b"") or message.message_payload or b""
    part = data.concatenation
    known = [source, destination, str(message.esm_class), str(message.data_coding)]
    if part is not None:  # parts told by SAR parameters may have equal payloads
        known += [str(part.reference), str(part.total), str(part.number)]
    digest = hashlib.sha256("\x1f".join(known).encode() + b"\x1f" + payload).hexdigest()[:32]
    return Arrival(
        link=link,
        centre=centre,
        source=source,
        destination=destination,
        data=data,
        digest=digest,
        reference=part.reference if part else 0,
        total=part.total if part else 1,
        number=part.number if part else 1,
        came_at=came_at,
        bound_at=bound_at,
        drops=drops,
        mute=silence_of(message) or (Silence.DATA if is_data(data) else ""),
    )
