"""Check the files that the gateway makes, writes or removes: none may be another one's, and each is what it is to be.

A socket is removed before it is bound, a store is written to, a key is made: done to the wrong file, it is lost. Two paths are
one file also where a symbolic or a hard link leads to the other, so they are compared as files and not as words.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from gateway.settings.checks.found import Found
from gateway.settings.checks.secrets import secrets_in
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, dotted
from gateway.settings.sections.section import Section
from gateway.store.files import family

KEY: Final = Path("var") / "tpo.key"
"""Where the key is kept that the gateway makes itself, from the folder of gateway.yaml."""
SCHEME: Final = "sqlite:///"
WORDS: Final = {
    "store": "the store",
    "wal": "the store's log",
    "shm": "the index of the store's log",
    "journal": "the store's journal",
    "lock": "the store's lock",
    "damaged": "the store's note of a damage",
}


class Own(NamedTuple):
    """A file, what it is, and the key that names it."""

    key: KeyPath
    what: str
    file: Path


def check_files(found: Found, report: Report) -> None:
    """Refuse two keys that name one file, where the gateway would write or remove one of them, and files of a wrong kind."""
    made = list(_made(found))
    others = [*made, *_read(found)]
    places = {own.file: _place(own.file) for own in others}
    for number, own in enumerate(made):
        for other in others[:number] + others[len(made) :]:
            if own.key != other.key and not places[own.file].isdisjoint(places[other.file]):
                at, of = (own, other) if own.key in report.document.value_lines else (other, own)
                report.error(at.key, f"{at.file} is {of.what} ({dotted(of.key)})")
    if found.api and (wrong := _not_a_socket(found.api.socket)):
        report.error(("api", "socket"), wrong)
    for own in made:
        if own.what == WORDS["store"] and (wrong := _not_a_store(own.file)):
            report.error(own.key, wrong)


def _made(found: Found) -> Iterator[Own]:
    if found.store and found.store.url.startswith(SCHEME):
        for name, file in family(Path(found.store.url.removeprefix(SCHEME))).items():
            yield Own(("store", "url"), WORDS[name], file)
    if found.folder and found.privacy and found.privacy.key is None:
        yield Own(("privacy", "key"), "the key that the gateway makes", found.folder / KEY)
    if found.api:
        yield Own(("api", "socket"), "the socket", found.api.socket)


def _read(found: Found) -> Iterator[Own]:
    for name, file in found.files.items():
        yield Own((name,), "a file of the configuration", file)
    for name in type(found).__struct_fields__:
        section = getattr(found, name)
        if isinstance(section, Section):
            for key, file in _paths_in(section, (name,)):
                yield Own(key, "a file that is only read", file)
            for key, secret in secrets_in(section, (name,)):
                kind, _, file_name = secret.origin.partition(":")
                if kind == "file":
                    yield Own(key, "the file of a secret", Path(file_name))


def _paths_in(value: object, key: KeyPath) -> Iterator[tuple[KeyPath, Path]]:
    """Find every path in a section but those that are made."""
    if isinstance(value, Path) and key != ("api", "socket"):
        yield key, value
    elif isinstance(value, Section):
        for name in type(value).model_fields:
            yield from _paths_in(getattr(value, name), (*key, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _paths_in(item, (*key, number))


def _place(file: Path) -> set[object]:
    """Say what two names of one file have in common: where it lies, or which file it is."""
    try:
        status = file.stat()
    except OSError:
        return {file.resolve()}
    return {file.resolve(), (status.st_dev, status.st_ino)}


def _not_a_socket(path: Path) -> str | None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return _no_folder(path)
    if stat.S_ISSOCK(mode):
        return None
    return f"{path} is {_kind(mode)}, not a socket, and is not touched; name a path where nothing is"


def _not_a_store(path: Path) -> str | None:
    try:
        known = path.stat()
    except OSError:
        return _no_folder(path)
    if not stat.S_ISREG(known.st_mode):
        return f"{path} is {_kind(known.st_mode)}, not a file"
    if known.st_nlink > 1:
        return (
            f"{path} has {known.st_nlink} names (hard links); opened by two of them it would be destroyed:"
            " keep one of them, or copy it by `tpo db backup`"
        )
    return None


def _no_folder(path: Path) -> str | None:
    """Say where the way to a file that is not there yet ends at something that is no folder."""
    above = next((folder for folder in path.parents if os.path.lexists(folder)), None)
    return f"{above} is no folder" if above is not None and not above.is_dir() else None


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISREG, "a file"), (stat.S_ISLNK, "a symbolic link"))
    return next((words for test, words in kinds if test(mode)), "a device, pipe or socket")
