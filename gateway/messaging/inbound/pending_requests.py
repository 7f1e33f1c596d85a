"""Requests of texts in that are being written down, by what a redelivery has in common with them; and lost answers."""

from typing import Final

from protocols.smpp.client import Request

UNANSWERED_KEPT: Final = 1024
"""Texts in that are remembered because they were acted on and could not be answered."""
Known = tuple[str, str]
"""The SMSC and the digest of a text."""


class PendingRequests:
    """The requests of texts that are with the lane: the same text that comes meanwhile gets the answer of the first."""

    def __init__(self) -> None:
        """Start empty."""
        self._requests: dict[tuple[str, str, int], list[Request]] = {}

    def has(self, known: Known) -> bool:
        """Whether an equal text is with the lane."""
        return (*known, 0) in self._requests

    def join(self, known: Known, request: Request) -> None:
        """Have a request answered with that of the equal text."""
        self._requests[*known, 0].append(request)

    def begin(self, known: Known, request: Request, place: int = 0) -> tuple[str, str, int]:
        """Take a text in hand; `place` keeps apart equal ones that are each acted on. Gives the key to end it by."""
        key = (*known, place)
        self._requests[key] = [request]
        return key

    def end(self, key: tuple[str, str, int]) -> list[Request]:
        """Return the requests that are to be answered now."""
        return self._requests.pop(key)


class LostAnswers:
    """The latest texts that were acted on while their connection went: whenever one comes again, it is a repetition."""

    def __init__(self) -> None:
        """Start empty."""
        self._known: dict[Known, None] = {}

    def __contains__(self, known: Known) -> bool:
        """Whether the answer to a text was lost."""
        return known in self._known

    def record(self, known: Known, *, reached: bool) -> None:
        """Note whether the answer to a text could be sent."""
        self._known.pop(known, None)
        if not reached:
            self._known[known] = None
            while len(self._known) > UNANSWERED_KEPT:
                del self._known[next(iter(self._known))]
