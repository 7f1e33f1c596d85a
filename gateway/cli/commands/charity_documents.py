"""A report of giving as a document, written by `tpo charity report --for READER --format FORM`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import typer

from gateway.cli import context
from gateway.cli.errors import CommandFailed
from gateway.cli.output import json_text

PUBLIC: Final = "public"
FORMS: Final = ("text", "json", "pdf")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_PRIVATE, _OPEN = 0o600, 0o644
"""Modes of a document that is confidential, and of one that is not; the umask may take more away."""


def write_report(ctx: typer.Context, period: str, reader: str, form: str, language: str, output: Path | None) -> None:
    """Write the report of a month for a reader, by what that one may know, to a file or the standard output."""
    from gateway.api.answers.charity import ReportMade  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        wanted = {"period": period, "reader": reader, "format": form, "language": language}
        found = ask("charity.report.document", wanted, ReportMade)
    shown = {name: getattr(found, name) for name in ("period", "reader", "rows", "year")}
    octets = found.pdf or (found.text or f"{json_text(shown, indent=2)}\n").encode()
    write_document(octets, output, _OPEN if reader == PUBLIC else _PRIVATE)


def write_document(octets: bytes, output: Path | None, mode: int = _PRIVATE) -> None:
    """Write a document to a file, or to the standard output."""
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(octets)
        return
    try:
        with os.fdopen(os.open(output, _NEW, mode), "wb") as file:
            file.write(octets)
    except OSError as error:
        raise CommandFailed(f"{output} cannot be written: {error.strerror}", to_do="name another file") from None
