"""How a command ends: its exit codes, and the failure that says what, where and what to do."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `tpo`, after sysexits.h."""

    DONE = 0
    FAILED = 1
    USAGE = 64
    UNREACHABLE = 69
    PARTLY_DONE = 75
    CONFIG = 78


class CommandFailed(Exception):
    """A command couldn't do its work; the entry prints the three sentences and exits with `exit_code`."""

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, where: str = "", to_do: str = "", exit_code: ExitCode | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.to_do = to_do
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        lines = [f"tpo: {self.what}"]
        if self.where:
            lines.append(f"  where:      {self.where}")
        if self.to_do:
            lines.append(f"  what to do: {self.to_do}")
        return "\n".join(lines)
