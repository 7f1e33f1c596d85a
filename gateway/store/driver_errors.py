"""What a driver's error means: the one place where errors of sqlite3, psycopg and SQLAlchemy become a StoreError.

It decides who is blamed. Trouble of the store is answered with 3004 and comes again; a unit that cannot be stored is refused
alone, with 5012, and never comes again: neither may be taken for the other. The drivers' classes do not tell them apart
(sqlite3 raises a damaged file as the parent class of IntegrityError, psycopg a missing table as ProgrammingError), so the
codes decide: SQLite's result codes (sqlite.org/rescode.html) and PostgreSQL's SQLSTATE (its manual, appendix A).
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InvalidRequestError,
    MultipleResultsFound,
    NoResultFound,
    PendingRollbackError,
    ResourceClosedError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.store.errors import StoreConflict, StoreCorrupt, StoreError, StoreReplaced, StoreUnavailable, UnitPoisoned

PRIMARY: Final = 0xFF
"""The part of an extended result code that is the primary one."""
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DAMAGED_EXTENDED: Final = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS, sqlite3.SQLITE_IOERR_DATA}
_OF_THE_UNIT: Final = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_RANGE,
}
_SCHEMA_WORDS: Final = ("no such table", "no such column", "has no column named", "no such index", "transaction")
"""How SQLITE_ERROR, which alone says little, tells of tables that are gone and of transactions that are not as they were."""
_NO_TEXT: Final = "Could not decode to UTF-8"
"""How the module tells of a value that stands as text, and is none: whoever reads that row fails, and nobody else."""
_STATES_OF_THE_UNIT: Final = ("21", "22", "23", "44", "P0")
"""Classes of SQLSTATE: cardinality, data, integrity constraint, WITH CHECK OPTION, an error raised by a trigger."""
_SYNTAX_STATES: Final = {"42601", "42883", "42804", "42846", "42P18", "42702"}
"""Of class 42 those that a statement brings with itself: syntax, functions and types. The others tell of tables and rights."""
_CONNECTION_STATES: Final = (PendingRollbackError, ResourceClosedError)
_DAMAGED_STATES: Final = {"XX001", "XX002"}


def classify(error: BaseException) -> StoreError:
    """Say what an error means for the store.

    Gives StoreConflict, StoreCorrupt, StoreReplaced or StoreUnavailable where the store is in trouble, and UnitPoisoned where
    the fault is in what was asked of it; a StoreError is given back as it is.
    """
    if isinstance(error, StoreError):
        return error
    if isinstance(error, SQLAlchemyError):
        return _of_sqlalchemy(error)
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    if is_of_psycopg(error):
        return _of_psycopg(error)
    if isinstance(error, MemoryError):
        return StoreUnavailable("out of memory")
    return UnitPoisoned(_told(error))


def is_of_driver(error: BaseException) -> bool:
    """Tell an error of a driver or of SQLAlchemy from one that the program raised itself."""
    return isinstance(error, (SQLAlchemyError, sqlite3.Error)) or is_of_psycopg(error)


def is_of_psycopg(error: BaseException) -> bool:
    """Tell psycopg's errors without importing it: it is there only where PostgreSQL is used."""
    return any(kind.__module__.partition(".")[0] == "psycopg" for kind in type(error).__mro__)


def is_undone(error: BaseException) -> bool:
    """Tell whether a COMMIT that failed by this error is certain to have done nothing.

    A disk without room for the commit's record (SQLITE_FULL), or that fails to take it (SQLITE_IOERR_WRITE: the record is the
    last write of a commit, and counts only whole), a busy file, and a server that answered with an error of its data or
    resources have refused it. Anything else, a failed fsync or a lost connection above all, leaves it open.
    """
    found = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(found, sqlite3.Error):
        code = getattr(found, "sqlite_errorcode", 0) or 0
        refused = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY} | _OF_THE_UNIT
        return code == sqlite3.SQLITE_IOERR_WRITE or code & PRIMARY in refused
    state = getattr(found, "sqlstate", None)
    return isinstance(state, str) and state[:2] in {"22", "23", "40", "53"}


def _of_sqlalchemy(error: SQLAlchemyError) -> StoreError:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return StoreUnavailable(_told(error.orig or error))
    if isinstance(error, StatementError) and error.orig is not None:
        wrapped = isinstance(error.orig, SQLAlchemyError) and not isinstance(error.orig, _CONNECTION_STATES)
        return _of_other(error) if wrapped or not is_of_driver(error.orig) else classify(error.orig)
    if isinstance(error, (NoResultFound, MultipleResultsFound)):
        return UnitPoisoned(_told(error))
    if isinstance(error, (DisconnectionError, PoolTimeout, InvalidRequestError)):
        return StoreUnavailable(_told(error))  # a connection, or its transaction, that is not as it was
    return UnitPoisoned(_told(error))


def _of_other(error: StatementError) -> StoreError:
    """Take what is not the driver's own: a value that cannot be bound. An OSError beneath a driver is the store's trouble."""
    if isinstance(error, DBAPIError):
        return StoreUnavailable(_told(error.orig or error))
    return UnitPoisoned(_told(error.orig or error))


def _of_sqlite(error: sqlite3.Error) -> StoreError:
    code, words = getattr(error, "sqlite_errorcode", None), str(error)
    if code is None:
        return _of_sqlite_module(error)
    if code & PRIMARY in _DAMAGED or code in _DAMAGED_EXTENDED:
        return StoreCorrupt(words)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreReplaced(words)
    if code & PRIMARY in _OF_THE_UNIT:
        return UnitPoisoned(_told(error))
    if code & PRIMARY == sqlite3.SQLITE_ERROR and not any(known in words for known in _SCHEMA_WORDS):
        return UnitPoisoned(_told(error))
    return StoreUnavailable(words)


def _of_sqlite_module(error: sqlite3.Error) -> StoreError:
    """Take what the module raises by itself: a statement with wrong values, text that is none, a connection that was closed."""
    if str(error).startswith(_NO_TEXT):
        return UnitPoisoned(_told(error))
    unit = isinstance(error, (sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.IntegrityError))
    if unit and "closed" not in str(error) and "thread" not in str(error):
        return UnitPoisoned(_told(error))
    return StoreUnavailable(str(error))


def _of_psycopg(error: BaseException) -> StoreError:
    state, kind = getattr(error, "sqlstate", None), {known.__name__ for known in type(error).__mro__}
    if not isinstance(state, str):
        unit = kind & {"DataError", "IntegrityError", "ProgrammingError", "NotSupportedError"}
        return UnitPoisoned(_told(error)) if unit else StoreUnavailable(_first_line(error))
    if state in _DAMAGED_STATES:
        return StoreCorrupt(_first_line(error))
    if state.startswith("40"):
        return StoreConflict(_first_line(error))
    if state[:2] in _STATES_OF_THE_UNIT or state in _SYNTAX_STATES:
        return UnitPoisoned(_told(error))
    return StoreUnavailable(_first_line(error))


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    """Give what may be logged: the further lines of a server repeat the statement and its values."""
    return str(error).partition("\n")[0]
