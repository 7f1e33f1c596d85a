"""`tpo init`: a folder with settings to begin with, each key explained."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import emit

app = typer.Typer(rich_markup_mode=None, add_completion=False)
SETTINGS: Final = ("gateway.yaml", "plans.yaml", "causes.yaml", "keywords.yaml", "taxes.yaml")
NETWORK: Final = ("network.yaml", "sample-subscribers.csv", "sample-sims.csv")
_PACKAGE: Final = Path(__file__).resolve().parents[2]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made if it is not there.")],
    network: Annotated[
        bool, typer.Option("--network", help="Also what `tpo simulate network --with-gateway` runs, and sample lines.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write settings, plans, causes, keywords and taxes into a folder, each key explained; what is there is not touched.

    They pass `tpo config check` as they are. The store will be var/tpo.db in that folder.

    \b
    Examples:
      tpo init config
      tpo init try --network
    """
    names = (*SETTINGS, *NETWORK) if network else SETTINGS
    if there := [name for name in names if (folder / name).exists()]:
        what = f"{', '.join(there)}: there already; nothing was written"
        raise CommandFailed(what, where=str(folder), to_do="name another folder, or move these away")
    _write(folder, names)
    config = folder / SETTINGS[0]
    _check(config)
    if as_json:
        emit({"folder": str(folder), "files": list(names)}, as_json=True)
        return
    sys.stdout.writelines(f"{folder / name}\n" for name in names)
    sys.stdout.write(f"Edit them, then: tpo --config {config} config check && tpo --config {config} run\n")


def initial_folder() -> Path:
    """Return where the files lie: in the package or, in a checkout, beside it."""
    packaged = _PACKAGE / "initial"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "config"


def _write(folder: Path, names: Iterable[str]) -> None:
    initial = initial_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            with (folder / name).open("xb") as file:
                file.write((initial / name).read_bytes())
    except OSError as error:
        what = f"the settings cannot be written: {error.strerror}"
        raise CommandFailed(
            what, where=str(error.filename or folder), to_do="name a folder that you may write"
        ) from None


def _check(config: Path) -> None:
    from gateway.settings import ConfigInvalid, load  # noqa: PLC0415  (pydantic; `tpo --help` needs none)

    try:
        load(config)
    except ConfigInvalid as invalid:
        what = f"the settings are written, but the gateway would not start there\n{invalid}"
        raise CommandFailed(what, where=str(config), to_do="mend them", exit_code=ExitCode.CONFIG) from None
