"""Numbers at the edge: `+` and spaces are accepted coming in, digits alone are kept (E.164, TS 23.003, ITU-T E.118)."""

import phonenumbers


class NumberInvalid(ValueError):
    """A text that is not the number it is given as."""


def msisdn(text: str) -> str:
    """Read an international number, with or without `+`, into its digits."""
    digits = _digits(text.strip().removeprefix("+"), "MSISDN")
    try:
        parsed = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        raise NumberInvalid(
            f"MSISDN {_shown(text)} has no known country code; give it as +44..., not as dialled at home"
        ) from None
    if not phonenumbers.is_possible_number(parsed):
        raise NumberInvalid(f"MSISDN {_shown(text)} has {len(digits)} digits, which its country does not use")
    return digits


def imsi(text: str) -> str:
    """Read an IMSI: 14 or 15 digits, country and network code included."""
    digits = _digits(text.strip(), "IMSI")
    if len(digits) not in (14, 15):
        raise NumberInvalid(f"IMSI {_shown(text)} has {len(digits)} digits; 14 or 15 are needed")
    return digits


def iccid(text: str) -> str:
    """Read an ICCID: 18 to 20 digits beginning with 89, the filler F of a padded reading taken off."""
    digits = _digits(text.strip().rstrip("Ff"), "ICCID")
    if not 18 <= len(digits) <= 20 or not digits.startswith("89"):
        raise NumberInvalid(f"ICCID {_shown(text)} has {len(digits)} digits; 18 to 20 beginning with 89 are needed")
    return digits


def _digits(text: str, kind: str) -> str:
    if not text.isascii() or not text.isdigit():
        raise NumberInvalid(f"{kind} {_shown(text)} is not made of digits")
    return text


def _shown(text: str) -> str:
    """Show enough of a number to find it in a file, and no more."""
    text = text.strip()
    return f"{text[:2]}...{text[-2:]}" if len(text) > 6 else repr(text)
