"""Who asks for an action, and whether the right `causes` is theirs."""

from http import HTTPStatus

import msgspec

from gateway.api.problems import Problem
from gateway.privacy.access import CAUSES

COMMAND_LINE = "tpo"
"""The channel of payments that people book by `tpo`: two of them who enter the same payment enter it once."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as history names it, its role, what it may do besides (privacy.access), and by which channel it pays in."""

    name: str
    role: str
    rights: frozenset[str] = frozenset()
    channel: str = COMMAND_LINE


def need_causes(caller: Caller) -> None:
    """Refuse whoever may not see which causes customers chose, or what single causes are owed."""
    if CAUSES not in caller.rights:
        raise Problem(HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the right {CAUSES}, which you do not have")
