"""Answers about charging sessions."""

import msgspec

from gateway.charging.views import SessionRow


class Sessions(msgspec.Struct, frozen=True):
    """Sessions, the newest first."""

    rows: list[SessionRow]


class SessionReply(msgspec.Struct, frozen=True):
    """What a session's client said to a request (RAR or ASR): `result` is what became of it, `closed` whether it is over.

    `node` is the gateway that asked it.
    """

    id: str
    session_id: str
    peer: str
    request: str
    result: str
    result_code: int | None
    detail: str | None
    closed: bool
    node: str = ""
