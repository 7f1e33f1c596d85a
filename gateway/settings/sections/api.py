"""The section `api`: where HTTP is listened for, and the tokens that are let in."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from gateway.settings.secrets import SecretValue
from gateway.settings.sections.section import Section
from gateway.settings.values import Endpoint, FilePath, Host, Listen, Text

MAX_NAME: Final = 48
"""Characters of a token's name, which stands beside all that its caller does."""


def _token_name(value: str) -> str:
    if len(value) > MAX_NAME:
        message = f"must be at most {MAX_NAME} characters"
        raise ValueError(message)
    return value


class Token(Section):
    """One caller of the HTTP interface, and what it may do."""

    name: Annotated[Text, AfterValidator(_token_name)]
    role: Literal["viewer", "operator", "admin", "auditor"]
    rights: list[Literal["causes"]] = Field(default_factory=list)
    token: SecretValue


class Api(Section):
    """The HTTP interface, and the Unix socket of the `tpo` command."""

    listen: Listen = Endpoint("127.0.0.1", 8080)
    names: list[Host] = Field(default_factory=list)
    socket: FilePath = Field(default=Path("var/tpo.sock"), validate_default=True)
    auditors: list[Text] = Field(default_factory=list)
    """Users of this machine who are auditors by the socket, and not operators."""
    tokens: list[Token] = Field(default_factory=list)
