"""Reading the store beside the event loop."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

Found = TypeVar("Found")


class AsyncRead(Protocol):
    """Runs a function with a connection for reports, and gives what it found; StoreError where the store cannot be read."""

    def __call__(self, look: Callable[[Connection], Found], /) -> Awaitable[Found]:
        """Run it on a thread of its own, that the loop does not wait."""
