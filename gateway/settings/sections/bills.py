"""The section `bills`: their head, when they are due, and what follows where they are not paid."""

from typing import Annotated, Final

from pydantic import Field

from gateway.settings.sections.section import Section
from gateway.settings.values import Duration

DAY: Final = 86_400


class Bills(Section):
    """When bills are due, what becomes of those that are not paid, and what stands at their head; times in seconds."""

    due: Annotated[Duration, Field(ge=DAY)] = 14 * DAY
    suspend: Annotated[Duration, Field(ge=DAY)] = 14 * DAY
    write_off: Annotated[Duration, Field(ge=DAY)] = 180 * DAY
    head: list[str] = Field(default_factory=list, max_length=6)
