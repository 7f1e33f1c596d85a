"""The name under which a session is kept: its Session-Id, and its CC-Sub-Session-Id where it is one of several (RFC 8506 §8.5).

A sub-session begins, counts its requests and ends by itself, so each is a session of its own to charging.
"""

from typing import Final

SEPARATOR: Final = "\u21b3"
"""A Session-Id is read as Latin-1, which does not have it: no Session-Id looks like the name of another's sub-session."""


def name_of(session_id: bytes, sub_session_id: int | None) -> str:
    """Name a session or sub-session."""
    name = session_id.decode("latin-1")
    return name if sub_session_id is None else f"{name}{SEPARATOR}{sub_session_id}"


def parts_of(name: str) -> tuple[bytes, int | None]:
    """Return the Session-Id and the CC-Sub-Session-Id of a name."""
    session_id, _, sub_session_id = name.partition(SEPARATOR)
    return session_id.encode("latin-1"), int(sub_session_id) if sub_session_id else None
