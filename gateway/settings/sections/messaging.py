"""The section `messaging`: our own numbers, and how many texts are answered."""

from typing import Annotated

from pydantic import Field

from gateway.settings.sections.section import Section
from gateway.settings.values import Duration, OwnNumber, ShortCode


class Messaging(Section):
    """How texts are treated, whichever link they take."""

    short_codes: list[ShortCode] = Field(default_factory=list)
    numbers: list[OwnNumber] = Field(default_factory=list)
    answers_per_hour: Annotated[int, Field(ge=0, le=100)] = 5
    validity: Annotated[Duration, Field(ge=60, le=30 * 86_400)] = 48 * 3600
    max_parts: Annotated[int, Field(ge=1, le=255)] = 10
    receipts: bool = True
    reassembly: Annotated[Duration, Field(ge=10, le=7 * 86_400)] = 1800
    question: Annotated[Duration, Field(ge=30, le=86_400)] = 600
