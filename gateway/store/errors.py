"""What can go wrong between a unit of work and the disk; each error has a stable code for logs, metrics and API bodies."""

from typing import ClassVar


class StoreError(Exception):
    """Anything that keeps the store from doing what it was asked."""

    code: ClassVar[str] = "store.failed"


class StoreLocked(StoreError):
    """Another process has this store open for writing."""

    code = "store.locked"


class SchemaMismatch(StoreError):
    """The store's tables are older or newer than this version of the gateway."""

    code = "store.schema"


class StoreUnavailable(StoreError):
    """The batch was not committed, for certain, and the fault is not in its units: the disk or the server is in trouble."""

    code = "store.unavailable"


class StoreConflict(StoreUnavailable):
    """The server gave this transaction up for another's sake; run again, it may go through."""

    code = "store.conflict"


class StoreCorrupt(StoreUnavailable):
    """What is on the disk is no longer what was written there."""

    code = "store.corrupt"


class StoreReplaced(StoreUnavailable):
    """Where the store was there is none now, or another one: what is written would not be found again."""

    code = "store.replaced"


class StoreFenced(StoreUnavailable):
    """Another gateway has taken over what this one worked on: it commits nothing any more, and has to end."""

    code = "store.fenced"


class LaneLost(StoreUnavailable):
    """The process of the write lane dies again and again: nothing more is committed, and the gateway has to end."""

    code = "store.lane.lost"


class OutcomeUnknown(StoreError):
    """The commit neither succeeded nor failed for certain; nothing may be answered, the peer has to ask again."""

    code = "store.outcome_unknown"


class UnitPoisoned(StoreError):
    """This unit alone cannot be decided, saved or read, and the fault is its own; its neighbours were committed without it."""

    code = "store.unit_poisoned"


class RowUnknown(UnitPoisoned):
    """A row has a word where one of a few stands, and it is none that this version knows."""

    code = "store.row_unknown"


class LaneOverloaded(StoreError):
    """More units wait than the lane accepts."""

    code = "store.overloaded"


class UnitExpired(StoreError):
    """The unit waited past its deadline and was not started."""

    code = "store.expired"


class LaneClosed(StoreError):
    """The lane has been drained and takes no further units."""

    code = "store.closed"
