"""Sending parts again: the pauses before that, and what is done with parts that may have been sent or not."""

from collections.abc import Callable, Collection

from gateway.messaging.links import LinkSet
from gateway.messaging.queue.mt_status import SubmitOutcome
from gateway.messaging.queue.outcome_writer import OutcomeWriter
from gateway.messaging.queue.waiting_parts import Waiting, pause_after
from gateway.messaging.routing import Route
from gateway.messaging.text_events import GivenUp
from gateway.messaging.texts import Step

NO_ANSWER = "no answer of the SMSC"
ATTEMPTS = 3
"""How often a part is sent without an answer whose link is no longer there."""


def pause_of_doubtful(route: Route | None, attempts: int) -> float | None:
    """Return the seconds until a part that was sent so often without an answer is sent again; None if it is no more.

    The link's policy decides; a link that is gone (None) had the policy to resend.
    """
    if attempts >= (route.attempts if route is not None else ATTEMPTS):
        return None
    least = route.wait if route is not None and route.doubtful == "wait" else 0.0
    return max(pause_after(attempts), least)


class Resending:
    """The parts that pause before they are sent again."""

    def __init__(self, links: LinkSet, outcomes: OutcomeWriter, on_event: Callable[[GivenUp], None]) -> None:
        """Take the links, who writes outcomes down, and who hears of a part that was sent as often as may be."""
        self._links, self._outcomes, self._on_event = links, outcomes, on_event
        self._paused: dict[tuple[int, int], Waiting] = {}

    @property
    def paused(self) -> Collection[tuple[int, int]]:
        """The parts that pause."""
        return self._paused.keys()

    def put_off(self, waiting: Waiting, link: str, error: str) -> None:
        """Pause a part that the SMSC wants later, longer each time, and have it written down that it waits."""
        waiting.put_off += 1
        waiting.refused_by.clear()
        self._pause(waiting, link, pause_after(waiting.put_off), error)
        self._outcomes.record(SubmitOutcome(*waiting.key, link, Step.WAITING, error=error, refused=True))

    def doubt(self, waiting: Waiting, link: str, left: bool = False) -> None:  # noqa: FBT001, FBT002  (a callback's shape)
        """Decide on a part that may have been sent or not, by the policy of its link.

        It is sent again after a pause, longer each time, until the link's attempts are used up. `left`: it was found so at
        the start, and is told of no more.
        """
        found = self._links.get(link)
        route = found.route if found is not None else None
        self._doubtful(waiting, link, Step.DOUBTFUL)
        if route is not None and route.doubtful == "fail":
            self._doubtful(waiting, link, Step.FAILED)
            return
        pause = pause_of_doubtful(route, waiting.attempts)
        if pause is not None:
            self._pause(waiting, link, pause, "sent again")
        elif not left:
            self._on_event(GivenUp(link, *waiting.key, waiting.attempts, Step.DOUBTFUL))

    def _doubtful(self, waiting: Waiting, link: str, step: Step) -> None:
        self._outcomes.record(SubmitOutcome(*waiting.key, link, step, error=NO_ANSWER))

    def _pause(self, waiting: Waiting, link: str, seconds: float, error: str) -> None:
        """Send a part again after so many seconds, unless something else becomes of it meanwhile."""
        smsc_link = self._links.get(link)
        if smsc_link is not None:
            smsc_link.begin_pause()

        def over() -> None:
            self._paused.pop(waiting.key, None)
            if smsc_link is not None:
                smsc_link.end_pause()

        waiting.pause(seconds, lambda: self._outcomes.send_again(waiting, link, error), over)
        self._paused[waiting.key] = waiting
