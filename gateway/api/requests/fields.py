"""Kinds of fields that request types have in common, with their bounds, and how much a page of rows holds."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.store.fitting import LEAST_INTEGER, MOST_INTEGER

MAX_TEXT: Final = 255
"""Characters of a text."""
MAX_ID: Final = 1 << 62
"""Above every identifier (a node's number and a place in its span, `gateway.store.nodes`), with room to reckon."""
MAX_ROWS: Final = 5000
"""Rows of one import call, and of one page of a report."""


def whole(pattern: str) -> str:
    """Write the pattern of a whole text, the same in JSON Schema as here, where `$` alone lets an end of line pass."""
    return rf"^(?:{pattern})$(?!\n)"


YEAR: Final = "(?:19[7-9][0-9]|2[0-9]{3})"
MONTH: Final = f"{YEAR}-(?:0[1-9]|1[0-2])"
"""A calendar month, such as 2026-11."""
DAY: Final = f"{MONTH}-(?:[0-2][0-9]|3[01])"
MONTH_WANTED: Final = "a month as YYYY-MM, with 01 to 12 behind a year from 1970 on, such as 2026-11"
DAY_WANTED: Final = "a day of the calendar as YYYY-MM-DD, such as 2026-11-30"
WHY: Final = "1 to 64 printable characters"
PRINTABLE: Final = whole(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*")
"""Without control characters, ends of lines, and what turns the direction of writing."""
MAX_CHANNEL: Final = 32
"""Characters of how a customer's consent reached us."""
MAX_PAGE: Final = 1000
"""Rows of one page of a list of cards or orders."""
NO_NUL: Final[dict[str, object]] = {"pattern": r"^[^\x00]*$"}
"""How the HTTP description says what `gateway.store.fitting` holds every text to."""
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
MaybeText = Annotated[str, Meta(max_length=MAX_TEXT)]
Reason = Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE, extra=refused_as("params.reason", WHY))]
"""Why a person changes something, as history keeps it."""
MaybeReason = Annotated[str, Meta(max_length=64, pattern=PRINTABLE, extra=refused_as("params.reason", WHY))]
"""The same, where it may be left out."""
Currency = Annotated[str, Meta(min_length=1, max_length=3)]
Number = Annotated[int, Meta(ge=0, le=MAX_ID)]
Limit = Annotated[int, Meta(ge=1, le=MAX_ID)] | None
"""The most rows that are wanted; None is as many as the action usually gives."""
Time = Annotated[int, Meta(ge=LEAST_INTEGER, le=MOST_INTEGER)]
"""Microseconds since 1970."""
Rows = Annotated[
    list[dict[str, str | None]],
    Meta(max_length=MAX_ROWS, extra=refused_as("import.rows", f"a list of at most {MAX_ROWS} objects of texts")),
]
"""Rows of a CSV file: texts by the names of their columns."""
NUMBER_FORM: Final[dict[str, object]] = {
    "format": "msisdn",
    "minLength": 5,
    "maxLength": MAX_TEXT,
    "description": "a number with + or 00 and its country code, or as it is dialled in the operator's country",
}
"""How the HTTP description writes senders and numbers: no pattern knows the numbering plans, so each is a `format`."""


def identifier(text: str) -> int | None:
    """Read an identifier as lists show it; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and int(text) <= MAX_ID else None


def page_size(limit: Limit, usual: int, most: int) -> int:
    """Return how many rows are wanted; more than `most` are given in pages."""
    return min(usual if limit is None else limit, most)


class Nothing(msgspec.Struct, frozen=True):
    """An action that has nothing to be told."""
