"""The one way to print a result: a table that fits the terminal, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway.cli.tables import cell, plain, write_pairs, write_rows

__all__ = ["complain", "emit", "plain"]


def emit(result: object, *, as_json: bool, columns: Sequence[str] = ()) -> None:
    """Print a result: rows (a list) as a table, a Struct or mapping as its keys and values.

    `columns` are what is shown of each; JSON has all.
    """
    if as_json:
        _write_json(result)
        return
    import msgspec  # noqa: PLC0415  (`tpo --help` starts faster)

    plain_result: object = msgspec.to_builtins(result, builtin_types=(Decimal,), enc_hook=str)
    if isinstance(plain_result, Mapping):
        write_pairs(_chosen(plain_result, columns))
    elif isinstance(plain_result, Sequence) and not isinstance(plain_result, str):
        write_rows([_chosen(row, columns) for row in plain_result])
    else:
        sys.stdout.write(f"{cell(plain_result)}\n")


def _chosen(row: Mapping[str, object], columns: Sequence[str]) -> Mapping[str, object]:
    return {name: row[name] for name in columns} if columns else row


def complain(text: str) -> None:
    """Print for the person at the terminal, on standard error."""
    sys.stderr.write(f"{text}\n")


def _write_json(result: object) -> None:
    import msgspec  # noqa: PLC0415  (as above)

    text = msgspec.json.format(msgspec.json.encode(result, enc_hook=str), indent=2)
    sys.stdout.write(f"{text.decode()}\n")
