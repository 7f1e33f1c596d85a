"""A process that charges on a lane whose disk fails at the n-th operation, for every n that there is: what was answered stands
in the store once, what was refused as undone does not stand there, and the lane goes on.

`python -m support.failing_disk_script FOLDER` on the disk of `support.disk`; writes how often what happened, as JSON.
"""

import json
import shutil
import sys
import threading
from collections import Counter
from pathlib import Path

from sqlalchemy import select

from gateway.charging.credit_control import CreditControlUnit
from gateway.store import tables
from gateway.store.errors import OutcomeUnknown, StoreError, StoreUnavailable
from support.charging_fixture import ChargingPlace
from support.disk import ERRORS, KINDS, OPEN, Disk
from support.lane_script import read
from support.patience import PATIENCE

SESSIONS, ROUNDS = 3, 2
BLANK = "blank.db"


def blank(folder):
    """A store with its customer, to be copied for each run."""
    place = ChargingPlace(f"sqlite:///{folder / BLANK}")
    place.lane.start()
    place.enrol(100_000_000)
    place.close()


def charge(place, asked):
    """Put requests through the lane together; gives what came of each: None, or the error."""
    found, left = {}, threading.Semaphore(0)

    def done(one, _answer, error):
        found[one.session_id, one.request_number] = error
        left.release()

    for one in asked:
        place.lane.post(CreditControlUnit(one), lambda answer, error, one=one: done(one, answer, error))
    for _ in asked:
        assert left.acquire(timeout=PATIENCE), "a unit was never answered"
    return found


def stored(place):
    """The requests that stand in the store, as (Session-Id, CC-Request-Number)."""
    kept, sessions = tables.answers, tables.sessions
    rows = place.read(select(sessions.c.session_id, kept.c.request_number).join(kept, kept.c.session == sessions.c.id))
    assert len(rows) == len(set(rows)), "a request stands there twice"
    return {tuple(row) for row in rows}


def run(folder, disk, kind, number, error):
    """One run; gives what happened, or None if there was no n-th operation."""
    store = folder / "run.db"
    for left in folder.glob("run.db*"):
        left.unlink()
    shutil.copyfile(folder / BLANK, store)
    place = ChargingPlace(f"sqlite:///{store}")
    place.lane.start()
    outcomes = {}
    try:
        requests = [
            [read(f"pgw;{session}", round_, next(place.ticks)) for session in range(SESSIONS)]
            for round_ in range(ROUNDS)
        ]
        disk.fail(kind, number, error)
        for asked in requests:
            outcomes |= charge(place, asked)
        fired = disk.fired
        disk.mend()
        if not fired:
            return None
        there = stored(place)
        for key, trouble in outcomes.items():
            assert isinstance(trouble, StoreError | None), trouble
            if trouble is None:
                assert key in there, f"{key} was answered and is not there"
            elif not isinstance(trouble, OutcomeUnknown):
                assert isinstance(trouble, StoreUnavailable), trouble
                assert key not in there, f"{key} was refused as undone, and stands there: {trouble}"
        again = [one for asked in requests for one in asked if outcomes[one.session_id, one.request_number]]
        repeated = charge(place, again)  # as its client does
        assert not any(repeated.values()), repeated
        assert stored(place) == set(outcomes)
        assert place.read(select(tables.usage.c.octets)) == [(1000,)] * SESSIONS
    finally:
        disk.mend()
        place.close()
    return Counter("answered" if trouble is None else type(trouble).__name__ for trouble in outcomes.values())


def main(folder):
    """Go through every kind of operation, every error and every n."""
    disk, told = Disk.here(), {}
    blank(folder)
    for name, kind in KINDS.items():
        for word, error in ERRORS.items():
            total, number = Counter(), 0
            while (found := run(folder, disk, kind, number + 1, error)) is not None:
                number += 1
                total += found
            told[f"{name} {word}"] = {"operations": number, **total}
            assert number or kind == OPEN
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
