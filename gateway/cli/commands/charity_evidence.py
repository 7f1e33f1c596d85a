"""The commands of `tpo charity` that write evidence packs."""

from __future__ import annotations

import io
import os
import tarfile
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed
from gateway.cli.output import complain, emit

if TYPE_CHECKING:
    from gateway.api.answers.charity import PackMade

SHOWN: Final = ("written", "bills", "of", "unsealed", "claim", "key", "sha256")
PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
Out = Annotated[Path, typer.Option("--out", help="Where the pack is written: a folder that is there.")]
Unpacked = Annotated[bool, typer.Option("--folder", help="Write a folder in place of a .tar.gz.")]
Named = Annotated[
    bool, typer.Option("--with-causes", help="Name causes, with what was paid them: for an auditor alone.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (evidence, audit):
        app.command()(command)


def evidence(
    ctx: typer.Context,
    bill: Annotated[int, typer.Argument(help="The number of the bill, as `tpo bill list` has it.")],
    out: Out = Path(),
    unpacked: Unpacked = False,
    named: Named = False,
    as_json: AsJson = False,
) -> None:
    """Write a pack that proves a bill: its use, prices, sums and tenths, offline, by the verify.py that is in it.

    Confidential, though it has no number and no name; it needs the right to see causes, and is noted. A row that is not as it
    was booked is named, and no pack is written.

    \b
    Examples:
      tpo charity evidence 4711
      tpo charity evidence 4711 --folder --out /srv/evidence
      tpo charity evidence 4711 --json
    """
    from gateway.api.answers.charity import PackMade  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.evidence", {"bill": bill, "named": named}, PackMade)
    _show(found, _written(found, out, unpacked=unpacked), as_json=as_json)


def audit(
    ctx: typer.Context,
    period: Annotated[str, typer.Argument(help="The month, such as 2026-11; it is closed.")],
    seed: Annotated[
        str, typer.Option(help="What the sample is drawn by; without it only the commitment is written.")
    ] = "",
    sample: Annotated[int, typer.Option(min=1, max=500, help="How many bills are drawn.")] = 50,
    out: Out = Path(),
    unpacked: Unpacked = False,
    named: Named = False,
    as_json: AsJson = False,
) -> None:
    """Write a pack that proves a sample of a month's bills, and how all of them add up.

    First, without --seed: commitment.json fixes all bills of the month. Give it to the auditor, who then names a seed, by dice
    or a public beacon: the sample follows from the seed, the commitment and the sealed heads, so that nobody could choose it.
    The same seed gives the same pack, octet for octet.

    \b
    Examples:
      tpo charity audit 2026-11 --out /srv/evidence
      tpo charity audit 2026-11 --seed 6-3-1-5-2 --sample 50 --out /srv/evidence
      tpo charity audit 2026-11 --seed 6-3-1-5-2 --folder --json
    """
    from gateway.api.answers.charity import CommitmentMade, PackMade  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        if seed:
            found = ask("charity.audit", {"period": period, "seed": seed, "sample": sample, "named": named}, PackMade)
        else:
            committed = ask("charity.commitment", {"period": period}, CommitmentMade)
    if seed:
        if found.bills < min(sample, found.of):
            complain(
                f"{found.bills} of {found.of} bills are drawn: without --with-causes, more could tell whose tenth is whose"
            )
        _show(found, _written(found, out, unpacked=unpacked), as_json=as_json)
        return
    path = out / f"commitment-{period}.json"
    _write(path, b64decode(committed.commitment))
    _write(path.with_suffix(".sig"), committed.signature.encode())
    emit({"written": str(path), "bills": committed.bills, "root": committed.root}, as_json=as_json)


def _show(found: PackMade, written: Path, *, as_json: bool) -> None:
    if found.unsealed:
        complain(
            f"{found.unsealed} rows are under no seal yet, so that verify.py asks for --unsealed: make the pack again once "
            "the day (UTC) is over"
        )
    told = {"written": str(written), **{name: getattr(found, name) for name in SHOWN[1:]}}
    emit(told, as_json=as_json)


def _written(found: PackMade, out: Path, *, unpacked: bool) -> Path:
    """Write a pack, and give where; only its owner may read it, whatever the umask."""
    octets = b64decode(found.pack)
    if not unpacked:
        path = out / f"{found.name}.tar.gz"
        _write(path, octets)
        return path
    path = out / found.name
    try:
        path.mkdir(PRIVATE_FOLDER)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be made: {error.strerror}", to_do="give another --out") from None
    with tarfile.open(fileobj=io.BytesIO(octets)) as tar:
        for member in tar:
            content = tar.extractfile(member)
            _write(path / Path(member.name).name, b"" if content is None else content.read())
    return path


def _write(path: Path, octets: bytes) -> None:
    """Write a new file; one that is there is not another pack's by mistake, and stays."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}", to_do="give another --out") from None
