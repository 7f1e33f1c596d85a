"""Texts by which a customer asks to switch provider: PAC, STAC and INFO to Ofcom's numbers (General Condition C7, auto-switch).

They have to be answered within a minute. The gateway makes no answer yet: it tells the care desk, and says nothing else.
"""

from typing import Final

from gateway.messaging.keywords.catalogue import KeywordBook
from gateway.messaging.keywords.normalize import tokens
from gateway.messaging.keywords.parser import REQUESTING
from provisioning.identifiers import calling_code

COUNTRY: Final = "GB"
"""Where these numbers mean that."""
NUMBERS: Final = {"65075": "PAC", "75075": "STAC", "85075": "INFO"}
"""What is asked for by any text to these numbers."""
CODES: Final = ("pac", "stac")
"""What is asked for by these words at a short code of ours too, where INFO means help."""


def switching_request(destination: str, text: str, country: str, book: KeywordBook | None) -> str | None:
    """Return what a text asks for: PAC, STAC or INFO; None for any other. `book` is that of its destination, if it has one."""
    if country != COUNTRY:
        return None
    ignored = book.index.ignored if book is not None else frozenset()
    words = [word for word in tokens(text) if word not in ignored]
    meant = NUMBERS.get(destination.removeprefix(calling_code(country)))
    if meant is not None:
        return next((word.upper() for word in words if word.upper() in NUMBERS.values()), meant)
    first = next((word for word in words if word not in REQUESTING), "")
    return first.upper() if book is not None and first in CODES else None
