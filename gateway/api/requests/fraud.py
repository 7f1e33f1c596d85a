"""Requests about cases of suspected fraud."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.requests.fields import Number, Text


class ListCases(msgspec.Struct, frozen=True):
    """A page of cases of suspected fraud: those that wait, or all."""

    after: Number = 0
    all: bool = False


class DecideCase(msgspec.Struct, frozen=True):
    """A case that somebody has looked at, and why it is cleared."""

    id: Annotated[str, Meta(min_length=1, max_length=19)]
    reason: Text
