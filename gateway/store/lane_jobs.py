"""What goes through the write lane: units as jobs, the batches that they are worked on in, and what is counted of them."""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.store.batch import Unit
from gateway.store.errors import StoreError

Done = Callable[[Any, StoreError | None], None]
"""Called with a unit's answer and None, or with None and what kept it from being done."""


class Job(msgspec.Struct):
    """A unit on its way through the lane; `not_after` is on the lane's monotonic clock."""

    unit: Unit
    done: Done
    not_after: float
    since: float = 0.0
    """When it was posted, or at most a batch before: the lane looks at its clock for each batch, not for each unit."""
    settled: bool = False
    """Whether its outcome is decided: it is in nobody's hands but of whoever delivers it."""
    answer: Any = None
    error: StoreError | None = None
    committing: bool = False
    """Whether its commit has begun: what becomes of it is not known before that is on the disk."""


class BatchTimes(msgspec.Struct, frozen=True):
    """How many seconds the parts of one batch took: its oldest unit's wait, and what followed one after the other."""

    units: int
    kind: str
    """Which kind of unit its first one is."""
    waiting: float
    loading: float
    deciding: float
    saving: float
    committing: float
    """Until it was on the disk."""


class Flight(msgspec.Struct):
    """The batch that the lane works on: since when, and all its jobs; whether its transaction has come to the commit."""

    began: float
    jobs: list[Job]
    committing: bool = False
    interrupted: bool = False
    readers: list[Job] = []
    """Those who may have seen what it commits."""


class Committed(msgspec.Struct):
    """A transaction that is committed: since when its batch was worked on, and what is due when it is on the disk."""

    began: float
    jobs: list[Job]
    times: BatchTimes
    saved: float
    lease_asked: float
    readers: list[Job] = []


def nothing_but(readers: list[Job], now: float) -> Committed:
    """Give what is synced for readers' sake alone: others may have committed what they read."""
    return Committed(now, [], BatchTimes(0, "", 0.0, 0.0, 0.0, 0.0, 0.0), now, float("-inf"), readers)


class LaneCounters(msgspec.Struct):
    """What the lane did since it started."""

    batches: int = 0
    units: int = 0
    poisoned: int = 0
    expired: int = 0
    failed_batches: int = 0
    unknown: int = 0
    """Batches whose commit may have gone through, or did, and of which not everybody was told."""
    restarts: int = 0
    """How often its process was started anew, where it has one of its own."""


def ended(job: Job, error: StoreError) -> Job:
    """Give a job to be delivered in place of one that the lane's thread may still write to."""
    job.settled = True
    return Job(job.unit, job.done, job.not_after, job.since, settled=True, error=error)


def split(jobs: deque[Job], now: float, posted_before: float) -> tuple[list[Job], deque[Job]]:
    """Part those whose time is over, or that were posted before a moment, from the others."""
    over = [job for job in jobs if job.not_after < now or job.since < posted_before]
    return over, deque(job for job in jobs if job.not_after >= now and job.since >= posted_before) if over else jobs


def settle(jobs: list[Job], error: StoreError | None) -> list[Job]:
    """Settle those that nobody settled meanwhile, and give them: with their answers, or this error; under the lock."""
    settled = [job for job in jobs if not job.settled]
    for job in settled:
        job.settled = True
        if error is not None:
            job.answer, job.error = None, error
    return settled
