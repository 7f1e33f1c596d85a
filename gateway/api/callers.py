"""Who asks for an action."""

import msgspec

COMMAND_LINE = "tpo"
"""The channel of payments that people book by `tpo`: two of them who enter the same payment enter it once."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as history names it, its role, what it may do besides (privacy.access), and by which channel it pays in."""

    name: str
    role: str
    rights: frozenset[str] = frozenset()
    channel: str = COMMAND_LINE
