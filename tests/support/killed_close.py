"""Closes a month of a store and kills itself after so many steps: `python -m support.killed_close URL PERIOD STEPS`."""

import os
import signal
import sys

from gateway.billing import close_job
from support.billing_fixture import billing_place


def main(url, period, steps):
    """Begin, or go on; never returns where there are more steps than that."""
    close_job.LINES = 3
    left = [int(steps)]

    def told(_close):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    with billing_place(url) as place:
        place.ticks.now = int(os.environ["TPO_NOW"])
        place.close_month(period, told=told)


if __name__ == "__main__":
    main(*sys.argv[1:])
