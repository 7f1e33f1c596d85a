"""How the simulators' commands end: the exit codes of `tpo`, and failures that say what, where and what to do."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import NoReturn

import typer


class ExitCode(IntEnum):
    """As every command of `tpo` has them."""

    DONE = 0
    FAILED = 1
    UNREACHABLE = 69
    PARTLY_DONE = 75


def fail(what: str, *, where: str = "", to_do: str = "", exit_code: int = ExitCode.FAILED) -> NoReturn:
    """Say on standard error why the command ends here, and end it."""
    lines = [f"tpo: {what}"]
    if where:
        lines.append(f"  where:      {where}")
    if to_do:
        lines.append(f"  what to do: {to_do}")
    sys.stderr.write("\n".join(lines) + "\n")
    raise typer.Exit(exit_code)
