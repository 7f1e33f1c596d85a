"""XML of a bank, read as what anybody may have written: bounded, without document types, entities or outer references."""

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring, iterparse

from gateway.ledger.money import MICRO

MOST_OCTETS: Final = 64 << 20
"""A statement of some hundred thousand entries has about half of this."""
PART_DEPTH: Final = 3
"""Elements that a part is in: the document, its message, the statement."""
_FORBIDDEN: Final = "the file has a document type or entities, which no bank sends"
_NOT_ONE: Final = "the document has not one message in it"
_NAMESPACE: Final = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:([a-z]{4}\.\d{3}\.\d{3}\.\d{2})\}")
_AMOUNT: Final = re.compile(r"\d{1,12}(\.\d{1,5})?", re.ASCII)
"""A digit fewer than ISO 20022 has, as in all amounts of ours (gateway.ledger.money): micro-units fit 64 bits then."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


class BankFileInvalid(ValueError):
    """A file that is none that a bank would send, or that does not add up; nothing of it is booked."""


def read_document(data: bytes, messages: tuple[str, ...]) -> tuple[str, Element]:
    """Return the kind of message, such as `camt.053.001.08`, and the element in the document.

    `messages` are the beginnings of those that are taken. Names are given back without their namespace. Raises BankFileInvalid.
    """
    if len(data) > MOST_OCTETS:
        raise BankFileInvalid(f"the file has more than {MOST_OCTETS >> 20} MiB: ask the bank for shorter periods")
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise BankFileInvalid(_FORBIDDEN) from None
    except (ParseError, ValueError, LookupError) as error:
        raise BankFileInvalid(f"the file is not XML: {error}") from None
    kind = _kind(root.tag, messages)
    for element in root.iter():
        element.tag = _local(element.tag)
    if root.tag != "Document" or len(root) != 1:
        raise BankFileInvalid(_NOT_ONE)
    return kind, root[0]


def read_parts(
    file: BinaryIO, messages: tuple[str, ...], wholes: Collection[str], part: str
) -> Iterator[tuple[str, Element, Element | None]]:
    """Read a document of any length without keeping it: gives each element named `part` of one of `wholes` as it comes.

    Each comes with the kind of message and the element that it is in, as far as that was read; that comes once more at its own
    end, with None. A part is forgotten when the next one is read. Raises BankFileInvalid, also after parts were given.
    """
    message, path = "", list[Element]()
    try:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                message = message or _kind(element.tag, messages)
                path.append(element)
                _check_one_message(path)
                continue
            path.pop()
            element.tag = _local(element.tag)
            if len(path) == PART_DEPTH and element.tag == part and _local(path[-1].tag) in wholes:
                yield message, path[-1], element
                path[-1].remove(element)
            elif len(path) == PART_DEPTH - 1 and element.tag in wholes:
                yield message, element, None
    except DefusedXmlException:
        raise BankFileInvalid(_FORBIDDEN) from None
    except (ParseError, ValueError, LookupError) as error:
        if isinstance(error, BankFileInvalid):
            raise
        raise BankFileInvalid(f"the file is not XML: {error}") from None


def _check_one_message(path: Sequence[Element]) -> None:
    """See that a document is one, and has one message in it; `path` leads to what begins."""
    if len(path) <= PART_DEPTH - 1 and (_local(path[0].tag) != "Document" or len(path[0]) > 1):
        raise BankFileInvalid(_NOT_ONE)


def _kind(tag: str, messages: tuple[str, ...]) -> str:
    """Return the kind of message of a document; BankFileInvalid where it is not one that is taken."""
    found = _NAMESPACE.match(tag)
    if found is None or not found[1].startswith(messages):
        raise BankFileInvalid(f"the file is none of {', '.join(messages)} of ISO 20022")
    return found[1]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def text(element: Element, path: str, most: int = 140) -> str:
    """Return a text by its path, without white space around it and at most so long; empty where there is none."""
    return (element.findtext(path) or "").strip()[:most]


def needed(element: Element, path: str) -> str:
    """Return a text that has to be there."""
    found = text(element, path)
    if not found:
        raise BankFileInvalid(f"{element.tag} has no {path}")
    return found


def amount(element: Element) -> tuple[int, str]:
    """Return an amount in micro-units and its currency, of an element such as `<Amt Ccy="GBP">1.00</Amt>`."""
    written, currency = (element.text or "").strip(), element.get("Ccy", "")
    if not _AMOUNT.fullmatch(written) or not _CURRENCY.fullmatch(currency):
        raise BankFileInvalid(f"{element.tag} {written[:20]!r} {currency[:5]!r} is no amount")
    try:
        return int(Decimal(written) * MICRO), currency
    except InvalidOperation:
        raise BankFileInvalid(f"{element.tag} {written[:20]!r} is no amount") from None
