"""Numbers by which somebody names a line, as people write them: read into the one form that the store has (E.164)."""

from gateway.api.problems import bad_request
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
