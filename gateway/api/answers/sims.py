"""Answers about SIM cards: what an import did, pages of cards, a card's history."""

import msgspec

from gateway.sims.views import HistoryEntry, SimRow
from provisioning.sim_lifecycle import SimState


class ImportedSim(msgspec.Struct, frozen=True):
    """What became of a row of `sim import`; `message` says why it was refused, or what differs."""

    outcome: str
    message: str


class ImportedSims(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[ImportedSim]


class SimPage(msgspec.Struct, frozen=True):
    """A page of cards; `next` is the `after` of the next one, None on the last."""

    rows: list[SimRow]
    next: str | None


class SimHistory(msgspec.Struct, frozen=True):
    """What happened to a card."""

    iccid: str
    rows: list[HistoryEntry]


class SimAmended(msgspec.Struct, frozen=True):
    """A card as it was put right: the columns that differed, and its state now."""

    iccid: str
    amended: list[str]
    state: SimState
