"""The hosts as the gateway works with them: an adapter, how many calls at once, how long a step may take."""

import asyncio
import hashlib
import hmac

import msgspec

from gateway.context import House
from gateway.sims.cards import Sim
from provisioning.hosts.interface import Host, Line
from provisioning.keys import Keys


class Desk(msgspec.Struct):
    """One host. `poll` and `verify` are the seconds between two looks, and until a look has to show what was wanted."""

    host: Host
    slots: asyncio.Semaphore
    poll: float
    verify: float


def line_of(house: House, card: Sim) -> Line:
    """Give a card as its host knows it, its keys opened; SealBroken where they do not open."""
    sealed = card.keys
    keys = None if sealed is None else Keys.unpack(house.sealer.open(sealed, card.iccid))
    return Line(card.iccid, card.imsi, card.plan, keys)


def callback_secret(house: House, name: str) -> str:
    """Give the part of a host's callback address that nobody can guess."""
    return hmac.new(house.callback_key, name.encode(), hashlib.sha256).hexdigest()[:32]
