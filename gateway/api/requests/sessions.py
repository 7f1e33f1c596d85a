"""Requests about charging sessions."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import Limit, MaybeText
from gateway.store.fitting import LONGEST_INDEXED

SESSION_ID: Final = "a Session-Id, or the number that `tpo session list` shows"


class ListSessions(msgspec.Struct, frozen=True):
    """Sessions of a subscriber, of a peer or of all, the newest first: the open ones, or with `closed` all of them."""

    limit: Limit = None
    number: MaybeText = ""
    peer: MaybeText = ""
    closed: bool = False


class NameSession(msgspec.Struct, frozen=True):
    """A session by its Session-Id (RFC 6733 §8.8), or by the number that the gateway gave it."""

    id: Annotated[str, Meta(min_length=1, max_length=LONGEST_INDEXED, extra=refused_as("session.id", SESSION_ID))]
