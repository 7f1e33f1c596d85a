"""Payment orders to a bank: pain.001.001.03 and pain.001.001.09 of ISO 20022, with UK sort codes or IBANs.

The file depends on nothing but what it is made from: the same payments come to the same octets.
"""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from gateway.bank.accounts import BankAccount
from gateway.bank.xml import read_document
from gateway.ledger.money import MICRO, digits_of

VERSIONS: Final = ("pain.001.001.03", "pain.001.001.09")
SORT_CODES: Final = "GBDSC"
"""UK Domestic Sort Code, of the external code set of clearing systems."""
_NEWER: Final = "pain.001.001.09"


class Payment(msgspec.Struct, frozen=True):
    """A payment: `end_to_end_id` comes back with what becomes of it; the amount is in micro-units, whole minor units."""

    end_to_end_id: str
    amount: int
    to: BankAccount
    remittance: str


class Order(msgspec.Struct, frozen=True):
    """Payments from one account: `number` is at most 35 characters, `created` is RFC 3339 to the second, `day` YYYY-MM-DD."""

    number: str
    created: str
    day: str
    payer: BankAccount
    currency: str
    payments: Sequence[Payment]

    @property
    def total(self) -> int:
        """What is paid in all, in micro-units."""
        return sum(each.amount for each in self.payments)


def written(order: Order, version: str) -> bytes:
    """Write the file."""
    document = Element("Document", xmlns=f"urn:iso:std:iso:20022:tech:xsd:{version}")
    initiation = SubElement(document, "CstmrCdtTrfInitn")
    header = SubElement(initiation, "GrpHdr")
    _texts(header, MsgId=order.number, CreDtTm=order.created, **_sums(order))
    _texts(SubElement(header, "InitgPty"), Nm=order.payer.name)
    group = SubElement(initiation, "PmtInf")
    _texts(group, PmtInfId=order.number, PmtMtd="TRF", **_sums(order))
    day = SubElement(group, "ReqdExctnDt")
    (SubElement(day, "Dt") if version == _NEWER else day).text = order.day
    _texts(SubElement(group, "Dbtr"), Nm=order.payer.name)
    _account(SubElement(group, "DbtrAcct"), order.payer)
    _agent(SubElement(group, "DbtrAgt"), order.payer, version)
    for payment in order.payments:
        _payment(SubElement(group, "CdtTrfTxInf"), payment, order.currency, version)
    indent(document)
    octets: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return octets + b"\n"


def day_of(file: bytes) -> str:
    """Return the day on which a file of ours asks the bank to pay, YYYY-MM-DD."""
    _, message = read_document(file, ("pain.001.001.",))
    day = message.find("PmtInf/ReqdExctnDt")
    assert day is not None
    return "".join(day.itertext()).strip()


def minor_units(micro: int, currency: str) -> str:
    """Write an amount with exactly the digits of its currency."""
    digits = digits_of(currency)
    whole, fraction = divmod(micro, MICRO)
    return f"{whole}.{fraction:06d}"[: len(str(whole)) + 1 + digits] if digits else str(whole)


def _sums(order: Order) -> dict[str, str]:
    return {"NbOfTxs": str(len(order.payments)), "CtrlSum": minor_units(order.total, order.currency)}


def _payment(element: Element, payment: Payment, currency: str, version: str) -> None:
    _texts(SubElement(element, "PmtId"), EndToEndId=payment.end_to_end_id)
    amount = SubElement(SubElement(element, "Amt"), "InstdAmt", Ccy=currency)
    amount.text = minor_units(payment.amount, currency)
    if payment.to.sort_code or payment.to.bic:
        _agent(SubElement(element, "CdtrAgt"), payment.to, version)
    _texts(SubElement(element, "Cdtr"), Nm=payment.to.name)
    _account(SubElement(element, "CdtrAcct"), payment.to)
    _texts(SubElement(element, "RmtInf"), Ustrd=payment.remittance)


def _account(element: Element, account: BankAccount) -> None:
    number = SubElement(element, "Id")
    if account.iban:
        _texts(number, IBAN=account.iban)
    else:
        _texts(SubElement(number, "Othr"), Id=account.account)


def _agent(element: Element, account: BankAccount, version: str) -> None:
    institution = SubElement(element, "FinInstnId")
    if account.sort_code:
        member = SubElement(institution, "ClrSysMmbId")
        _texts(SubElement(member, "ClrSysId"), Cd=SORT_CODES)
        _texts(member, MmbId=account.sort_code)
    elif account.bic:
        _texts(institution, **{"BICFI" if version == _NEWER else "BIC": account.bic})
    else:
        _texts(SubElement(institution, "Othr"), Id="NOTPROVIDED")


def _texts(element: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(element, name).text = text
