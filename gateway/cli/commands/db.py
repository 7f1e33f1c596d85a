"""`tpo db`: the store's tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.filters import moment
from gateway.cli.output import complain, emit

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Keep the store: copy it, restore it, bring its tables to this version, divide a large one into months."""


@app.command()
def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy: a new file, which only you may read.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy an SQLite store to a new file, whole as of one moment, checked; the gateway may run and charge on meanwhile.

    Sealed months (store.seal_after) are copied to the folder `sealed` beside it, each once for all copies in that folder.
    Keep the privacy.key (var/tpo.key) with it: without the key the copy's SIM keys cannot be opened. For a backup that
    follows by itself, seconds behind, set store.backup. A PostgreSQL store is copied with PostgreSQL's own pg_dump.

    \b
    Examples:
      tpo db backup /backup/tpo-monday.db
      tpo db backup /backup/tpo-monday.db --json
    """
    from gateway.store.backup import backup as copy  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.store.engine import sqlite_path  # noqa: PLC0415  (as above)
    from gateway.store.errors import StoreUnavailable  # noqa: PLC0415  (as above)

    settings = context.of(ctx).settings
    store = sqlite_path(settings.store.connect_url)
    if store is None:
        raise CommandFailed("this store is a server's", where=settings.store.url, to_do="use pg_dump")
    try:
        size = copy(store, file.absolute(), _progress)
    except FileExistsError:
        raise CommandFailed(
            "the file is there already, or is one of the store's own", where=str(file), to_do="name a new one"
        ) from None
    except OSError as error:
        raise CommandFailed(
            f"it cannot be written: {error.strerror}", where=str(file), to_do="name another one"
        ) from None
    except StoreUnavailable as error:
        to_do = "see that `store.url` is right; nothing was left behind"
        raise CommandFailed(str(error), where=settings.store.url, to_do=to_do) from None
    copied, files = _copy_sealed(store, file.absolute())
    emit({"file": str(file), "octets": size, "sealed_files": files, "sealed_files_copied": copied}, as_json=as_json)


def _copy_sealed(store: Path, file: Path) -> tuple[int, int]:
    """Copy the sealed months that are not beside a copy yet; gives how many those are, and how many there are in all."""
    from gateway.store.engine import storing  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.store.errors import StoreError  # noqa: PLC0415  (as above)
    from gateway.store.recovery.aftermath import open_unchanged  # noqa: PLC0415  (as above)
    from gateway.store.sealed_months.copies import copy_missing  # noqa: PLC0415  (as above)
    from gateway.store.sealed_months.records import folder_of, kept_files  # noqa: PLC0415  (as above)

    try:
        with storing(), open_unchanged(store).connect() as connection:
            files = kept_files(connection)
        return len(copy_missing(folder_of(store), folder_of(file), files)), len(files)
    except (OSError, StoreError) as error:
        raise CommandFailed(
            f"the store is copied, but not its sealed months: {error}",
            where=str(folder_of(file)),
            to_do="copy them by hand, or run it again with another FILE in this folder",
        ) from None


def _progress(share: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{share:.0%} copied" + ("\n" if share == 1.0 else ""))
        sys.stderr.flush()


@app.command()
def restore(
    ctx: typer.Context,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|FOLDER]",
            help="A copy of `tpo db backup`, or the folder of store.backup; without it: what is in the store's place already.",
        ),
    ] = None,
    at: Annotated[str | None, typer.Option(help="As of this time (RFC 3339): what was committed until then.")] = None,
    to: Annotated[str, typer.Option(metavar="URL", help="Put it there, not in the place of store.url.")] = "",
    *,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also if its books are not right.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the store's place; the gateway must be stopped. What is there now is kept beside it.

    It is read whole and its books are checked before it is put in place. Its Origin-State-Id rises, so that network elements
    drop sessions that are lost, and identifiers of the lost time are never given out again. A PostgreSQL server restores its
    data itself (docs/restore.md); afterwards this, without a file, does the rest.

    \b
    Examples:
      tpo db restore /backup/tpo
      tpo db restore /backup/tpo --at 2026-11-26T16:30:00Z
      tpo db restore /backup/tpo-monday.db --to sqlite:////tmp/look.db
      tpo db restore --at 2026-11-26T16:30:00Z
    """
    from gateway.cli.commands.restore import restore as run  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.privacy.pseudonyms import KeyInvalid  # noqa: PLC0415  (as above)
    from gateway.store.errors import SchemaMismatch, StoreError, StoreLocked  # noqa: PLC0415  (as above)

    settings, until = context.of(ctx).settings, moment(at, "--at")
    if source is not None and source.is_file() and until is not None:
        raise typer.BadParameter("a single copy is of one moment; name a folder of store.backup", param_hint="--at")
    if to and not to.startswith("sqlite:///"):
        raise typer.BadParameter("must be sqlite:///FILE", param_hint="--to")
    try:
        done = run(settings, to or settings.store.connect_url, source, until, anyway=anyway)
    except StoreLocked as error:
        raise CommandFailed(str(error), to_do="stop the gateway first") from None
    except (SchemaMismatch, KeyInvalid) as error:
        raise CommandFailed(str(error), where=str(source or "the store"), exit_code=ExitCode.CONFIG) from None
    except (StoreError, OSError) as error:
        to_do = "nothing was changed; see docs/restore.md"
        raise CommandFailed(f"it cannot be restored: {error}", where=str(source or "the store"), to_do=to_do) from None
    emit(done, as_json=as_json)
    if not as_json:
        complain(
            f"what was acknowledged after {done.until} is gone: {done.lost_seconds:.0f} s until now. Peers may repeat what "
            "they sent since; see docs/restore.md"
        )


@app.command()
def upgrade(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Bring the tables of the store to this program's version; the gateway must be stopped.

    \b
    Examples:
      tpo db upgrade
    """
    from gateway.context import upgrade_keys  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.privacy.pseudonyms import KeyInvalid  # noqa: PLC0415  (as above)
    from gateway.store import lock, schema  # noqa: PLC0415  (as above)
    from gateway.store.engine import open_writer  # noqa: PLC0415  (as above)
    from gateway.store.errors import SchemaMismatch, StoreError, StoreLocked  # noqa: PLC0415  (as above)

    settings = context.of(ctx).settings
    node = settings.diameter.identity if settings.diameter else "gateway"
    try:
        held = lock.take(settings.store.connect_url, node)
    except StoreLocked as error:
        raise CommandFailed(str(error), to_do="stop the gateway first") from None
    except StoreError as error:
        raise CommandFailed(f"the store cannot be reached: {error}", exit_code=ExitCode.UNREACHABLE) from None
    try:
        writer = open_writer(settings.store.connect_url, existing=True)
        before, after = schema.upgrade(writer, upgrade_keys(settings), node)
    except (SchemaMismatch, KeyInvalid) as error:
        raise CommandFailed(str(error), where=settings.store.url, exit_code=ExitCode.CONFIG) from None
    except StoreError as error:
        raise CommandFailed(
            f"the store cannot be upgraded: {error}",
            where=settings.store.url,
            to_do="see that `store.url` is right; where there is no store, `tpo run` makes one, of this version",
        ) from None
    finally:
        held.release()
    emit({"before": before, "after": after}, as_json=as_json)


@app.command()
def partition(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Divide the journal and usage of a large PostgreSQL store into months; gateways may run and charge on meanwhile.

    A small store's months begin by themselves. Of a large one (the log says store.months.waiting) the server reads both tables
    twice, at the pace of its disk; no row is moved. Ended halfway it goes on when it is run again.

    \b
    Examples:
      tpo db partition
      tpo db partition --json
    """
    from gateway.environment import wall_clock  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.events.times import rfc3339  # noqa: PLC0415  (as above)
    from gateway.store import schema  # noqa: PLC0415  (as above)
    from gateway.store.division import divide  # noqa: PLC0415  (as above)
    from gateway.store.engine import open_writer, sqlite_path  # noqa: PLC0415  (as above)
    from gateway.store.errors import SchemaMismatch, StoreError  # noqa: PLC0415  (as above)

    settings = context.of(ctx).settings
    if sqlite_path(settings.store.connect_url) is not None:
        raise CommandFailed(
            "a store on SQLite has no partitions",
            where=settings.store.url,
            to_do="set store.seal_after, if it grows large",
        )
    try:
        writer = open_writer(settings.store.connect_url)
        schema.prepare(writer)
        found = divide(writer, wall_clock(), complain)
    except SchemaMismatch as error:
        raise CommandFailed(str(error), where=settings.store.url, exit_code=ExitCode.CONFIG) from None
    except StoreError as error:
        raise CommandFailed(f"not yet: {error}", where=settings.store.url, to_do="run it again") from None
    emit([{"table": table, "months_from": rfc3339(start)} for table, start in found.items()], as_json=as_json)
