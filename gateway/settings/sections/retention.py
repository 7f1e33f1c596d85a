"""The section `retention`: how long each kind of row is kept."""

from typing import Annotated

from pydantic import Field

from gateway.settings.sections.section import Section
from gateway.settings.values import Duration


class Retention(Section):
    """How long each kind of record is kept, from the moment when it is finished with."""

    answers: Annotated[Duration, Field(ge=600)] = 48 * 3600
    outbox: Annotated[Duration, Field(ge=60)] = 24 * 3600
    sessions: Annotated[Duration, Field(ge=3600)] = 400 * 86_400
    usage: Annotated[Duration, Field(ge=86_400)] = 400 * 86_400
    texts: Annotated[Duration, Field(ge=3600)] = 30 * 86_400
    orders: Annotated[Duration, Field(ge=86_400)] = 400 * 86_400
    access_log: Annotated[Duration, Field(ge=86_400)] = 400 * 86_400
