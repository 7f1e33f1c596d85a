"""XML of a bank, read as what anybody may have written: bounded, without document types, entities or outer references."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from gateway.ledger.money import MICRO

MOST_OCTETS: Final = 64 << 20
"""A statement of some hundred thousand entries has about half of this."""
_NAMESPACE: Final = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:([a-z]{4}\.\d{3}\.\d{3}\.\d{2})\}")
_AMOUNT: Final = re.compile(r"\d{1,13}(\.\d{1,5})?", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


class BankFileInvalid(ValueError):
    """A file that is none that a bank would send, or that does not add up; nothing of it is booked."""


def read_document(data: bytes, messages: tuple[str, ...]) -> tuple[str, Element]:
    """Give the kind of message, such as `camt.053.001.08`, and the element in the document.

    `messages` are the beginnings of those that are taken. Names are given back without their namespace. Raises BankFileInvalid.
    """
    if len(data) > MOST_OCTETS:
        raise BankFileInvalid(f"the file has more than {MOST_OCTETS >> 20} MiB: ask the bank for shorter periods")
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise BankFileInvalid("the file has a document type or entities, which no bank sends") from None
    except (ParseError, ValueError, LookupError) as error:
        raise BankFileInvalid(f"the file is not XML: {error}") from None
    found = _NAMESPACE.match(root.tag)
    if found is None or not found[1].startswith(messages):
        raise BankFileInvalid(f"the file is none of {', '.join(messages)} of ISO 20022")
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != "Document" or len(root) != 1:
        raise BankFileInvalid("the document has not one message in it")
    return found[1], root[0]


def text(element: Element, path: str, most: int = 140) -> str:
    """Give a text by its path, without white space around it and at most so long; empty where there is none."""
    return (element.findtext(path) or "").strip()[:most]


def needed(element: Element, path: str) -> str:
    """Give a text that has to be there."""
    found = text(element, path)
    if not found:
        raise BankFileInvalid(f"{element.tag} has no {path}")
    return found


def amount(element: Element) -> tuple[int, str]:
    """Give an amount in micro-units and its currency, of an element such as `<Amt Ccy="GBP">1.00</Amt>`."""
    written, currency = (element.text or "").strip(), element.get("Ccy", "")
    if not _AMOUNT.fullmatch(written) or not _CURRENCY.fullmatch(currency):
        raise BankFileInvalid(f"{element.tag} {written[:20]!r} {currency[:5]!r} is no amount")
    try:
        return int(Decimal(written) * MICRO), currency
    except InvalidOperation:
        raise BankFileInvalid(f"{element.tag} {written[:20]!r} is no amount") from None
