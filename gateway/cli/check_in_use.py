"""`tpo config check` asks the store, if there is one: a file may not lack what customers stand on (balance.standing)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from gateway.balance.still_needed import StillNeeded, check_nothing_needed_goes
from gateway.balance.tax_areas import unknown_areas
from gateway.context import cause_seals_of, key_file
from gateway.privacy.pseudonyms import KeyInvalid
from gateway.settings import Settings, Severity
from gateway.settings.problems import Problem
from gateway.store import schema
from gateway.store.engine import open_reader, reading, sqlite_path
from gateway.store.errors import StoreError

SEALED: Final = "0026"
"""The version of the tables since which the store has choices as this program reads them."""


def problems_in_use(settings: Settings, file: Path) -> list[Problem]:
    """Name what the files lack; one warning where the store cannot be asked, nothing where there is none yet."""
    path = sqlite_path(settings.store.url)
    if path is not None and not path.exists():
        return []
    engine = open_reader(settings.store.connect_url, label="tpo config check")
    try:
        with reading(engine) as connection:
            version = schema.current(connection)
            if version is None or version < SEALED:
                return (
                    []
                    if version is None
                    else [_unasked(file, f"it is at version {version}: `tpo db upgrade` comes first")]
                )
            if settings.privacy.key is None and not key_file(settings).exists():
                return [_unasked(file, f"{key_file(settings)}, the store's key, is not there")]
            now, seals = int(time.time() * 1_000_000), cause_seals_of(settings)
            check_nothing_needed_goes(connection, settings.plans, settings.causes, now, seals)
            return [*_without_area(connection, settings, file)]
    except StillNeeded as needed:
        said = (each.partition(": ") for each in needed.problems)
        return [Problem(str(file), 1, key, message) for key, _, message in said]
    except (StoreError, KeyInvalid, OSError, LookupError) as error:
        return [_unasked(file, str(error))]
    finally:
        engine.dispose()


def _without_area(connection: Connection, settings: Settings, file: Path) -> Iterator[Problem]:
    """Warn of lines to whose prices taxes are added, and of which nobody knows which."""
    for plan, count in sorted(unknown_areas(connection, settings.plans, settings.taxes).items()):
        lines = f"{count} lines are" if count > 1 else "a line is"
        message = f"{plan}: {lines} in no state that taxes names: billed without taxes until `tpo subscriber tax-area`"
        yield Problem(str(file), 1, "plans", message, Severity.WARNING)


def _unasked(file: Path, why: str) -> Problem:
    message = f"the store could not be asked what is in use: {why}"
    return Problem(str(file), 1, "store.url", message, Severity.WARNING)
