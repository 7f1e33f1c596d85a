"""What a bank says of a payment order before it is on a statement: pain.002 of ISO 20022, versions 03 to 12.

A status of the whole file, or of a group of payments, counts for each payment of it.
"""

from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from gateway.bank.xml import needed, read_document, text

MESSAGES: Final = ("pain.002.001.",)
REJECTED: Final = "RJCT"


class PaymentStatus(msgspec.Struct, frozen=True):
    """What became of a payment, or of all of an order: then `end_to_end_id` is empty. `reason` is a code such as AC04."""

    order: str
    end_to_end_id: str
    status: str
    reason: str

    @property
    def is_rejected(self) -> bool:
        """Whether the bank will not make it."""
        return self.status == REJECTED


def read(data: bytes) -> list[PaymentStatus]:
    """Read a report. Raises BankFileInvalid."""
    _, document = read_document(data, MESSAGES)
    group = document.find("OrgnlGrpInfAndSts")
    found: list[PaymentStatus] = []
    order = "" if group is None else needed(group, "OrgnlMsgId")
    if group is not None and text(group, "GrpSts"):
        found.append(PaymentStatus(order, "", text(group, "GrpSts"), _reason(group)))
    for each in document.findall("OrgnlPmtInfAndSts"):
        number = text(each, "OrgnlPmtInfId") or order
        if text(each, "PmtInfSts"):
            found.append(PaymentStatus(number, "", text(each, "PmtInfSts"), _reason(each)))
        for payment in each.findall("TxInfAndSts"):
            known_by = text(payment, "OrgnlEndToEndId")
            if known_by and text(payment, "TxSts"):
                found.append(PaymentStatus(number, known_by, text(payment, "TxSts"), _reason(payment)))
    return found


def _reason(element: Element) -> str:
    return text(element, "StsRsnInf/Rsn/Cd", 4) or "NARR"
