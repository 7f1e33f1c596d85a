"""Gift Aid declarations of natural persons, and the schedule by which a charity claims on their gifts.

A declaration is made to one charity (ITA 2007 s.428), for gifts alone: the tenth is the company's own gift, and on no schedule.
It names a person with home address, so that all of it is sealed, with the cause; it is opened for the schedule of that charity,
and for nobody else. The columns and their bounds are those of HMRC's schedule spreadsheet for Gift Aid donations.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

import msgspec

from gateway.charity.sealed_causes import CauseSeals

COLUMNS: Final = (
    "Title",
    "First name",
    "Last name",
    "House name or number",
    "Postcode",
    "Aggregated donations",
    "Sponsored event",
    "Donation date",
    "Amount",
)
"""In the order of the schedule; a title has 4 characters at most, names 35. Aggregated donations and events stay empty."""
ABROAD: Final = "X"
"""What stands in place of the postcode of a person who lives outside the UK."""
CURRENCY: Final = "GBP"
MOST_BACK_DAYS: Final = 4 * 365 + 1
"""How far back a declaration may cover gifts: four years (FA 2009 sch. 39)."""
_BOUNDS: Final = {"title": (0, 4), "first_name": (1, 35), "last_name": (1, 35), "house": (1, 40), "postcode": (1, 9)}
_POSTCODE: Final = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}", re.ASCII)
_STEP: Final = 512
"""Details are filled up to a multiple of so many octets, which tells nothing of the name's length."""


class DeclarationInvalid(ValueError):
    """A declaration that no charity could claim by; says what is wrong with which part, and nothing of the person."""


class Person(msgspec.Struct, frozen=True):
    """Who declares: name and home address, as the schedule has them."""

    title: str
    first_name: str
    last_name: str
    house: str
    postcode: str


class Details(msgspec.Struct, frozen=True):
    """What of a declaration is sealed."""

    cause: str
    person: Person


class Donation(NamedTuple):
    """A gift that is claimed on: whose it was, the day it was made by the operator's clock, and its amount (`5.00`)."""

    person: Person
    day: date
    amount: str


def checked(person: Person) -> Person:
    """Return a person as the schedule takes one, the postcode in capitals. Raises DeclarationInvalid."""
    said = {name: " ".join(str(getattr(person, name)).split()) for name in _BOUNDS}
    said["postcode"] = said["postcode"].upper()
    for name, (least, most) in _BOUNDS.items():
        if not least <= len(said[name]) <= most or not said[name].isprintable():
            raise DeclarationInvalid(f"{name}: {least} to {most} printable characters")
    if said["postcode"] != ABROAD and not _POSTCODE.fullmatch(said["postcode"]):
        raise DeclarationInvalid(f"postcode: as S19 2BD, with its space; {ABROAD} for a home outside the UK")
    return Person(**said)


def schedule(donations: Iterable[Donation]) -> list[tuple[str, ...]]:
    """Return the rows of the schedule, the earliest day first: a double-barrelled name with a space, days as DD/MM/YY."""
    return [
        (
            person.title,
            person.first_name,
            person.last_name.replace("-", " "),
            person.house,
            person.postcode,
            "",
            "",
            day.strftime("%d/%m/%y"),
            amount,
        )
        for person, day, amount in sorted(donations, key=lambda each: (each.day, each.person.last_name, each.amount))
    ]


def seal_details(seals: CauseSeals, number: int, details: Details) -> bytes:
    """Seal what a declaration says, for its row."""
    octets = msgspec.json.encode(details)
    return seals.seal_octets(octets.ljust(-(-len(octets) // _STEP) * _STEP), _owner(number))


def open_details(seals: CauseSeals, number: int, sealed: bytes) -> Details:
    """Return what a declaration says; SealBroken where it is not that of its row."""
    return msgspec.json.decode(seals.open_octets(sealed, _owner(number)), type=Details)


def _owner(number: int) -> str:
    return f"gift-aid/{number}"
