"""Changes of a subscriber as answers hold them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.events.times import Timestamp


class SubscriberChange(msgspec.Struct, frozen=True):
    """A change of a subscriber; numbers are masked."""

    at: Timestamp
    change: Annotated[str, Meta(description="number or plan")]
    before: str
    after: str
    actor: str
    reason: str
    order: str | None
