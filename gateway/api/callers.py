"""Who asks for an action, and whether their role and their rights allow it."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.api.problems import Problem
from gateway.privacy.access import CAUSES

VIEWER, OPERATOR, ADMIN, AUDITOR = "viewer", "operator", "admin", "auditor"
ROLES = (VIEWER, OPERATOR, ADMIN)
"""Each may do what those before it may. An auditor stands beside them: it reads the books and their proof, and nothing else."""
BOOKS, JOURNAL = f"{VIEWER} or {AUDITOR}", f"{OPERATOR} or {AUDITOR}"
"""What actions ask for that an auditor may do: sums and proofs, and single entries."""
_MAY: Final[Mapping[str, Collection[str]]] = {
    VIEWER: ROLES,
    OPERATOR: ROLES[1:],
    ADMIN: ROLES[2:],
    BOOKS: (*ROLES, AUDITOR),
    JOURNAL: (*ROLES[1:], AUDITOR),
}
MAX_ACTOR: Final = 64
"""Characters of the name of whoever did something, as history keeps it."""
COMMAND_LINE = "tpo"
"""The channel of payments that people book by `tpo`: two of them who enter the same payment enter it once."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as history names it, its role, what it may do besides (privacy.access), and by which channel it pays in."""

    name: str
    role: str
    rights: frozenset[str] = frozenset()
    channel: str = COMMAND_LINE

    @property
    def actor(self) -> str:
        """The name as history keeps it."""
        return self.name[:MAX_ACTOR]


def need(role: str, least: str) -> None:
    """Refuse whoever may not do this."""
    if role not in _MAY[least]:
        raise Problem(HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the role {least}, yours is {role}")


def need_causes(caller: Caller) -> None:
    """Refuse whoever may not see which causes customers chose, or what single causes are owed."""
    if CAUSES not in caller.rights:
        raise Problem(HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the right {CAUSES}, which you do not have")
