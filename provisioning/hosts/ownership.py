"""Whether what a host holds of a card is ours to change: what was there before an order is not the order's to take. Pure.

A host tells nobody whose a subscriber is. What there is to go by: what stood there before the first change, which is on
record before that change is sent, the number that it stands under, and its keys.
"""

from enum import StrEnum
from typing import Final

from provisioning.errors import HostRefused
from provisioning.hosts.interface import Condition, Holding, KeysHeld
from provisioning.masks import mask

FOREIGN: Final = "host.foreign"
"""The code of a refusal because what the host holds is not ours; nothing was changed."""


class Claim(StrEnum):
    """What a step may find of its card at the host."""

    NEW = "new"
    """Nothing: the card is to be in service for the first time. An order that adopts may find anything."""
    LINE = "line"
    """Our line: under our number, or without one; nothing at all if the host has lost it."""
    LEFT = "left"
    """What a termination has left: no number, and no keys but the card's."""


def check_claim(claim: Claim, found: Holding, msisdn: str, *, adopt: bool = False, now_has: str = "") -> None:
    """Refuse a step that would change what is not ours, naming what stands in the way; HostRefused (FOREIGN).

    `msisdn` is the line's number, or is to be it instead of `now_has`; a number of another IMSI is
    never taken from it, whatever the order says.
    """
    if found.number_elsewhere:
        to_do = "Have the host free it, or order another number"
        raise HostRefused(
            f"the host has the number {mask(msisdn)} on another IMSI; nothing was changed. {to_do}", FOREIGN
        )
    if not found.present:
        return
    if claim is Claim.NEW:
        _check_new(found, adopt=adopt)
    elif not _is_line(found, now_has or msisdn) if claim is Claim.LINE else not _is_left(found):
        what = f"the host holds this card as somebody else's line: {found.words}; nothing was changed"
        raise HostRefused(f"{what}. Ask the host whose it is", FOREIGN)


def check_unchanged(now: Holding, before: Holding, wanted: Condition) -> None:
    """Refuse to go on where somebody else has changed what was read before the step; HostRefused (FOREIGN)."""
    if not is_ours(now, before, wanted):
        how = now.words if now.present else "not at all any more"
        raise HostRefused(
            f"somebody else has changed this card at the host meanwhile: {how}; it is left as it is", FOREIGN
        )


def is_ours(now: Holding, before: Holding, wanted: Condition) -> bool:
    """Whether what the host holds is what was there before a step, or what that step can have made of it."""
    if now.record == before.record:
        return True
    if not now.present:
        return wanted == now.condition
    return (
        now.msisdn in (None, wanted.msisdn, before.msisdn)
        and now.other_card <= before.other_card
        and (now.keys is not KeysHeld.OTHER or before.keys is KeysHeld.OTHER)
    )


def _check_new(found: Holding, *, adopt: bool) -> None:
    if adopt and not found.fixed:
        return
    what = f"the host holds this card already: {found.words}; nothing was changed"
    if adopt:
        raise HostRefused(f"{what}. It cannot be taken over, for {found.fixed}", FOREIGN)
    raise HostRefused(f"{what}. If that line is yours, order again with adopt (--adopt)", FOREIGN)


def _is_line(found: Holding, msisdn: str) -> bool:
    return not found.other_card and found.msisdn in (None, msisdn)


def _is_left(found: Holding) -> bool:
    return not found.other_card and found.msisdn is None and found.keys is not KeysHeld.OTHER
