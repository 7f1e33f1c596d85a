"""Requests about the recorded versions of plans."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.requests.fields import MAX_ID, Text


class NamePlan(msgspec.Struct, frozen=True):
    """A plan by its id."""

    plan: Text


class NamePlanVersion(msgspec.Struct, frozen=True):
    """A version of a plan, by its number among all versions of the store."""

    plan: Text
    version: Annotated[int, Meta(ge=1, le=MAX_ID)]
