"""The hosts as the gateway works with them: an adapter, how many calls at once, how long a step may take."""

import asyncio
import hashlib
import hmac

import msgspec

from gateway.context import GatewayContext
from gateway.sims.cards import Sim
from provisioning.hosts.interface import Host, HostLine
from provisioning.keys import Keys


class HostRuntime(msgspec.Struct):
    """One host. `poll` and `verify` are the seconds between two looks, and until a look has to show what was wanted."""

    host: Host
    slots: asyncio.Semaphore
    poll: float
    verify: float


def line_of(context: GatewayContext, card: Sim) -> HostLine:
    """Return a card as its host knows it, its keys opened; SealBroken where they do not open."""
    sealed = card.keys
    keys = None if sealed is None else Keys.unpack(context.sealer.open(sealed, card.iccid))
    return HostLine(card.iccid, card.imsi, card.plan, keys)


def callback_secret(context: GatewayContext, name: str) -> str:
    """Return the part of a host's callback address that nobody can guess."""
    return hmac.new(context.callback_key, name.encode(), hashlib.sha256).hexdigest()[:32]
