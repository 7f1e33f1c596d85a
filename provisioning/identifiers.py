"""Numbers and keys at the edge: `+`, 00, blanks around and filler are taken coming in, bare digits are kept.

ICCID by ITU-T E.118, IMSI by TS 23.003 §2.2, MSISDN by E.164, EID by SGP.02, keys by TS 35.206 §2.3. Whatever is not
what it is given as ends in IdentifierInvalid, whose text says which kind it is, what is wrong and what to do. It shows two
digits of either end of a number, and nothing of a key.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final, Literal, NamedTuple

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult
from stdnum import luhn as luhn_digits
from stdnum import numdb
from stdnum.iso7064 import mod_97_10

from provisioning.errors import IdentifierInvalid
from provisioning.keys import SIZE, Keys

LuhnRule = Literal["warn", "require"]
"""What an issuer promises of the last digit of its ICCIDs; where it promises nothing, the caller warns."""

LEAST_ABROAD: Final = 11
"""Digits of a foreign number that is taken without `+`: ten are as many as numbers have at home, in many countries."""
LONGEST_DIALLED: Final = 21
"""Digits of an international number with the prefix of calls abroad."""
_MOBILE: Final = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

_HEX: Final = re.compile(rf"[0-9A-Fa-f]{{{2 * SIZE}}}", re.ASCII)
_MARKED_OP: Final = re.compile(r"OP\s*[:=]", re.IGNORECASE)
_SPREADSHEET: Final = re.compile(r"[0-9][.,][0-9]+E\+?[0-9]+", re.IGNORECASE)
"""8.94410E+18: a spreadsheet took the number for a quantity, and its last digits are lost."""

_ROUNDED: Final = "0000"
"""How 19 digits end of which a spreadsheet kept 15; one of ten thousand ICCIDs ends so by itself."""


def iccid(text: str, *, luhn: LuhnRule = "warn") -> str:
    """Read an ICCID: 18 to 20 digits beginning with 89, the filler F of a padded reading taken off (ETSI TS 102 221 §13.2).

    18 digits are an ICCID whose check digit was left out. With `luhn="require"` there must be one, and it must be right;
    else ask `luhn_ok` and warn: some issuers ship 20 digits that no Luhn sum fits.
    """
    text = text.strip()
    if text.startswith("98"):
        raise _invalid("ICCID", text, "has the digits of each octet swapped, as a card stores them; swap them back")
    digits = _digits(text.rstrip("Ff"), "ICCID")
    if not 18 <= len(digits) <= 20 or not digits.startswith("89"):
        raise _invalid("ICCID", digits, f"has {len(digits)} digits; 18 to 20 beginning with 89 are needed")
    if luhn == "require" and not luhn_ok(digits):
        why = "has no check digit" if len(digits) == 18 else "has a check digit that does not fit (Luhn)"
        raise _invalid("ICCID", digits, f"{why}; compare it with the card, and look for a digit lost or mistyped")
    return digits


def imported_iccid(text: str) -> str:
    """Read an ICCID that came through a file: its check digit must be right, and its end not that of a rounded number."""
    digits = iccid(text)
    if digits.endswith(_ROUNDED):
        raise _invalid(
            "ICCID", digits, f"ends in {_ROUNDED} as if a spreadsheet had rounded it; compare it with the card"
        )
    return iccid(digits, luhn="require")


def luhn_ok(iccid: str) -> bool:
    """Return whether an ICCID ends in its Luhn check digit (E.118); 18 digits have none."""
    return len(iccid) > 18 and luhn_digits.is_valid(iccid)


def imsi(text: str) -> str:
    """Read an IMSI: 14 or 15 digits, country and network code included."""
    digits = _digits(text.strip(), "IMSI")
    if len(digits) not in (14, 15):
        raise _invalid("IMSI", digits, f"has {len(digits)} digits; 14 or 15 are needed, leading zeros included")
    return digits


def network(imsi: str) -> tuple[str, str]:
    """Return the home network of a checked IMSI: (MCC, MNC), the MNC with the two or three digits that its country uses.

    The length of an MNC cannot be seen in an IMSI. Where the table of networks has none, or one of either length, this is
    IdentifierInvalid and never a guess: a wrong MNC sends every roaming partner to a realm that is not ours.
    """
    mcc, rest = imsi[:3], imsi[3:]
    lengths = {len(low) for low, high in _networks().get(mcc, ()) if low <= rest[: len(low)] <= high}
    if len(lengths) != 1:
        why = "may belong to two networks" if lengths else "belongs to no network"
        raise _invalid("IMSI", imsi, f"{why} in the table of MCCs and MNCs; compare MCC and MNC with the host's")
    return mcc, rest[: lengths.pop()]


@cache
def _networks() -> dict[str, list[tuple[str, str]]]:
    """Return the ranges of MNCs (first, last) of each MCC; entries of other lengths are parts of one network."""
    return {
        mcc: [(low, high) for size, low, high, _, _ in children if size in (2, 3)]
        for _, mcc, _, _, children in numdb.get("imsi").prefixes
    }


def msisdn(text: str, country: str = "") -> str:
    """Read a phone number into the digits of E.164, as an operator of `country` (ISO 3166; "": of none) writes numbers.

    With `+` or 00 it is international. Without, it is one of the country, with its code or as dialled at home; one of another
    country is taken only where it can be no slip of one at home: numbers without `+` and numbers without their 0 look alike.
    """
    text = text.strip()
    digits = _digits(text.removeprefix("+"), "MSISDN")
    international = text.startswith("+")
    if digits.startswith("00") and not international:
        digits, international = digits[2:], True
    dialling = _dialling(country)
    if international or dialling is None:
        return _international(digits)
    found = msisdn_at_home(digits, country, bare=False)
    if found is not None:
        return found
    if digits.startswith((dialling.code, "0")):
        what = f"has {len(digits)} digits, and is no number of {country}"
        raise _invalid("MSISDN", digits, f"{what}; give all of them, as +{dialling.code}...")
    if not _is_surely_abroad(digits, country, dialling):
        what = f"is no number of {country}, and may be one of another country by accident"
        raise _invalid("MSISDN", digits, f"{what}; give it with + or 00 and its country code")
    return _international(digits)


def _international(digits: str) -> str:
    """Check a number that begins with its country code."""
    if digits.startswith("0"):
        raise _invalid(
            "MSISDN", digits, "is as dialled at home; begin with the country code, as in 44..., without the 0"
        )
    if len(digits) > 15:
        raise _invalid("MSISDN", digits, f"has {len(digits)} digits; at most 15 are possible")
    parsed = _parsed(f"+{digits}")
    if parsed is None:
        raise _invalid("MSISDN", digits, "has no known country code; give it as +44..., not as dialled at home")
    country = parsed.country_code
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        why = f"has {len(digits)} digits, which country code {country} does not use"
        raise _invalid("MSISDN", digits, f"{why}; give all of them, the country code first")
    if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) != f"+{digits}":
        raise _invalid("MSISDN", digits, f"has the prefix of home calls after country code {country}; leave that out")
    return digits


class _Dialling(NamedTuple):
    """How a country's numbers look: its code, its national numbers by their first digits, the digits of its mobile ones.

    `bare`: people write them without a prefix of home calls. `first`: how most mobile numbers begin.
    """

    code: str
    national: re.Pattern[str]
    lengths: tuple[int, ...]
    bare: bool
    first: str


@cache
def _dialling(country: str) -> _Dialling | None:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        return None
    code, general, mobile = str(metadata.country_code), metadata.general_desc, metadata.mobile
    if general is None or mobile is None:
        return None
    return _Dialling(
        code=code,
        national=re.compile(general.national_number_pattern or "", re.ASCII),
        lengths=tuple(mobile.possible_length or general.possible_length),
        bare=metadata.national_prefix in (None, "", code),
        first=(mobile.example_number or "")[:1],
    )


def calling_code(country: str) -> str:
    """Return a country's code (E.164), "" for a country that has none."""
    dialling = _dialling(country)
    return "" if dialling is None else dialling.code


def msisdn_at_home(digits: str, country: str, *, bare: bool = True) -> str | None:
    """Read digits as a number of a country: `07...`, `447...` and, with `bare`, `7...`; None if it is none, assigned or not.

    Also a number after the country's own prefix of calls abroad (011 in the US).
    """
    dialling = _dialling(country)
    if dialling is None or len(digits) > LONGEST_DIALLED:
        return None
    rest = digits.removeprefix(dialling.code)
    if rest != digits and len(rest) in dialling.lengths and dialling.national.fullmatch(rest):
        return digits
    parsed = _parsed(digits, country)
    if parsed is None or not _may_be(parsed, dialling):
        return None
    is_bare = digits == phonenumbers.national_significant_number(parsed)
    if is_bare and not (bare or (dialling.bare and phonenumbers.is_valid_number(parsed))):
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")


def is_possible(digits: str) -> bool:
    """Whether an international number has as many digits as its country uses."""
    parsed = _parsed(f"+{digits}")
    return parsed is not None and bool(phonenumbers.is_possible_number(parsed))


def is_mobile(digits: str) -> bool:
    """Whether an international number is one of a phone that sends texts."""
    parsed = _parsed(f"+{digits}")
    return parsed is not None and phonenumbers.number_type(parsed) in _MOBILE


def _is_surely_abroad(digits: str, country: str, dialling: _Dialling) -> bool:
    """Whether bare digits are a whole mobile number of another country, and no home number with a digit lost or too many."""
    if len(digits) < LEAST_ABROAD or not is_mobile(digits):
        return False
    cut = _parsed(digits[:-1], country)
    if cut is None or not _may_be(cut, dialling):
        return True
    national = phonenumbers.national_significant_number(cut)
    return not national.startswith(dialling.first) and phonenumbers.number_type(cut) not in _MOBILE


def _may_be(parsed: PhoneNumber, dialling: _Dialling) -> bool:
    """Whether a number is assigned, or has the form of its country's mobile numbers."""
    if str(parsed.country_code) != dialling.code:
        return bool(phonenumbers.is_possible_number(parsed))
    national = phonenumbers.national_significant_number(parsed)
    if len(national) in dialling.lengths and dialling.national.fullmatch(national):
        return True
    return bool(phonenumbers.is_valid_number(parsed))


def _parsed(text: str, country: str | None = None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


_TERRITORIES: Final = {
    "AU": ("CC", "CX"),
    "FI": ("AX",),
    "GB": ("GG", "IM", "JE"),
    "IT": ("VA",),
    "MA": ("EH",),
    "NO": ("SJ",),
}
"""Territories whose numbers are of a country's own numbering plan. Those of other shared codes, as of +1, are not."""


def is_number_of(msisdn: str, countries: Collection[str]) -> bool:
    """Return whether a checked number is one of these countries' (ISO 3166), as far as its digits say."""
    parsed = phonenumbers.parse(f"+{msisdn}", None)
    if parsed.country_code not in {phonenumbers.country_code_for_region(country) for country in countries}:
        return False
    region = phonenumbers.region_code_for_number(parsed)
    return region is None or any(region in (country, *_TERRITORIES.get(country, ())) for country in countries)


def is_imsi_of(imsi: str, countries: Collection[str]) -> bool:
    """Return whether a checked IMSI has the MCC of one of these countries, or one that is no country's (a test network's)."""
    known = _mcc_countries().get(imsi[:3], frozenset())
    return not known or not known.isdisjoint(countries)


@cache
def _mcc_countries() -> dict[str, frozenset[str]]:
    """Return the countries of each MCC, by ITU-T E.212 as the table of networks has it."""
    return {
        mcc: frozenset(rest["cc"].upper() for _, _, _, rest, _ in children if rest.get("cc"))
        for _, mcc, _, _, children in numdb.get("imsi").prefixes
    }


def eid(text: str) -> str:
    """Read an EID: 32 digits, the last two of which check the others (ISO 7064 MOD 97-10)."""
    digits = _digits(text.strip(), "EID")
    if len(digits) != 32:
        raise _invalid("EID", digits, f"has {len(digits)} digits; 32 are needed")
    if not mod_97_10.is_valid(digits):
        raise _invalid("EID", digits, "has check digits that do not fit; compare it with the device")
    return digits


def key(text: str, name: str) -> bytes:
    """Read a key of 16 octets; `name` is Ki or OPc, for the error, which never shows the key."""
    text = text.strip()
    if _MARKED_OP.match(text):
        raise _operators_key()
    if not _HEX.fullmatch(text):
        raise IdentifierInvalid(
            f"{name} is not of {2 * SIZE} hexadecimal digits, but has {len(text)} characters; "
            "give it bare, without 0x or separators",
            f"identifier.{'opc' if name == 'OPc' else 'key'}",
        )
    return bytes.fromhex(text)


def read_keys(row: Mapping[str, str | None]) -> Keys | None:
    """Read `ki` and `opc` of a row of an import, in hexadecimal; None where it has neither.

    Names of columns in any case. An `op` is refused: a card with OP for its OPc does not authenticate, and OP is
    not to leave the operator's vault.
    """
    given = {name.strip().lower(): (text or "").strip() for name, text in row.items()}
    if given.get("op"):
        raise _operators_key()
    ki, opc = given.get("ki", ""), given.get("opc", "")
    if not ki and not opc:
        return None
    if not ki or not opc:
        name, other = ("Ki", "OPc") if not ki else ("OPc", "Ki")
        raise IdentifierInvalid(f"{name} is missing beside {other}; give both or neither", "identifier.key")
    keys = Keys(key(ki, "Ki"), key(opc, "OPc"))
    if keys.ki == keys.opc:
        raise IdentifierInvalid("OPc is the same as Ki: one column was copied into the other", "identifier.opc")
    return keys


class OpcWatch:
    """Finds an OP that was given as OPc, over the rows of one import: each Ki makes another OPc of one OP.

    It also finds a Ki that was given to two cards: whoever has one of them would be taken for the other.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[bytes, int]] = {}
        self._kis: dict[bytes, tuple[bytes, int]] = {}

    def check(self, keys: Keys, row: int) -> None:
        """Look at the keys of a row; IdentifierInvalid names the earlier row with one of them and another one beside it."""
        # Digests, so that a dump of this object tells no key.
        ki, opc = (hashlib.blake2b(secret, digest_size=SIZE).digest() for secret in (keys.ki, keys.opc))
        first_ki, first_row = self._seen.setdefault(opc, (ki, row))
        if first_ki != ki:
            raise IdentifierInvalid(
                f"OPc of row {row} is that of row {first_row}, whose Ki differs: this is an OP, or a row was mixed up. "
                "OP is the operator's, OPc the card's: give OPc",
                "identifier.opc",
            )
        first_opc, first_row = self._kis.setdefault(ki, (opc, row))
        if first_opc != opc:
            raise IdentifierInvalid(
                f"Ki of row {row} is that of row {first_row}, whose OPc differs: a Ki is one card's alone; a row was mixed up",
                "identifier.key",
            )


def _operators_key() -> IdentifierInvalid:
    return IdentifierInvalid("an OP was given; OP is the operator's, OPc the card's: give OPc", "identifier.opc")


def _digits(text: str, kind: str) -> str:
    if text.isascii() and text.isdigit():
        return text
    if not text:
        raise IdentifierInvalid(f"{kind} is missing; give it in digits", f"identifier.{kind.lower()}")
    if _SPREADSHEET.fullmatch(text):
        raise _invalid(kind, text, "was rounded by a spreadsheet; export it as text")
    raise _invalid(kind, text, "is not made of digits; leave out blanks and separators")


def _invalid(kind: str, text: str, what: str) -> IdentifierInvalid:
    return IdentifierInvalid(f"{kind} {_shown(text)} {what}", f"identifier.{kind.lower()}")


def _shown(text: str) -> str:
    """Show enough of a number to find it in a file, and no more; what may be a key in the wrong column, not at all."""
    if len(text) >= 2 * SIZE and not text.isdecimal():
        return f"of {len(text)} characters"
    return repr(f"{text[:2]}...{text[-2:]}" if len(text) > 4 else text)
