"""What `tpo db restore` does: a backup becomes the store, is checked before it is put in place, and what is gone is named."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, make_url, select

from gateway.charging.check_sessions import wrong_sessions
from gateway.charity.policies import recompute
from gateway.charity.sealed_causes import CauseSeals, read_all
from gateway.cli.errors import CommandFailed
from gateway.cli.output import complain
from gateway.context import cause_seals_of, upgrade_keys
from gateway.environment import wall_clock
from gateway.events.times import rfc3339
from gateway.ledger.check import check
from gateway.settings import Settings
from gateway.store import lock, schema
from gateway.store.engine import open_reader, open_writer, reading, sqlite_path, storing
from gateway.store.errors import StoreError, StoreLocked
from gateway.store.recovery import aftermath
from gateway.store.recovery.aftermath import Lost, MendedNode, Repeats
from gateway.store.recovery.placing import put_in_place
from gateway.store.recovery.rebuild import rebuild
from gateway.store.releases import record_restore
from gateway.store.sealed_months.copies import missing, put_back
from gateway.store.sealed_months.records import FOLDER, folder_of, kept_files
from gateway.store.tables import nodes


class Books(msgspec.Struct, frozen=True):
    """What the check of the books counted, and found."""

    entries: int
    wallets: int
    findings: list[str]


class SealedFiles(msgspec.Struct, frozen=True):
    """How many files of sealed months belong to a store, and which of them cannot be had."""

    files: int
    missing: list[str]


class Restored(msgspec.Struct, frozen=True):
    """What was restored, of what, and what is gone.

    Attributes:
        until: all that was committed until then is in it (RFC 3339); of a single copy, when the last row was written.
        lost_seconds: from then until now.
        changes: files of a continuous backup that came on top of the whole copy.
        sealed_months: the files of months that stand beside the store.
        upgraded_from: the version of its tables, where that was an older one.
        kept: where the store before is now; None if there was none.
        lost: what the store before had and this one has not; None where that cannot be read.
        may_repeat: what waits in it and may have been done in the lost time.
    """

    store: str
    source: str
    until: str
    last_write: str
    lost_seconds: float
    changes: int
    sealed_months: SealedFiles
    upgraded_from: str | None
    books: Books
    kept: str | None
    nodes: list[MendedNode]
    lost: Lost | None
    may_repeat: Repeats


def restore(settings: Settings, url: str, source: Path | None, until: int | None, *, anyway: bool) -> Restored:
    """Restore the store of a URL; without a `source` what is in its place already was put there by other means.

    `until` in UTC microseconds. Raises CommandFailed, StoreError, OSError; then nothing was changed.
    """
    held = lock.take(url, _node(settings))
    try:
        if source is None:
            return _finish(settings, url, url, until, wall_clock(), anyway=anyway)
        store = sqlite_path(url)
        if store is None:
            raise CommandFailed("a server's store is restored by the server", to_do="see docs/restore.md")
        return _restore_file(settings, store.resolve(), source, until, anyway=anyway)
    finally:
        held.release()


def _restore_file(settings: Settings, store: Path, source: Path, until: int | None, *, anyway: bool) -> Restored:
    """Make the store in a file beside its place, and put it there when all is well."""
    now, partial = wall_clock(), store.with_name(f".{store.name}.restoring")
    _remove(partial)
    try:
        made = rebuild(source, partial, until)
        sealed = _put_sealed_back(source, store, partial, anyway=anyway)
        done = _finish(settings, f"sqlite:///{store}", f"sqlite:///{partial}", made.until, now, anyway=anyway)
        kept = put_in_place(partial, store, now)
    finally:
        _remove(partial)
    kept_as = str(kept) if kept is not None else None
    return msgspec.structs.replace(
        done, source=str(made.source), changes=made.changes, sealed_months=sealed, kept=kept_as
    )


def _put_sealed_back(source: Path, store: Path, made: Path, *, anyway: bool) -> SealedFiles:
    """See that the files of a restored store's sealed months stand beside its place, out of the backup where they do not."""
    with storing(), aftermath.open_unchanged(made).connect() as connection:
        files = kept_files(connection)
    backup = source / FOLDER if source.is_dir() else folder_of(source)
    lacking = put_back([backup], folder_of(store), files)
    if lacking and not anyway:
        for each in lacking:
            complain(each)
        raise CommandFailed(
            f"{len(lacking)} files of sealed months are in neither {backup} nor {folder_of(store)}",
            to_do=f"put them into {folder_of(store)}, or put the store in place without them --anyway",
        )
    return SealedFiles(len(files), lacking)


def _finish(settings: Settings, url: str, made: str, until: int | None, now: int, *, anyway: bool) -> Restored:
    """Check a restored store, and make it fit to be worked on; `made` is its URL, `url` that of the store before."""
    writer, reader = open_writer(made, existing=True), open_reader(made)
    try:
        aftermath.read_whole(sqlite_path(made))
        upgraded_from = _upgrade(settings, writer)
        with reading(reader) as connection:
            _refuse_where_others_run(connection, settings)
            books = _check_books(connection, upgrade_keys(settings).evidence, cause_seals_of(settings), anyway=anyway)
            last, repeats = aftermath.last_commit(connection), aftermath.repeats(connection)
            files = kept_files(connection)
        since = last if until is None else until
        given_out, lost = _compare(sqlite_path(url), reader) if url != made else ({}, None)
        with storing(), writer.begin() as connection:
            mended = aftermath.mend(connection, since, now, given_out)
            record_restore(connection, upgrade_keys(settings).evidence, now)
    finally:
        reader.dispose()
        writer.dispose()
    place = sqlite_path(url)
    shown = make_url(url).render_as_string(hide_password=True)
    return Restored(
        store=shown,
        source=shown,
        until=rfc3339(since),
        last_write=rfc3339(last),
        lost_seconds=max(0, now - since) / aftermath.MICROSECONDS,
        changes=0,
        sealed_months=SealedFiles(files=len(files), missing=missing(folder_of(place), files) if place else []),
        upgraded_from=upgraded_from,
        books=books,
        kept=None,
        nodes=mended,
        lost=lost,
        may_repeat=repeats,
    )


def _upgrade(settings: Settings, writer: Engine) -> str | None:
    """Bring the tables to this program's version if they are older; gives what they were at then.

    CommandFailed where there are none: to SQLite an empty file is a database, and a copy that failed at its first octet would
    take the place of all the books.
    """
    with storing(), writer.connect() as connection:
        found = schema.current(connection)
    if found is None:
        raise CommandFailed("it cannot be restored: it holds no store", to_do="name a copy of one; see docs/restore.md")
    if found < schema.head():
        schema.upgrade(writer, upgrade_keys(settings), _node(settings))
        return found
    schema.prepare(writer)
    return None


def _refuse_where_others_run(connection: Connection, settings: Settings) -> None:
    for name in connection.scalars(select(nodes.c.name)):
        if name != _node(settings) and lock.is_held(connection, name):
            raise StoreLocked(f"gateway {name} runs on this store")


def _node(settings: Settings) -> str:
    """Name the node whose lock this command holds."""
    return settings.diameter.identity if settings.diameter else "gateway"


def _check_books(connection: Connection, key: bytes, seals: CauseSeals, *, anyway: bool) -> Books:
    report = check(connection, recompute, key, choices=partial(read_all, seals=seals))
    found = [*report.findings, *wrong_sessions(connection)]
    findings = [f"{finding.check}: {finding.detail}" for finding in found]
    if findings and not anyway:
        for finding in findings:
            complain(finding)
        raise CommandFailed(
            "the books of the backup are not right",
            to_do="restore as of an earlier time (--at), or put it in place --anyway",
        )
    return Books(report.entries, report.wallets, findings)


def _compare(before: Path | None, restored: Engine) -> tuple[dict[int, int], Lost | None]:
    """Return which identifiers the store before gave out, and what it had beyond the restored one, where it can be read."""
    if before is None or not before.exists():
        return {}, None
    engine, given_out = aftermath.open_unchanged(before), {}
    try:
        with storing(), engine.connect() as old, reading(restored) as new:
            given_out = aftermath.given_out(old)
            return given_out, aftermath.lost(old, new)
    except StoreError:  # it is damaged, or of other tables: what it had nobody can say
        return given_out, None
    finally:
        engine.dispose()


def _remove(file: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + end).unlink(missing_ok=True)
