"""What the units of cards and orders are decided with."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.messaging.submit import Draft

WELCOME, SWAP = "welcome", "swap"
"""Kinds of texts that a customer gets about a card."""


class SimsPolicy(msgspec.Struct, frozen=True):
    """Everything that cards and orders are decided by; durations in microseconds.

    `hosts` name the host and `currencies` the currency of each plan. `compose` makes a draft of a text of ours to a number, of
    one of the kinds WELCOME and SWAP; None: no text is sent. `pseudonym` names a subscriber to the company.
    """

    source: str
    hosts: Mapping[str, str]
    currencies: Mapping[str, str]
    quarantine: int
    compose: Callable[[str, str, int], Draft | None]
    pseudonym: Callable[[int], str]
