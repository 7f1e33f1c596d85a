"""How the simulators' commands end: the exit codes of `tpo`, and failures that say what, where and what to do."""

from __future__ import annotations

from enum import IntEnum
from typing import NoReturn


class ExitCode(IntEnum):
    """As every command of `tpo` has them."""

    DONE = 0
    FAILED = 1
    UNREACHABLE = 69
    PARTLY_DONE = 75


class Failed(Exception):
    """A command couldn't do its work; `tpo` prints what, where and what to do, and exits with `exit_code`."""

    def __init__(self, what: str, where: str, to_do: str, exit_code: int) -> None:
        super().__init__(what)
        self.what, self.where, self.to_do, self.exit_code = what, where, to_do, exit_code


def fail(what: str, *, where: str = "", to_do: str = "", exit_code: int = ExitCode.FAILED) -> NoReturn:
    """End the command here, and have `tpo` say why on standard error."""
    raise Failed(what, where, to_do, exit_code)
