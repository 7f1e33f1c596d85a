"""What may move the units of an allowance: the kinds of entries of the table `allowance_entries`, one literal table."""

from typing import Final

GRANT, USE, REFUND, EXPIRY, ROLL_OUT, ROLL_IN, FORFEIT = (
    "grant",
    "use",
    "refund",
    "expiry",
    "roll-out",
    "roll-in",
    "forfeit",
)
ADDS: Final = {
    GRANT: "sold with a bundle or add-on, given, or paid in",
    ROLL_IN: "rolled over from the period before",
    REFUND: "given back with a refund",
}
"""Kinds of positive units, and what they are; each carries a reference."""
TAKES: Final = {
    USE: "covered what its usage record does not say itself, or paid for it; carries the record's number, or a reference",
    ROLL_OUT: "rolled over into the next period",
    EXPIRY: "left when it ended",
    FORFEIT: "left when the line, or its plan, ended",
}
"""Kinds of negative units, and what they are."""
