"""A process of its own that charges on a lane and says on descriptor 2 when a request is decided and when answered.

Run under strace it shows in which order the disk and the answers came: `python -m support.lane_script URL REQUESTS`.
"""

import os
import sys
import threading
from functools import partial

from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.outcome import Outcome
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlRequest
from support.charging_fixture import INITIAL, UPDATE, ccr, charging_place, service
from support.patience import PATIENCE

SESSIONS = 16


def say(text):
    """One write call, so that it shows in the trace as it stands."""
    os.write(2, f"{text}\n".encode())


class Heard(CreditControlUnit):
    """A charging request that says when it is decided."""

    def decide(self, batch):
        say(f"DECIDED {self.request.session_id} {self.request.request_number}")
        return super().decide(batch)


def read(session, number, now):
    """A charging request of a session, through its real bytes."""
    message = ccr(INITIAL, 0, service(10, ask=0), session=session)
    if number:
        message = ccr(UPDATE, number, service(10, [1000], ask=0), session=session)
    frame = encode_message(FLAG_REQUEST | FLAG_PROXIABLE, 272, 4, 1, 1, encode(message))
    return gy_ccr.read(decode(CreditControlRequest, frame), "pgw.host.example", now, "GB")


def answered(asked, left, answer, error):
    """What the lane calls when the request is done."""
    assert error is None, error
    assert answer.outcome.code is Outcome.SUCCESS
    say(f"ANSWERED {asked.session_id} {asked.request_number}")
    left.release()


def main(url, rounds):
    """Charge `rounds` requests on each of the sessions, a round at a time in flight."""
    with charging_place(url) as place:
        place.enrol(100_000_000)
        place.lane.counters.batches = 0
        say("BEGIN")
        for number in range(rounds):
            left = threading.Semaphore(0)

            for session in range(SESSIONS):
                asked = read(f"pgw;{session}", number, next(place.ticks))
                place.lane.post(Heard(asked), partial(answered, asked, left))
            for _ in range(SESSIONS):
                assert left.acquire(timeout=PATIENCE)
        say(f"END {place.lane.counters.batches}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
