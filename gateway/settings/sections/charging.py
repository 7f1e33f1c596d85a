"""The section `charging`: how much is granted at once, what is held for review, and limits of top-ups and wallets."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.charging.service_contexts import standard_service
from gateway.settings.sections.section import MAX_SLICE, Section
from gateway.settings.values import MICRO, Duration, Percent, Price

MAX_SERVICE_CONTEXT: Final = 255
"""Characters of a Service-Context-Id that is given a service."""


class Review(Section):
    """Which usage reports are believed: more than was granted and more than a network carries waits for somebody's decision."""

    octets_per_second: Annotated[int, Field(ge=1, le=MAX_SLICE)] = 1_250_000_000
    tolerance: Annotated[int, Field(ge=0, le=1000)] = 1
    most: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000


def _small_letters(value: str) -> str:
    if not value or len(value) > MAX_SERVICE_CONTEXT:
        message = f"a Service-Context-Id has 1 to {MAX_SERVICE_CONTEXT} characters"
        raise ValueError(message)
    return value.lower()


def _each_context_once(value: object) -> object:
    """Refuse a name that is given twice, in small and in capital letters, and one of the 3GPP that is of another service."""
    seen: set[str] = set()
    for name, service in value.items() if isinstance(value, dict) else ():
        folded = str(name).lower()
        if folded in seen:
            message = f"{name} is given twice, in small and in capital letters"
            raise ValueError(message)
        seen.add(folded)
        standard = standard_service(folded)
        if standard not in (None, service):
            message = f"{name} is of {standard} (TS 32.299), and cannot be of another service"
            raise ValueError(message)
    return value


class Credit(Section):
    """How long money that is paid in holds, what tax is in it when it ends unused, and when credit of the company pays."""

    days: Annotated[int, Field(ge=0, le=3660)] = 0
    vat: Percent = 2_000
    promotions: Literal["first", "last"] = "first"


class Charging(Section):
    """How much is granted at a time, for how long, what is believed, and how much money a wallet may take."""

    service_contexts: Annotated[
        dict[Annotated[str, AfterValidator(_small_letters)], Literal["data", "voice", "sms"]],
        BeforeValidator(_each_context_once),
    ] = Field(default_factory=dict)

    slice: Annotated[int, Field(ge=1, le=MAX_SLICE)] = 10_000_000
    slice_seconds: Annotated[Duration, Field(ge=1, le=86_400)] = 300
    slice_units: Annotated[int, Field(ge=1, le=10_000)] = 10
    validity: Annotated[Duration, Field(ge=1, le=604_800)] = 3600
    threshold: Annotated[int, Field(ge=0, le=90)] = 20
    quota_holding: Annotated[Duration, Field(ge=0, le=604_800)] = 600
    deadline: Annotated[Duration, Field(ge=1, le=60)] = 5
    abort_wait: Annotated[Duration, Field(ge=1, le=86_400)] = 60
    review: Review = Review()
    topup_limit: Price = 500 * MICRO
    wallet_limit: Price = 5_000 * MICRO
    cap_abroad: Price = 0
    credit: Credit = Credit()
