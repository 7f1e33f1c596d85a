"""The tree of a large day's rows, made in a process of its own: beside the gateway, whose event loop it would keep waiting.

What the process is asked comes to its standard input, so that keys and a server's password stand on no command line.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from gateway.billing.packs.row_trees import make
from gateway.ledger.seals import RowTree

MODULE: Final = "gateway.billing.packs.tree_process"
LOOKS: Final = 0.5
"""Seconds between two looks whether the gateway is about to end."""


class Question(msgspec.Struct, frozen=True):
    """What the process is to make: the tree of these numbers of a node, in a store (`url` as an engine takes it)."""

    url: str
    key: bytes
    node: int
    ranges: list[tuple[int, int]]


def make_beside(question: Question, ended: Callable[[], bool]) -> RowTree | None:
    """Have it made, and wait; None where no process starts, it fails, or the gateway ends meanwhile."""
    command = (sys.executable, "-m", MODULE)
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  (this program)
    except OSError:
        return None
    given: bytes | None = msgspec.json.encode(question)
    with process:
        while True:
            try:
                said, _ = process.communicate(given, timeout=LOOKS)
            except subprocess.TimeoutExpired:
                given = None
                if ended():
                    process.kill()
                    return None
                continue
            return msgspec.json.decode(said, type=RowTree) if process.returncode == 0 else None


def main() -> None:
    """Make what standard input asks for."""
    from gateway.store.engine import open_reader, reading  # noqa: PLC0415  (only here: the gateway has its own)

    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    lent = partial(reading, open_reader(question.url, label="tpo/tree"))
    sys.stdout.buffer.write(msgspec.json.encode(make(lent, question.key, question.node, question.ranges)))


if __name__ == "__main__":
    main()
