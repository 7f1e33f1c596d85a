"""Writing down what became of parts: gathered through one turn of the loop, kept where the store cannot take them yet."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence

from gateway.messaging.lane_client import LaneClient
from gateway.messaging.queue.mt_status import RecordOutcomes, SubmitOutcome
from gateway.messaging.queue.waiting_parts import Waiting
from gateway.messaging.texts import Step

RETRY_SECONDS = 5.0
"""How long an outcome waits that the store could not take."""


class OutcomeWriter:
    """Hands the outcomes of parts to the lane. A part that is to be sent again is given back once that is written down."""

    def __init__(
        self,
        lane: LaneClient,
        *,
        on_again: Callable[[Waiting], None],
        on_written: Callable[[], None],
    ) -> None:
        """Take the lane; `on_again` takes a part back, `on_written` ends each batch."""
        self._lane = lane
        self._on_again, self._on_written = on_again, on_written
        self._outcomes: list[SubmitOutcome] = []
        self._held: deque[list[SubmitOutcome]] = deque()
        self._in_lane: dict[tuple[int, int], list[SubmitOutcome]] = {}
        """What came of a part since news of it was handed to the lane: it follows once that is written down."""
        self._again: dict[tuple[int, int], Waiting] = {}

    @property
    def unwritten(self) -> int:
        """How many outcomes are not with the lane yet."""
        return len(self._outcomes) + sum(map(len, self._held)) + sum(map(len, self._followers()))

    @property
    def again(self) -> Collection[tuple[int, int]]:
        """The parts that are given back once it is written down that they wait."""
        return self._again.keys()

    def record(self, outcome: SubmitOutcome) -> None:
        """Have an outcome written down."""
        self._outcomes.append(outcome)
        self._lane.flush_soon()

    def send_again(self, waiting: Waiting, link: str, error: str = "", *, refused: bool = False) -> None:
        """Have it written down that a part waits, and give it back then; `refused` by the SMSC, for now."""
        self._again[waiting.key] = waiting
        self.record(SubmitOutcome(*waiting.key, link, Step.WAITING, error=error, refused=refused))

    def send_again_later(self, parts: Sequence[tuple[Waiting, str]]) -> None:
        """Do so for parts, each with its link, when the store may be well again."""
        self._again.update((waiting.key, waiting) for waiting, _ in parts)
        self._hold([SubmitOutcome(*waiting.key, link, Step.WAITING) for waiting, link in parts])

    def flush(self) -> None:
        """Hand to the lane what has gathered."""
        outcomes, self._outcomes = self._behind_earlier(self._outcomes), []
        if not outcomes:
            return
        keys, followers = {(outcome.text_id, outcome.part) for outcome in outcomes}, list[SubmitOutcome]()
        self._in_lane.update(dict.fromkeys(keys, followers))

        def written(_: object) -> None:
            self._leave_lane(keys, followers)
            if followers:  # before the part is given back: it may have come to its end
                self._outcomes = followers + self._outcomes
                self.flush()
            self._written(outcomes)

        def failed() -> None:
            self._leave_lane(keys, followers)
            self._hold(outcomes + followers)

        self._lane.post(RecordOutcomes(outcomes), written, failed)

    def _leave_lane(self, keys: Collection[tuple[int, int]], followers: list[SubmitOutcome]) -> None:
        for key in keys:
            if self._in_lane.get(key) is followers:
                del self._in_lane[key]

    def _followers(self) -> Collection[list[SubmitOutcome]]:
        return {id(followers): followers for followers in self._in_lane.values() if followers}.values()

    def _behind_earlier(self, outcomes: list[SubmitOutcome]) -> list[SubmitOutcome]:
        """Leave news of a part behind earlier news of it that is not written down yet; gives the rest.

        Two batches on their way at once might overtake each other: the first fails, the second does not.
        """
        earlier = {(held.text_id, held.part): batch for batch in self._held for held in batch}
        rest: list[SubmitOutcome] = []
        for outcome in outcomes:
            key = outcome.text_id, outcome.part
            behind = earlier.get(key)
            (self._in_lane.get(key, rest) if behind is None else behind).append(outcome)
        return rest

    def release(self) -> None:
        """Gather again what the store could not take: it is the last chance to write it down."""
        for outcomes in (*reversed(self._held), *self._followers()):
            self._outcomes = outcomes + self._outcomes
            outcomes.clear()
        self._held.clear()
        self._in_lane.clear()

    def _written(self, outcomes: Sequence[SubmitOutcome]) -> None:
        """Give back what is to be sent again; the first of them comes to stand first."""
        for outcome in reversed(outcomes):
            if outcome.step is Step.WAITING:
                waiting = self._again.pop((outcome.text_id, outcome.part), None)
                if waiting is not None:
                    self._on_again(waiting)
        self._on_written()

    def _hold(self, outcomes: list[SubmitOutcome]) -> None:
        self._held.append(outcomes)
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        if self._held:
            self._outcomes = self._held.popleft() + self._outcomes
            self._lane.flush_soon()
