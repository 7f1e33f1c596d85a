"""Is the peer alive? The watchdog of one peer: RFC 3539 §3.4 and appendix A, RFC 6733 §5.5.

A `Watchdog` belongs to a peer, not to a connection: a peer that went down and came back is on trial (REOPEN) until it
has answered three watchdogs. Time is an argument, in seconds of any monotonic clock; so is randomness.

The RFC's table stands below row by row, with three departures:

- INITIAL and DOWN have no timer. Their "AttemptOpen" is a question of Tc (RFC 6733 §2.1) and of who dials whom: see
  `peer_table`.
- Nothing is thrown away in REOPEN. The peer's requests are served and its answers used, because a charging client
  that has just come back would otherwise lose the requests that it sends at once. Only our own choice of a peer for a
  request prefers one that is OKAY.
- A peer that left in order (DPR, or a first connection that never opened) starts from INITIAL again: it told us, so
  there is no doubt to dispel.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from protocols.errors import LocalProtocolError

MINIMUM_TW: Final = 6.0
"""RFC 3539 §3.4.1: Tw must not be set lower than six seconds."""
JITTER: Final = 2.0
"""RFC 3539 §3.4.1: each interval is Tw plus or minus two seconds, so that peers don't march in step."""


class WatchdogState(Enum):
    """RFC 3539 §3.4.1, what is known about the peer."""

    INITIAL = "initial"
    OKAY = "okay"
    SUSPECT = "suspect"
    DOWN = "down"
    REOPEN = "reopen"


class Input(Enum):
    """What can happen to a watchdog; the RFC's conditions are part of the name."""

    CONNECTION_UP = auto()
    CONNECTION_DOWN = auto()
    LEFT_IN_ORDER = auto()
    DWA = auto()
    THIRD_DWA = auto()
    """A DWA while NumDWA == 2."""
    NON_DWA = auto()
    TIMER = auto()
    """The timer expires and no DWA is pending."""
    TIMER_PENDING = auto()
    TIMER_PENDING_AGAIN = auto()
    """The timer expires, a DWA is pending and NumDWA < 0: a second interval without an answer in REOPEN."""


class Action(Enum):
    """What the watchdog asks its owner to do."""

    SEND_WATCHDOG = "send a DWR"
    FAILOVER = "send what is pending to another peer"
    FAILBACK = "the peer may be used again"
    CLOSE_CONNECTION = "close the connection"


class _Step(Enum):
    """What a row does to the watchdog's own variables."""

    SET_WATCHDOG = auto()
    STOP_WATCHDOG = auto()
    PENDING = auto()
    NOT_PENDING = auto()
    NUM_DWA_ZERO = auto()
    NUM_DWA_MORE = auto()
    NUM_DWA_MINUS_ONE = auto()


_S, _I, _A = WatchdogState, Input, Action
_SET, _STOP, _PENDING, _ANSWERED = _Step.SET_WATCHDOG, _Step.STOP_WATCHDOG, _Step.PENDING, _Step.NOT_PENDING
_ZERO, _MORE, _MINUS_ONE = _Step.NUM_DWA_ZERO, _Step.NUM_DWA_MORE, _Step.NUM_DWA_MINUS_ONE

TABLE: Final[dict[tuple[WatchdogState, Input], tuple[tuple[_Step | Action, ...], WatchdogState]]] = {
    # state, event                         actions                                    new state
    (_S.INITIAL, _I.CONNECTION_UP): ((_ANSWERED, _SET), _S.OKAY),
    (_S.DOWN, _I.CONNECTION_UP): ((_ZERO, _A.SEND_WATCHDOG, _SET, _PENDING), _S.REOPEN),
    (_S.OKAY, _I.DWA): ((_ANSWERED, _SET), _S.OKAY),
    (_S.OKAY, _I.NON_DWA): ((_SET,), _S.OKAY),
    (_S.SUSPECT, _I.DWA): ((_ANSWERED, _A.FAILBACK, _SET), _S.OKAY),
    (_S.SUSPECT, _I.NON_DWA): ((_A.FAILBACK, _SET), _S.OKAY),
    (_S.REOPEN, _I.DWA): ((_ANSWERED, _MORE), _S.REOPEN),
    (_S.REOPEN, _I.THIRD_DWA): ((_ANSWERED, _MORE, _A.FAILBACK), _S.OKAY),
    (_S.REOPEN, _I.NON_DWA): ((), _S.REOPEN),
    (_S.OKAY, _I.TIMER): ((_A.SEND_WATCHDOG, _SET, _PENDING), _S.OKAY),
    (_S.OKAY, _I.TIMER_PENDING): ((_A.FAILOVER, _SET), _S.SUSPECT),
    (_S.SUSPECT, _I.TIMER): ((_A.CLOSE_CONNECTION, _STOP), _S.DOWN),
    (_S.SUSPECT, _I.TIMER_PENDING): ((_A.CLOSE_CONNECTION, _STOP), _S.DOWN),
    (_S.REOPEN, _I.TIMER): ((_A.SEND_WATCHDOG, _SET, _PENDING), _S.REOPEN),
    (_S.REOPEN, _I.TIMER_PENDING): ((_MINUS_ONE, _SET), _S.REOPEN),
    (_S.REOPEN, _I.TIMER_PENDING_AGAIN): ((_A.CLOSE_CONNECTION, _STOP), _S.DOWN),
    (_S.OKAY, _I.CONNECTION_DOWN): ((_A.FAILOVER, _STOP), _S.DOWN),
    (_S.SUSPECT, _I.CONNECTION_DOWN): ((_STOP,), _S.DOWN),
    (_S.REOPEN, _I.CONNECTION_DOWN): ((_STOP,), _S.DOWN),
    (_S.DOWN, _I.CONNECTION_DOWN): ((), _S.DOWN),
    (_S.INITIAL, _I.CONNECTION_DOWN): ((), _S.INITIAL),
    (_S.OKAY, _I.LEFT_IN_ORDER): ((_STOP,), _S.INITIAL),
    (_S.SUSPECT, _I.LEFT_IN_ORDER): ((_STOP,), _S.INITIAL),
    (_S.REOPEN, _I.LEFT_IN_ORDER): ((_STOP,), _S.INITIAL),
    (_S.DOWN, _I.LEFT_IN_ORDER): ((), _S.INITIAL),
    (_S.INITIAL, _I.LEFT_IN_ORDER): ((), _S.INITIAL),
}
"""RFC 3539 appendix A."""


class Watchdog:
    """The watchdog of one peer; its methods return what its owner must do.

    Args:
        random: returns a float of [0, 1), for the jitter.
        tw: the interval in seconds, at least `MINIMUM_TW`.
    """

    __slots__ = ("_num_dwa", "_pending", "_random", "deadline", "state", "tw")

    def __init__(self, random: Callable[[], float], tw: float = 30.0) -> None:
        if tw < MINIMUM_TW:
            raise LocalProtocolError(f"Tw is {tw} s, less than {MINIMUM_TW} s", "diameter.watchdog.interval")
        self.state = WatchdogState.INITIAL
        self.deadline: float | None = None
        """When `on_timer` wants to be called; None while there is no connection."""
        self.tw = tw
        self._random = random
        self._pending = False
        self._num_dwa = 0

    def connection_up(self, now: float) -> tuple[Action, ...]:
        """The capabilities exchange on a new connection has succeeded."""
        return self._run(Input.CONNECTION_UP, now)

    def connection_down(self, now: float) -> tuple[Action, ...]:
        """The open connection was lost."""
        return self._run(Input.CONNECTION_DOWN, now)

    def left_in_order(self, now: float) -> tuple[Action, ...]:
        """The open connection ended by a DPR of either side."""
        return self._run(Input.LEFT_IN_ORDER, now)

    def received_dwa(self, now: float) -> tuple[Action, ...]:
        """A DWA has come."""
        third = self.state is WatchdogState.REOPEN and self._num_dwa >= 2
        return self._run(Input.THIRD_DWA if third else Input.DWA, now)

    def received(self, now: float) -> tuple[Action, ...]:
        """Anything but a DWA has come; called once for all messages of one read."""
        if self.state is WatchdogState.OKAY:  # the hot path: the table's row is SetWatchdog() alone
            self._set(now)
            return ()
        return self._run(Input.NON_DWA, now)

    def on_timer(self, now: float) -> tuple[Action, ...]:
        """Call when `deadline` has come; earlier calls do nothing."""
        if self.deadline is None or now < self.deadline:
            return ()
        if not self._pending:
            return self._run(Input.TIMER, now)
        again = self.state is WatchdogState.REOPEN and self._num_dwa < 0
        return self._run(Input.TIMER_PENDING_AGAIN if again else Input.TIMER_PENDING, now)

    def _run(self, event: Input, now: float) -> tuple[Action, ...]:
        try:
            steps, self.state = TABLE[self.state, event]
        except KeyError:
            raise LocalProtocolError(f"{event.name} in {self.state.name}", "diameter.watchdog.input") from None
        for step in steps:
            if isinstance(step, _Step):
                self._step(step, now)
        return tuple(step for step in steps if isinstance(step, Action))

    def _step(self, step: _Step, now: float) -> None:
        match step:
            case _Step.SET_WATCHDOG:
                self._set(now)
            case _Step.STOP_WATCHDOG:
                self.deadline = None
            case _Step.PENDING:
                self._pending = True
            case _Step.NOT_PENDING:
                self._pending = False
            case _Step.NUM_DWA_ZERO:
                self._num_dwa = 0
            case _Step.NUM_DWA_MORE:
                self._num_dwa += 1
            case _Step.NUM_DWA_MINUS_ONE:
                self._num_dwa = -1

    def _set(self, now: float) -> None:
        self.deadline = now + self.tw + JITTER * (2.0 * self._random() - 1.0)
