"""Checks of large books in a process of their own, beside the others: Python computes on one core a process.

Each check sees one snapshot of the store; that two of them see different ones makes no difference to either. What a process is
asked comes to its standard input, so that keys and a server's password stand on no command line.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.ledger.checks.examined import Finding, Progress
from gateway.ledger.seals import Seal

MODULE: Final = "gateway.ledger.check_process"
TOLD: Final = 100_000
"""Rows between two words on how far it has come: a pipe holds what is not read yet of hundreds of them."""


class Question(msgspec.Struct, frozen=True):
    """What a process is to look at: checks by name, in the store and those of its sealed months that can be read."""

    url: str
    key: bytes
    seals: list[Seal]
    checks: list[str]
    months: list[str]


class Said(msgspec.Struct, frozen=True):
    """A line of what it says: how far a check has come, or at the end what each has found."""

    check: str = ""
    rows: int = 0
    found: dict[str, list[Finding]] | None = None


class CheckProcess:
    """Starts such a process for a store; `url` is as an engine takes it."""

    def __init__(self, url: str, key: bytes, seals: Sequence[Seal]) -> None:
        """Take what each process needs of the store."""
        self._url, self._key, self._seals = url, key, list(seals)

    def start(self, checks: Sequence[str], months: Sequence[str]) -> "Running | None":
        """Begin these checks; None where this machine has no second core, or starts no process."""
        if len(os.sched_getaffinity(0)) < 2:
            return None
        question = msgspec.json.encode(Question(self._url, self._key, self._seals, list(checks), list(months)))
        command = (sys.executable, "-m", MODULE)
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  (this program)
        except OSError:
            return None
        return Running(process, question)


class Running:
    """A process that is at work."""

    def __init__(self, process: "subprocess.Popen[bytes]", question: bytes) -> None:
        """Tell it what to do."""
        self._process = process
        assert process.stdin is not None
        try:
            process.stdin.write(question)
            process.stdin.close()
        except BrokenPipeError:  # it has ended: that it found nothing is seen at its end
            pass

    def findings(self, progress: Progress) -> Mapping[str, list[Finding]] | None:
        """Wait for what each check found; None where the process ended without a result."""
        assert self._process.stdout is not None
        found = None
        for line in self._process.stdout:
            said = msgspec.json.decode(line, type=Said)
            found = said.found if said.found is not None else found
            progress(said.check, said.rows)
        return found if self._process.wait() == 0 else None

    def stop(self) -> None:
        """End it, if it is still at work."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


class _Told:
    """Says how far a check has come, now and then."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, check: str, rows: int) -> None:
        if rows and abs(rows - self._last) >= TOLD:
            self._last = rows
            _say(Said(check, rows))


def main() -> None:
    """Do what standard input asks for."""
    from gateway.ledger.check import some_of  # noqa: PLC0415  (it starts this process, and knows it)
    from gateway.store.engine import open_reader, reading  # noqa: PLC0415  (as above)

    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    engine = open_reader(question.url, label="tpo/check")
    with reading(engine) as connection:
        found = some_of(connection, question.checks, question.months, question.key, question.seals, _Told())
    _say(Said(found=found))


if __name__ == "__main__":
    main()
