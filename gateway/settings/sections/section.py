"""What the sections of gateway.yaml have in common: how they are read, and bounds that several of them have."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict

MAX_SLICE: Final = 1_000_000_000_000
"""Octets in one grant: a terabyte, which is a typing mistake already."""
MAX_NOTE: Final = 480
"""Characters of a text of our own: more than three parts is no greeting."""


class Section(BaseModel):
    """A mapping of the file: nothing is converted silently, no unknown key is let in, and it doesn't change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def split_url(url: str) -> SplitResult | None:
    """Split a URL into its parts; None where it is none, or has a port that is no number."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only to learn whether it is a port
    except ValueError:
        return None
    return parts
