"""How a command ends: its exit codes, and the failure that says what, where and what to do."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Protocol, runtime_checkable


class ExitCode(IntEnum):
    """The exit codes of `tpo`, after sysexits.h."""

    DONE = 0
    FAILED = 1
    USAGE = 64
    UNREACHABLE = 69
    PARTLY_DONE = 75
    CONFIG = 78


CODES: Final = {
    ExitCode.FAILED: "command.failed",
    ExitCode.USAGE: "command.usage",
    ExitCode.UNREACHABLE: "command.unreachable",
    ExitCode.PARTLY_DONE: "command.partly_done",
    ExitCode.CONFIG: "config_invalid",
}
"""The code of a failure that has none of its own."""


@runtime_checkable
class GuestFailure(Protocol):
    """What a command of another package fails with: an exception that has these."""

    what: str
    where: str
    to_do: str
    exit_code: int


class CommandFailed(Exception):
    """A command couldn't do its work; the entry prints the three sentences and exits with `exit_code`."""

    exit_code = ExitCode.FAILED
    code = ""

    def __init__(self, what: str, *, where: str = "", to_do: str = "", exit_code: ExitCode | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.to_do = to_do
        if exit_code is not None:
            self.exit_code = exit_code

    def problem_body(self) -> dict[str, object]:
        """Return the failure in the form of RFC 9457, the same members for all; `status` is an HTTP answer's, or null."""
        code = self.code or CODES[self.exit_code]
        return {
            "type": f"urn:tpo:problem:{code}",
            "title": self.what.partition("\n")[0],
            "status": None,
            "code": code,
            "detail": self.what,
            "where": self.where,
            "to_do": self.to_do,
            "exit_code": int(self.exit_code),
        }

    def __str__(self) -> str:
        lines = [f"tpo: {self.what}"]
        if self.where:
            lines.append(f"  where:      {self.where}")
        if self.to_do:
            lines.append(f"  what to do: {self.to_do}")
        return "\n".join(lines)
