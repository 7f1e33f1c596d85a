"""`tpo charity audit` and `evidence`: packs that somebody outside proves without the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed
from gateway.cli.output import emit

FILES: Final = (("pack", "pack.json"), ("signature", "signature.json"), ("verifier", "verify.py"))
Period = Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")]
Out = Annotated[Path, typer.Option(help="A new folder for the pack, its owner's alone.")]
Seed = Annotated[str, typer.Option(help="Decides which records are drawn: let the auditor choose it.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command("audit")(audit)
    app.command("evidence")(evidence)


def audit(
    ctx: typer.Context,
    period: Period,
    out: Out,
    seed: Seed,
    sample: Annotated[int, typer.Option(min=1, max=1000, help="How many records are drawn.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Draw records of a month, and write a signed pack: usage, its charge, its tenth, the rule, the plan, the seals.

    It names nobody, and is confidential all the same. `python verify.py` in it proves it, with nothing else installed.

    \b
    Examples:
      tpo charity audit 2026-11 --sample 50 --seed 4711 --out audit-2026-11
      tpo charity audit 2026-11 --seed 4711 --out audit-2026-11 --json
    """
    _write(ctx, {"period": period, "seed": seed, "sample": sample}, out, as_json=as_json)


def evidence(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(help="MSISDN in international form.")],
    period: Period,
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Write such a pack of what one line was charged in a month, of a thousand records at most.

    \b
    Examples:
      tpo charity evidence 447700900123 2026-11 --out evidence
      tpo charity evidence 447700900123 2026-11 --out evidence --json
    """
    _write(ctx, {"period": period, "number": number, "sample": 1000}, out, as_json=as_json)


def _write(ctx: typer.Context, params: dict[str, object], out: Path, *, as_json: bool) -> None:
    from gateway.api.row_answers import EvidencePack  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    if out.exists():
        raise CommandFailed(f"{out} is there already", to_do="name a new folder")
    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.audit", params, EvidencePack)
    try:
        out.mkdir(mode=0o700)
        for field, name in FILES:
            file = out / name
            file.touch(mode=0o600)
            file.write_text(getattr(found, field), encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{out}: {error.strerror}") from None
    emit({"folder": str(out), "prove": f"python {out}/verify.py"}, as_json=as_json)
