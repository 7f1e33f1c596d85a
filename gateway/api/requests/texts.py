"""Requests about texts, and the SMPP links that carry them."""

from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import MAX_TEXT, NO_NUL, Limit, MaybeReason, MaybeText, Text, Time
from gateway.messaging.texts import TextState

MAX_BODY: Final = 39_015
"""Characters of one text: 255 parts of 153."""
SENDER: Final = "digits, or a name of up to 11 letters"
SENDER_FORM: Final[dict[str, object]] = {
    "format": "sender",
    "minLength": 1,
    "maxLength": MAX_TEXT,
    "description": "a number, a short code of 3 to 8 digits, or a name of up to 11 ASCII characters",
}
RECIPIENT_FORM: Final[dict[str, object]] = {
    "format": "recipient",
    "minLength": 5,
    "maxLength": MAX_TEXT,
    "description": "a number, or a short code of 5 to 8 digits",
}
RECIPIENT: Final = "5 to 15 digits, country code first"


class ShowText(msgspec.Struct, frozen=True):
    """A text by its id; what is no id names no text."""

    id: MaybeText = ""


class ListTexts(msgspec.Struct, frozen=True):
    """Texts in a state, or in any, the newest first; those from or to a number, and those accepted in that time."""

    limit: Limit = None
    state: TextState | None = None
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None


class SendText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A text to be sent; `validity` in seconds. What is left out is as the settings have it."""

    OBJECT_CODE: ClassVar[str] = "sms.fields"
    NULL_IS_ABSENT: ClassVar[bool] = False

    source: Annotated[str, Meta(extra_json_schema=SENDER_FORM, extra=refused_as("sms.address", SENDER))] = (
        msgspec.field(name="from")
    )
    destination: Annotated[str, Meta(extra_json_schema=RECIPIENT_FORM, extra=refused_as("sms.address", RECIPIENT))] = (
        msgspec.field(name="to")
    )
    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_BODY,
            extra_json_schema=NO_NUL,
            extra=refused_as("sms.text", f"1 to {MAX_BODY} characters"),
        ),
    ]
    reference: (
        Annotated[
            Text,
            Meta(description="unique for a token", extra_json_schema=NO_NUL, extra=refused_as("sms.reference")),
        ]
        | None
    ) = None
    registered_delivery: Annotated[bool, Meta(extra=refused_as("sms.registered_delivery"))] | UnsetType = UNSET
    validity: (
        Annotated[
            int,
            Meta(
                ge=60,
                le=2_592_000,
                description="seconds",
                extra=refused_as("sms.validity", "seconds, from 60 to those of 30 days"),
            ),
        ]
        | UnsetType
    ) = UNSET


class OrderLink(msgspec.Struct, frozen=True):
    """A link by its name, and what it is to do: up, down, suspend or resume, or nothing; `reason` is why, for the log."""

    name: MaybeText = ""
    order: MaybeText = ""
    reason: MaybeReason | UnsetType = UNSET
