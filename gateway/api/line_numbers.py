"""Numbers by which somebody names a line, as people write them: read into the form that the store has (E.164), and found."""

from sqlalchemy import Connection

from gateway.api.problems import bad_request, not_found
from gateway.balance.wallets import read_wallet
from gateway.context import GatewayContext
from gateway.subscribers.queries import find, owners
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import msisdn


def named(text: str, country: str) -> str:
    """Read what a line, or a text, is looked up by: a number in any form, else an IMSI, ICCID, short code or name as it is."""
    try:
        return msisdn(text, country)
    except IdentifierInvalid:
        return text.strip().removeprefix("+")


def number(text: str, country: str) -> str:
    """Read the number that a line has, or is to have; Problem where it is none."""
    try:
        return msisdn(text, country)
    except IdentifierInvalid as error:
        raise bad_request(error.code, str(error)) from None


def subscriber_of(connection: Connection, text: str, country: str) -> int:
    """Return the subscriber who has a number now, as people write it (`named`); Problem where nobody has it."""
    subscriber_id = find(connection, named(text, country))
    if subscriber_id is None:
        raise not_found("subscriber.unknown", "no subscriber has this number now")
    return subscriber_id


def owners_of(connection: Connection, text: str, country: str) -> list[int]:
    """Return who has or had a number, as people write it, the latest last; Problem where nobody had it ever."""
    found = owners(connection, named(text, country))
    if not found:
        raise not_found("subscriber.unknown", "no subscriber has or had this number")
    return sorted(found)


def currency_of(context: GatewayContext, text: str) -> str:
    """Return the currency of a line's wallet, which may be another than the operator's."""
    with context.reading() as connection:
        return read_wallet(connection, subscriber_of(connection, text, context.settings.operator.country)).currency
