"""Who the customer is: the Subscription-Ids of a request in all their forms, as an IMSI and MSISDNs.

A number may be written as such, with separators, behind `+` or `00`, or as a tel or sip URI (RFC 3966, RFC 3261); an IMSI may
stand in a NAI or in a public or private identity of the 3GPP (TS 23.003 §13 and §19). They are found by type, never by place:
first among the Subscription-Ids of the command and its Subscription-Id-Extensions (RFC 8506 §8.46, §8.58), else among those
that stand in Service-Information alone (TS 32.299 §7.2.192).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

import phonenumbers

from gateway.store.fitting import misfit
from protocols.diameter.codec import decode_avps
from protocols.diameter.errors import DiameterError
from protocols.diameter.messages import CreditControlRequest, SubscriptionIdExtension
from provisioning.identifiers import calling_code, msisdn_at_home

E164, IMSI, SIP_URI, NAI, PRIVATE = range(5)
"""Subscription-Id-Type (RFC 8506 §8.47)."""
SUBSCRIPTION_ID, SUBSCRIPTION_ID_DATA, SUBSCRIPTION_ID_TYPE, SUBSCRIPTION_ID_EXTENSION = 443, 444, 450, 659
EXTENSIONS: Final = {660: E164, 661: IMSI, 662: SIP_URI, 663: NAI, 664: PRIVATE}
"""What a Subscription-Id-Extension holds, by AVP code (RFC 8506 §8.59-63)."""
LONGEST: Final = 255
"""Characters of an identity that are looked at."""
MOST: Final = 8
"""Numbers of one request that are looked up."""
PERMANENT: Final = "016"
"""First digits of a NAI that say that its IMSI follows: EAP-AKA, EAP-SIM and EAP-AKA' (TS 23.003 §19.3.2)."""
LONGEST_IMSI: Final = 15
_GUESSED: Final = -1
"""How far a number is to be believed that clients write as it is dialled at home: `2025550129`, which may be one abroad."""
_SEPARATORS: Final = re.compile(r"(?<=\d)[\s.-]*\(0\)|[\s().-]")
"""What only parts digits, and the zero that is dialled at home alone: `+44 (0)7700 900123`."""
_SUPI: Final = re.compile(r"(imsi|msisdn)-(?=\+?\d)", re.IGNORECASE | re.ASCII)
"""What a 5G core writes before an identity (TS 29.571 §5.3.2)."""
_REALM: Final = re.compile(r"(?:^|\.)mnc\d{2,3}\.mcc(\d{3})\.(?:pub\.)?3gppnetwork\.org$", re.IGNORECASE)
_CONTEXT: Final = re.compile(r";phone-context=\+(\d{1,3})(?:;|$)", re.IGNORECASE)


class Subscription(NamedTuple):
    """The customer's names: an IMSI, and numbers in international form without `+`, each once, in the order of the request."""

    imsi: str | None
    msisdns: tuple[str, ...]


def read_subscription(ccr: CreditControlRequest, country: str) -> Subscription:
    """Read every name of the customer; `country` (ISO 3166) is where a number without a country's code is meant.

    What a Subscription-Id of type E164 or IMSI says is taken as it stands where it is no number: it is nobody's.
    """
    plain = _plain(ccr, country)
    if plain is not None:
        return plain
    named = [(each.subscription_id_type, each.subscription_id_data) for each in ccr.subscription_id]
    named += [name for each in ccr.subscription_id_extension for name in _extension(each)]
    found = _collect(named, country, as_it_stands=True)
    if found.imsi is None and not found.msisdns and ccr.service_information is not None:
        return _collect(_inside(ccr.service_information), country, as_it_stands=False)
    return found


def read_number(address: str, country: str) -> str | None:
    """Read the number of an address, maybe a URI, into its international form without `+`; None where it has none."""
    found = _read(E164, address[:LONGEST].strip(), country)
    return found[1] if found is not None and found[0] == E164 else None


def _plain(ccr: CreditControlRequest, country: str) -> Subscription | None:
    """Read an IMSI and a number that are digits alone, as nearly all clients give them; None where there is more to read."""
    imsi: str | None = None
    code = calling_code(country)
    msisdns: tuple[str, ...] = ()
    for each in ccr.subscription_id:
        text = each.subscription_id_data
        if not (text.isascii() and text.isdigit()):
            return None
        if each.subscription_id_type == IMSI and imsi is None:
            imsi = text
        elif each.subscription_id_type == E164 and not msisdns and _is_international(text, code):
            msisdns = (text,)
        else:
            return None
    known = imsi is not None or msisdns
    return Subscription(imsi, msisdns) if known and not ccr.subscription_id_extension else None


def _is_international(digits: str, code: str) -> bool:
    """Return whether digits begin with our country's code, and without the zero that is dialled at home alone."""
    return digits.startswith(code) and not digits.startswith("0", len(code))


def _collect(named: Iterable[tuple[int, str]], country: str, *, as_it_stands: bool) -> Subscription:
    imsis: dict[str, int] = {}
    msisdns: dict[str, int] = {}
    for kind, text in named:
        name = _read(kind, text[:LONGEST].strip(), country)
        if name is None and as_it_stands and kind in (E164, IMSI) and misfit(text) is None:
            name = kind, text.lstrip("+")
        if name is not None:
            by_kind = imsis if name[0] == IMSI else msisdns
            by_kind[name[1]] = max(by_kind.get(name[1], 0), kind == name[0])
            if name[0] == E164 and "+" not in text and not text.startswith("00"):
                at_home = msisdn_at_home(name[1], country, bare=False)
                msisdns.setdefault(at_home or name[1], _GUESSED)
    # What its type says comes before what was read out of another identity, a guess last; the order is kept otherwise.
    imsi = max(imsis, key=imsis.__getitem__, default=None)
    ordered = sorted(msisdns, key=msisdns.__getitem__, reverse=True)
    return Subscription(imsi, tuple(ordered[:MOST]))


def _read(kind: int, text: str, country: str) -> tuple[int, str] | None:
    """Read one identity into a kind (E164 or IMSI) and digits; None if it is neither."""
    text = text.partition("<")[2].partition(">")[0] or text  # a name before the URI (RFC 3261 §20.10)
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower() if colon else ""
    if scheme == "tel":
        return _number(rest, country)
    if scheme in ("sip", "sips"):
        user, at, host = rest.partition("@")
        if not at:
            return None  # a host, which is nobody
        host = re.split("[;?:]", host, maxsplit=1)[0]
        user = user.partition(":")[0]  # a password
        return _network_name(user, host) or _number(unquote(user), country)
    if "@" in text:
        user, _, realm = text.rpartition("@")
        decoration, _, plain = user.rpartition("!")  # home!user@visited (TS 23.003 §14.3)
        plain = _SUPI.sub("", plain)
        number = _number(plain, country) if kind == E164 or plain.startswith("+") else None
        return _network_name(plain, decoration or realm) or number
    supi = _SUPI.match(text)
    if supi is not None:
        kind, text = (IMSI if supi[1].lower() == "imsi" else E164), text[supi.end() :]
    if kind == IMSI:
        digits = _digits(text)
        return None if digits is None else (IMSI, digits)
    return _number(text, country) if kind == E164 or text.startswith("+") else None


def _network_name(user: str, realm: str) -> tuple[int, str] | None:
    """Read the IMSI out of an identity that a network derived from it: its realm says the country's code."""
    digits, home = _digits(user), _REALM.search(realm)
    if digits is None or home is None or user.startswith("+"):
        return None
    if digits.startswith(home[1]) and len(digits) <= LONGEST_IMSI:
        return IMSI, digits
    return (IMSI, digits[1:]) if digits[0] in PERMANENT and digits.startswith(home[1], 1) else None


def _number(text: str, country: str) -> tuple[int, str] | None:
    """Read a number, maybe with the parameters of a tel URI, into its international form."""
    plain = text.partition(";")[0]
    digits = _digits(plain)
    if digits is None:
        return None
    context = _CONTEXT.search(text)
    if "+" in plain or not (digits.startswith("0") or context):
        return E164, digits
    if digits.startswith("00"):
        return E164, digits[2:]
    try:
        number = phonenumbers.parse(f"+{context[1]}{digits}" if context else digits, country)
    except phonenumbers.NumberParseException:
        return None
    return E164, f"{number.country_code}{number.national_number}"


def _digits(text: str) -> str | None:
    digits = _SEPARATORS.sub("", text).removeprefix("+").rstrip("Ff")  # the filler of half an octet (TS 29.002 §17.7.8)
    return digits if digits.isascii() and digits.isdigit() else None


def _extension(extension: SubscriptionIdExtension) -> Iterator[tuple[int, str]]:
    for kind, text in (
        (E164, extension.subscription_id_e164),
        (IMSI, extension.subscription_id_imsi),
        (SIP_URI, extension.subscription_id_sip_uri),
        (NAI, extension.subscription_id_nai),
        (PRIVATE, extension.subscription_id_private),
    ):
        if text is not None:
            yield kind, text


def _inside(data: bytes) -> Iterator[tuple[int, str]]:
    """Return the types and texts of the Subscription-Ids in the data of a group; nothing of what cannot be cut."""
    try:
        for avp in decode_avps(data, 0, len(data)):
            if avp.vendor_id or avp.code not in (SUBSCRIPTION_ID, SUBSCRIPTION_ID_EXTENSION):
                continue
            inside = {each.code: each.data for each in decode_avps(avp.data, 0, len(avp.data)) if not each.vendor_id}
            if avp.code == SUBSCRIPTION_ID_EXTENSION:
                named = {EXTENSIONS[code]: text for code, text in inside.items() if code in EXTENSIONS}
            else:
                kind = int.from_bytes(inside.get(SUBSCRIPTION_ID_TYPE, b"\xff"), "big")
                named = {kind: inside.get(SUBSCRIPTION_ID_DATA, b"")}
            for kind, text in named.items():
                yield kind, text.decode("utf-8", "replace")
    except DiameterError:
        return
