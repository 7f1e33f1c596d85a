"""When a part is sent again that may have been sent: by the policy of its link, until its attempts are used up."""

import pytest

from gateway.messaging.queue.resending import ATTEMPTS, pause_of_doubtful
from gateway.messaging.queue.waiting_parts import LONGEST_PAUSE, pause_after
from gateway.messaging.routing import Route
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.receipts import IdForm

CONFIG = LinkConfig(name="smsc-1", host="smsc.host.example", port=2775, system_id="tpo")


def route(doubtful, wait=300.0, attempts=3):
    return Route(CONFIG, Alphabet.GSM7, IdForm.AUTO, doubtful, wait, attempts=attempts)


@pytest.mark.parametrize(
    ("policy", "attempts", "pause"),
    [
        (route("resend"), 1, pause_after(1)),
        (route("resend"), 2, pause_after(2)),
        (route("resend"), 3, None),
        (route("resend", attempts=1), 1, None),
        (route("wait", wait=60.0), 1, 60.0),
        (route("wait", wait=0.0), 2, pause_after(2)),
        (route("wait", wait=60.0, attempts=9), 8, LONGEST_PAUSE),
        (route("wait"), 3, None),
        (None, 1, pause_after(1)),
        (None, ATTEMPTS, None),
    ],
)
def test_the_pause_follows_the_links_policy_and_ends_with_its_attempts(policy, attempts, pause):
    assert pause_of_doubtful(policy, attempts) == pause
