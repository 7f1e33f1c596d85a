"""Sessions as answers hold them."""

import msgspec

from gateway.events.times import Timestamp


class SessionRow(msgspec.Struct, frozen=True):
    """A session as lists have it; amounts are decimal strings in major units, `node` the gateway that it reported to last."""

    id: str
    session_id: str
    state: str
    service: str
    subscriber_id: str
    msisdn: str | None
    peer: str
    origin_host: str
    opened_at: Timestamp
    updated_at: Timestamp
    expires_at: Timestamp
    reserved: str
    currency: str
    node: str | None


class GrantView(msgspec.Struct, frozen=True):
    """A grant for some services, in the units of its session's service."""

    service_identifiers: list[int]
    granted: int
    of_bundle: int
    reserved: str


class GroupView(msgspec.Struct, frozen=True):
    """A rating group; units are octets, seconds or messages, as the session's service has it."""

    rating_group: int | None
    used: int
    of_bundle: int
    grants: list[GrantView]


class SessionView(SessionRow, frozen=True):
    """Everything of a session: what each rating group used, and what it holds."""

    realm: str | None
    closed_at: Timestamp | None
    last_request_number: int
    terminated: bool
    groups: list[GroupView]
