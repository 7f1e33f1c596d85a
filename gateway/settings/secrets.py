"""Read a secret from the environment or a file, so that it needn't stand in the configuration.

Any secret key takes `{env: NAME}` or `{file: PATH}`; a literal works, with a warning. Nothing here ever shows a value.
"""

from pathlib import Path
from typing import Annotated, Final

from pydantic import PlainValidator, ValidationInfo

from gateway.privacy.masks import Secret
from gateway.settings.values import parse_path, reading
from gateway.store.named_files import open_named

MAX_SECRET_SIZE: Final = 64 * 1024
"""Octets of a secret's file."""

_WANTED: Final = "must be a secret: {env: NAME} or {file: PATH}"


def parse_secret(value: object, info: ValidationInfo) -> Secret:
    """Turn `{env: NAME}`, `{file: PATH}` or a literal into a Secret that knows its origin."""
    if isinstance(value, str):
        return _not_empty(Secret(value), "must not be empty")
    if isinstance(value, dict) and len(value) == 1:
        [(source, name)] = value.items()
        if source == "env" and isinstance(name, str) and name:
            return Secret(None, f"env:{name}") if reading(info).for_client else _from_environment(name, info)
        if source == "file":
            path = parse_path(name, info)
            return Secret(None, f"file:{path}") if reading(info).for_client else _from_file(path)
    raise ValueError(_WANTED)


def _from_environment(name: str, info: ValidationInfo) -> Secret:
    value = reading(info).environ.get(name)
    if value is None:
        message = f"the environment variable {name} is not set"
        raise ValueError(message)
    return _not_empty(Secret(value, f"env:{name}"), f"the environment variable {name} is empty")


def _from_file(path: Path) -> Secret:
    try:
        with open_named(path) as file:
            content = file.read(MAX_SECRET_SIZE + 1)
    except OSError as error:
        message = f"the secret's file can't be read: {path}: {error.strerror}"
        raise ValueError(message) from None
    if len(content) > MAX_SECRET_SIZE:
        message = f"the secret's file is larger than {MAX_SECRET_SIZE} octets: {path}"
        raise ValueError(message)
    try:
        # An editor ends a file with a newline, which is no part of the secret.
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        message = f"the secret's file is not UTF-8 text: {path}"
        raise ValueError(message) from None
    return _not_empty(Secret(value, f"file:{path}"), f"the secret's file is empty: {path}")


def _not_empty(secret: Secret, message: str) -> Secret:
    if not secret.reveal():
        raise ValueError(message)
    return secret


SecretValue = Annotated[Secret, PlainValidator(parse_secret)]
