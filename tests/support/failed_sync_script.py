"""A process that commits on a lane, has some syncs fail, goes on and ends by SIGKILL; says on stdout what came of each unit.

`python -m support.failed_sync_script FOLDER HOW_MANY` on the disk of `support.disk`.
"""

import errno
import os
import signal
import sys

from gateway.store.batch import Unit
from gateway.store.errors import StoreError
from gateway.store.tables import marks
from support.disk import FSYNC, Disk
from support.lane_fixture import Workplace


class Mark(Unit):
    """Writes a row."""

    name: str

    def decide(self, batch):
        batch.add(marks, (batch.node.id, self.name, 7))


def main(folder, failing):
    """Commit, fail, commit."""
    place, disk = Workplace(f"sqlite:///{folder}/tpo.db"), Disk.here()
    place.lane.start()
    for number in range(40):
        if number == 10:
            disk.fail(FSYNC, 1, errno.EIO, stays=True)
        if disk.fired >= failing:
            disk.mend()
        try:
            place.lane.run(Mark(f"unit-{number}"))
            outcome = "answered"
        except StoreError as error:
            outcome = type(error).__name__
        sys.stdout.write(f"unit-{number} {outcome}\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
