"""Carry a bulk out: order in chunks at the rate allowed, look how the orders stand, write down what became of each row.

All that has to survive is in the gateway, under the keys of the rows: a run that ends in the middle is begun again from the
top, and finds its orders. Those that an earlier run saw fail are retried, and rows whose order was taken back after a host's no
are ordered again, under a key that names that order.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final

from gateway.api.answers.orders import OrderRowsTaken, OrderRowTaken, OrderStates
from gateway.cli.bulk_rows import Fault, OrderRow
from gateway.cli.client import ActionRefused, Ask, JsonObject
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.follow_order import DONE, OPEN
from gateway.cli.retrying_client import PATIENCE, PAUSE
from gateway.csv_out import CsvOut
from gateway.sims.views import OrderStanding, SimView
from gateway.store.named_files import lines_of, open_named
from gateway.store.private_files import open_private
from protocols.rate_limit import TokenBucket
from provisioning.orders import Kind, OrderState
from provisioning.sim_lifecycle import SimState

CHUNK: Final = 200
"""Orders of one call."""
MAX_OPEN: Final = 1000
"""Orders that may be open at once, and that the gateway tells of in one answer."""
POLL: Final = 0.5
"""Seconds between two looks at the open orders."""
AGAIN: Final = "run the same command again: what was ordered goes on and is found, the rest is ordered"
COLUMNS: Final = ("line", "iccid", "order", "state", "message", "key")
REFUSED: Final = "refused"
"""What stands for a row that became no order."""
PASSING: Final = frozenset(
    {"store.unavailable", "store.outcome_unknown", "store.overloaded", "store.expired", "store.closed"}
)
"""Refusals of a gateway in trouble, or about to end: the row is asked for again, under its key."""
TICK: Final = 0.1
"""Seconds between two calls at a limited rate, so that one call orders several rows."""
ENDED: Final = frozenset({OrderState.FAILED, OrderState.COMPENSATED})
"""How an order ends that may do better now."""
TAKEN_BACK: Final = "a person took the order back; --batch NAME orders it again"
LOST: Final = "lost"
"""What stands for an order that the gateway does not know any more."""


class Results:
    """The results file: a row for each row of the bulk, as soon as it has come to its end."""

    def __init__(self, path: Path, *, go_on: bool) -> None:
        """Begin it anew, or with `go_on` behind the rows that it tells as done: the others are about to be told anew."""
        self._path = path
        begun = go_on and path.exists() and path.stat().st_size > 0
        try:
            done = _done_rows(path) if begun else []
            self.done = frozenset(row["key"] for row in done)
            self._file = open_private(path, "w")
        except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
            what = f"the results file cannot be used: {type(error).__name__}: {error}"
            raise CommandFailed(what, where=str(path), to_do="name another one by --results") from None
        self._out = CsvOut(self._file)
        for row in (dict(zip(COLUMNS, COLUMNS, strict=True)), *done):
            self._write(row[name] for name in COLUMNS)

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fault(self, fault: Fault) -> None:
        """Write down a row that was not even asked for."""
        self._write((fault.line, fault.iccid, "", REFUSED, fault.message, ""))

    def end(self, order_row: OrderRow, order: str, state: str, message: str) -> None:
        """Write down what became of a row."""
        self._write((order_row.line, order_row.iccid, order, state, message, order_row.key))

    def _write(self, row: Iterable[object]) -> None:
        self._out.write(row)
        self._file.flush()


def _done_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows that an earlier run saw done; KeyError for a file of another kind."""
    with io.TextIOWrapper(open_named(path, pipe=False), newline="", encoding="utf-8") as file:
        return [{name: row[name] for name in COLUMNS} for row in csv.DictReader(lines_of(file)) if row["state"] == DONE]


class BulkRun:
    """One run over the rows of a bulk; `ended` counts them by state, `open` are the orders that are not at their end."""

    def __init__(
        self,
        ask: Ask,
        order_rows: Iterable[OrderRow],
        results: Results,
        *,
        rate: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        show: Callable[[BulkRun], None],
    ) -> None:
        """Take the orders a second that are allowed, 0: as fast as it goes; `show` is called after each turn."""
        self._ask, self._results = ask, results
        self._clock, self._sleep, self._show = clock, sleep, show
        self._waiting = deque(order_rows)
        self._bucket = TokenBucket(rate, rate * POLL, clock())
        self._polled_at = clock()
        self._held_since: float | None = None
        self.open: dict[str, OrderRow] = {}
        self.ended: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Rows that are not ordered yet."""
        return len(self._waiting)

    def run(self) -> None:
        """Go on until every row has come to its end."""
        while self._waiting or self.open:
            taken = self._order()
            if self.open and self._clock() >= self._polled_at + POLL:
                self._look()
            self._show(self)
            if not taken and (self._waiting or self.open):
                self._sleep(self._pause())

    def _pause(self) -> float:
        """Return the seconds until there is something to do."""
        now = self._clock()
        next_look = max(0.0, self._polled_at + POLL - now)
        if self._held_since is not None:
            return PAUSE
        if self._waiting and len(self.open) < MAX_OPEN:
            return min(max(TICK, self._bucket.ready_at(now) - now), next_look or POLL)
        return next_look

    def _order(self) -> int:
        """Order as many rows as may be ordered now, and give how many were."""
        room = min(CHUNK, MAX_OPEN - len(self.open), len(self._waiting))
        count = self._bucket.available(self._clock(), room)
        if count <= 0:
            return 0
        order_rows = list(islice(self._waiting, count))
        answers = self._ask(
            "sim.bulk", {"rows": [order_row.params for order_row in order_rows]}, OrderRowsTaken
        ).results
        for _ in order_rows:
            self._waiting.popleft()
        put_off = [order_row for order_row, answer in zip(order_rows, answers, strict=True) if answer.code in PASSING]
        self._waiting.extend(put_off)
        ended: dict[str, OrderRow] = {}
        for order_row, answer in zip(order_rows, answers, strict=True):
            self._bucket.take(self._clock())
            if answer.order is not None and answer.state in ENDED:
                ended[answer.order] = order_row
            elif answer.code not in PASSING:
                self._accepted(order_row, answer)
        if ended:
            self._give_again(ended)
        self._hold(next((answer for answer in answers if answer.code in PASSING), None))
        return count - len(put_off)

    def _hold(self, answer: OrderRowTaken | None) -> None:
        """Bear with a gateway that takes nothing, for a time."""
        if answer is None:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = self._clock()
        elif self._clock() > self._held_since + PATIENCE:
            what = f"the gateway has taken no orders for {PATIENCE:.0f} s: {answer.message}"
            raise CommandFailed(what, to_do=AGAIN, exit_code=ExitCode.UNREACHABLE)

    def _give_again(self, ended: dict[str, OrderRow]) -> None:
        """Have orders that ended before this run tried again: what kept them from being done may be over."""
        for row in self._ask("order.states", {"ids": list(ended)}, OrderStates).rows:
            order_row = ended[row.id]
            if row.state == OrderState.COMPENSATED and row.error:
                self._waiting.append(order_row.after(row.id))
            elif row.state == OrderState.COMPENSATED:
                self._end(order_row, row.id, row.state, TAKEN_BACK)
            else:
                self._retry(order_row, row)

    def _retry(self, order_row: OrderRow, row: OrderStanding) -> None:
        """Let a failed order go on where it stands."""
        try:
            self._ask("order.retry", {"id": row.id}, JsonObject)
        except ActionRefused as refused:
            self._end(order_row, row.id, row.state, f"{_message(row)}; not retried: {refused.problem.detail}")
        else:
            self.open[row.id] = order_row

    def _is_in_service(self, order_row: OrderRow) -> bool:
        """Whether a line stands as its row wants it, by another order than the row's."""
        params = order_row.params
        if params["kind"] != Kind.ACTIVATE:
            return False
        try:
            card = self._ask("sim.show", {"iccid": order_row.iccid}, SimView)
        except ActionRefused:
            return False
        return (card.state, card.msisdn, card.plan) == (SimState.ACTIVE, params["msisdn"], params["plan"])

    def _accepted(self, order_row: OrderRow, answer: OrderRowTaken) -> None:
        if answer.order is None:
            if order_row.given_again and self._is_in_service(order_row):
                self._end(order_row, "", DONE, "in service by another order")
                return
            self._end(order_row, "", REFUSED, f"{answer.code}: {answer.message}")
        elif answer.state == DONE:
            self._end(order_row, answer.order, DONE, "ordered before, under the same key")
        else:
            # One that was ordered before and did not succeed is looked at as well: that tells why.
            self.open[answer.order] = order_row

    def _look(self) -> None:
        """Read how the open orders stand."""
        rows = self._ask("order.states", {"ids": list(self.open)}, OrderStates).rows
        self._polled_at = self._clock()
        known = {row.id for row in rows}
        for row in rows:
            if row.state not in OPEN:
                self._end(self.open.pop(row.id), row.id, row.state, _message(row))
        for order in [order for order in self.open if order not in known]:
            self._end(self.open.pop(order), order, LOST, "the gateway does not know this order any more")

    def _end(self, order_row: OrderRow, order: str, state: str, message: str) -> None:
        self._results.end(order_row, order, state, message)
        self.ended[state] += 1


def _message(row: OrderStanding) -> str:
    """Return why an order ended as it did; a fault that was overcome is not told."""
    return "" if row.state == DONE else row.error or ""
