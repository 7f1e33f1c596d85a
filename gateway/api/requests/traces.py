"""Requests about traces of what goes over the wire, and about messages that could not be read."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import MAX_PAGE, MAX_TEXT, MaybeText, Number, whole
from gateway.tracing.traces import MAX_SECONDS

Subject = Annotated[str, Meta(max_length=MAX_TEXT, extra=refused_as("trace.subject", "one of msisdn, imsi and link"))]


class StartTrace(msgspec.Struct, frozen=True):
    """What is to be traced: one of a number, an IMSI and a link's, peer's or host's name; for how many seconds.

    `id` is that of the same trace at another gateway.
    """

    seconds: Annotated[int, Meta(ge=1, le=MAX_SECONDS, extra=refused_as("trace.seconds", f"1 to {MAX_SECONDS}"))]
    msisdn: Subject = ""
    imsi: Subject = ""
    link: Subject = ""
    show_content: Annotated[bool, Meta(extra=refused_as("trace.wish"))] = False
    pcap: Annotated[str, Meta(extra=refused_as("trace.wish", "the path of a file"))] | None = None
    id: Annotated[
        str,
        Meta(max_length=MAX_TEXT, pattern=whole("[0-9-]*"), extra=refused_as("trace.id", "digits with dashes between")),
    ] = ""


class ShowTrace(msgspec.Struct, frozen=True):
    """A trace, the latest without `id`, and its messages above the number `after`, or that of their gateway in `after_at`."""

    id: MaybeText = ""
    after: Number = 0
    after_at: Annotated[
        dict[str, Number], Meta(max_length=MAX_PAGE, extra=refused_as("params.invalid", "numbers by names of gateways"))
    ] = {}


class StopTrace(msgspec.Struct, frozen=True):
    """A trace to be ended, all of them without `id`."""

    id: MaybeText = ""


class ListUndecodable(msgspec.Struct, frozen=True):
    """The last messages that could not be read, those of a link or peer or all; with `show_content` in full."""

    name: MaybeText = ""
    show_content: bool = False
