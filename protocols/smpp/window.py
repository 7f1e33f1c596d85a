"""The send window: requests that wait for their response, by sequence_number, each with its response timer.

A slot is freed exactly once: by a response, a generic_nack, its timer, or the end of the session. Who still answers
after the timer is recognised for a while, because a response that comes late settles what was in doubt.
"""

from typing import Final

import msgspec

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import RESPONSE_BIT, CommandId, next_sequence_number

_GENERIC_NACK: Final = int(CommandId.GENERIC_NACK)


class Sent(msgspec.Struct, frozen=True):
    """A request that waits. `context` is its owner's; times are seconds."""

    sequence_number: int
    command_id: int
    context: object
    sent_at: float


class Window:
    """Requests without a response, oldest first.

    Args:
        response_timeout: seconds that each request waits.
        remembered: requests whose time ran out that are remembered for a late response.
    """

    __slots__ = ("_late", "_remembered", "_timeout", "_waiting")

    def __init__(self, response_timeout: float, remembered: int) -> None:
        self._timeout = response_timeout
        self._remembered = remembered
        self._waiting: dict[int, Sent] = {}
        self._late: dict[int, Sent] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, sequence_number: int) -> bool:
        return sequence_number in self._waiting

    def next_after(self, sequence_number: int) -> int:
        """The next number that no waiting request has."""
        sequence_number = next_sequence_number(sequence_number)
        while sequence_number in self._waiting:
            sequence_number = next_sequence_number(sequence_number)
        return sequence_number

    def add(self, sent: Sent) -> None:
        """A request goes out; `sent_at` must not go backwards."""
        if sent.sequence_number in self._waiting:
            raise LocalProtocolError(f"sequence_number {sent.sequence_number} waits already", "smpp.window.sequence")
        self._late.pop(sent.sequence_number, None)
        self._waiting[sent.sequence_number] = sent

    def answered(self, sequence_number: int, command_id: int) -> Sent | None:
        """A response has come: its slot is free. None: it answers nothing that waits."""
        return _take(self._waiting, sequence_number, command_id)

    def answered_late(self, sequence_number: int, command_id: int) -> Sent | None:
        """The same for a request whose time had run out before."""
        return _take(self._late, sequence_number, command_id)

    def deadline(self) -> float | None:
        """When the next response timer runs out."""
        for sent in self._waiting.values():
            return sent.sent_at + self._timeout
        return None

    def expire(self, now: float) -> list[Sent]:
        """Free the slots whose time has run out; returns their requests, oldest first."""
        expired: list[Sent] = []
        for sent in self._waiting.values():
            if now < sent.sent_at + self._timeout:
                break
            expired.append(sent)
        for sent in expired:
            del self._waiting[sent.sequence_number]
            self._late[sent.sequence_number] = sent
        while len(self._late) > self._remembered:
            del self._late[next(iter(self._late))]
        return expired

    def clear(self) -> list[Sent]:
        """The session has ended: free all slots; returns their requests, oldest first."""
        waiting, self._waiting = list(self._waiting.values()), {}
        self._late.clear()
        return waiting


def _take(waiting: dict[int, Sent], sequence_number: int, command_id: int) -> Sent | None:
    """Its own response or a generic_nack frees a request, no other's."""
    sent = waiting.get(sequence_number)
    if sent is None or command_id not in (sent.command_id | RESPONSE_BIT, _GENERIC_NACK):
        return None
    del waiting[sequence_number]
    return sent
