"""The reference that a bill is paid under: ISO 11649, so that a mistyped digit is seen before money goes astray."""

import re
from typing import Final

from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_97_10

PREFIX: Final = "RF"
_WORD: Final = re.compile(r"RF\d\d\d{1,18}(?!\d)")
_GROUPS: Final = re.compile(r"RF\d\d(?:[ -]?\d{1,4}){1,5}(?!\d)")
"""As banks print it, in groups of four (ISO 11649 §6)."""


def reference_of(number: int) -> str:
    """Return the reference of a bill by its number: RF, two check digits, the number."""
    check: str = mod_97_10.calc_check_digits(f"{number}{PREFIX}")
    return f"{PREFIX}{check}{number}"


def bill_numbers(*texts: str) -> set[int]:
    """Find the bills that a payer named by right references; what could be read in two ways is not read at all."""
    found: set[int] = set()
    for text in texts:
        words = {match[0] for match in _WORD.finditer(text.upper())}
        groups = {re.sub(r"[ -]", "", match[0]) for match in _GROUPS.finditer(text.upper())}
        right = {int(word[4:]) for word in words if _is_right(word)}
        found |= right or {int(word[4:]) for word in groups if _is_right(word)}
    return found


def _is_right(reference: str) -> bool:
    try:
        mod_97_10.validate(f"{reference[4:]}{reference[:4]}")
    except ValidationError:
        return False
    return True
