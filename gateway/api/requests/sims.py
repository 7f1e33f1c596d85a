"""Requests about SIM cards: importing, amending, scrapping, listing and reconciling them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import Limit, MaybeText, Number, Reason, Rows, Text
from provisioning.sim_lifecycle import SimState


class ImportSims(msgspec.Struct, frozen=True):
    """Cards, a row each; `first_line` is the first row's number in its file, for what is said of it.

    `accept_checksum` takes ICCIDs whose check digit is not right.
    """

    rows: Rows
    first_line: Number = 1
    accept_checksum: bool = False


class AmendSim(msgspec.Struct, frozen=True):
    """What is put right of a card, and why: its IMSI, its EID, its keys in hexadecimal; what is empty stays."""

    iccid: Text
    reason: Reason
    imsi: MaybeText = ""
    eid: MaybeText = ""
    ki: MaybeText = ""
    opc: MaybeText = ""


class ScrapSim(msgspec.Struct, frozen=True):
    """A card in stock that is to be destroyed, and why."""

    iccid: Text
    reason: Reason


class ListSims(msgspec.Struct, frozen=True):
    """Cards in a state, or in any, in the order of their ICCIDs from above `after` on."""

    limit: Limit = None
    state: Annotated[SimState, Meta(extra=refused_as("params.state"))] | None = None
    after: MaybeText = ""


class ShowSim(msgspec.Struct, frozen=True):
    """A card by its ICCID."""

    iccid: MaybeText = ""


class Reconcile(msgspec.Struct, frozen=True):
    """A host, or all of them, to be compared with the inventory; with `repair` it is given what it lacks."""

    host: MaybeText = ""
    repair: bool = False
