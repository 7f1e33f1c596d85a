"""What is wrong with a configuration, told all at once as `file:line: key: message`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""Where a value stands in a file: `("diameter", "peers", 0, "identity")`."""


class Severity(StrEnum):
    """Whether the gateway would still start."""

    ERROR = "error"
    WARNING = "warning"


class Problem(NamedTuple):
    """One complaint about one key; the message names what to write instead, and never shows a secret."""

    file: str
    line: int
    key: str
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        warning = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.file}:{self.line}: {self.key}: {warning}{self.message}"


class ConfigInvalid(Exception):
    """The configuration can't be used; `problems` holds every reason, in the order of the file."""

    code = "config_invalid"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def dotted(path: KeyPath) -> str:
    """Write a key path as an operator would: `diameter.peers[0].identity`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean `window`?`, or nothing where no known word is near."""
    match = nearest(word, known)
    return f"; did you mean `{match}`?" if match else ""
