"""Copies of sealed months: one in each backup, made once, since a sealed file never changes; and back from there."""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from gateway.store.backup import sync
from gateway.store.errors import StoreUnavailable
from gateway.store.private_files import FILE
from gateway.store.sealed_months.records import SealedFile, damage
from gateway.store.sealed_months.writing import FOLDER_MODE, UNFINISHED


def copy_missing(source: Path, target: Path, files: Iterable[SealedFile]) -> list[SealedFile]:
    """Copy the files that a folder has not, each read back before it gets its name; gives those that were copied.

    One that is there in its size is not read again: a restore does that. OSError where it cannot be written, StoreUnavailable
    where a source is missing or was changed.
    """
    copied = []
    for file in files:
        if file.dropped_at is None and _size(target / file.file) != file.octets:
            _make(target)
            _copy(source, target, file)
            copied.append(file)
    return copied


def put_back(sources: Sequence[Path], target: Path, files: Iterable[SealedFile]) -> list[str]:
    """See that a folder has each file as it was sealed, out of whichever other folder has it; says what cannot be had.

    What is there and was changed is kept under another name.
    """
    missing = []
    for file in files:
        if file.dropped_at is not None or damage(target, file) is None:
            continue
        source = next((folder for folder in sources if damage(folder, file) is None), None)
        if source is None:
            missing.append(damage(target, file) or "")
            continue
        _make(target)
        with suppress(FileNotFoundError):
            (target / file.file).rename(target / f"{file.file}.damaged")
        _copy(source, target, file)
    return missing


def remove_given_up(folder: Path, files: Iterable[SealedFile], before: int) -> list[str]:
    """Remove the files that were given up before a time, UTC microseconds; gives the names of those that were there."""
    removed = []
    for file in files:
        if file.dropped_at is not None and file.dropped_at < before:
            with suppress(FileNotFoundError):
                (folder / file.file).unlink()
                removed.append(file.file)
    if removed:
        sync(folder)
    return removed


def missing(folder: Path, files: Iterable[SealedFile]) -> list[str]:
    """Name the files that are not there in their size; what is in them only `tpo ledger check` looks at."""
    return [file.file for file in files if file.dropped_at is None and _size(folder / file.file) != file.octets]


def _make(folder: Path) -> None:
    for each in (folder.parent, folder):
        each.mkdir(FOLDER_MODE, parents=True, exist_ok=True)


def _copy(source: Path, target: Path, file: SealedFile) -> None:
    partial = target / f"{file.file}{UNFINISHED}"
    partial.unlink(missing_ok=True)
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE))
        try:
            shutil.copyfile(source / file.file, partial)
        except FileNotFoundError:
            raise StoreUnavailable(damage(source, file)) from None
        sync(partial)
        found = damage(target, msgspec.structs.replace(file, file=partial.name))
        if found is not None:
            raise StoreUnavailable(damage(source, file) or f"the copy is not what was written: {found}")
        partial.replace(target / file.file)
    finally:
        partial.unlink(missing_ok=True)
    sync(target)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1
