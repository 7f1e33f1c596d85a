"""The one way to print a result: a table that fits the terminal, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli.tables import cell, plain, write_pairs, write_rows

__all__ = ["complain", "emit", "plain"]


def emit(result: Any, *, as_json: bool) -> None:  # noqa: ANN401  (whatever a command reports)
    """Print a result: rows (a list of mappings) as a table, a mapping as its keys and values."""
    if as_json:
        _write_json(result)
    elif isinstance(result, Mapping):
        write_pairs(result)
    elif isinstance(result, Sequence) and not isinstance(result, str):
        write_rows(list(result))
    else:
        sys.stdout.write(f"{cell(result)}\n")


def complain(text: str) -> None:
    """Print for the person at the terminal, on standard error."""
    sys.stderr.write(f"{text}\n")


def _write_json(result: Any) -> None:  # noqa: ANN401  (whatever a command reports)
    import msgspec  # noqa: PLC0415  (a command that prints no JSON starts faster)

    text = msgspec.json.format(msgspec.json.encode(result, enc_hook=str), indent=2)
    sys.stdout.write(f"{text.decode()}\n")
