"""Ask a gateway that may be restarting: once it has answered, a silence of up to a minute is waited out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from gateway.cli.client import ActionRefused, Answer, DaemonUnreachable, call
from gateway.cli.output import complain
from gateway.settings import Settings

PATIENCE: Final = 60.0
"""Seconds without an answer until the command gives up."""
PAUSE: Final = 1.0


class RetryingClient:
    """Runs actions in the gateway. Whatever is asked may be asked twice: it reads, or has an idempotency key.

    `again` is what to do if the gateway stays away, for the error (DaemonUnreachable, exit code 69).
    """

    def __init__(
        self,
        settings: Settings,
        again: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings, self._again, self._clock, self._sleep = settings, again, clock, sleep
        self._answered = False

    def __call__(self, action: str, params: Mapping[str, object], kind: type[Answer]) -> Answer:
        """Run an action; the first one of all is not waited for."""
        give_up = None
        while True:
            try:
                answer = call(self._settings, action, params, kind)
            except (DaemonUnreachable, ActionRefused) as error:
                if not self._answered or not _passes(error):
                    raise
                if give_up is None:
                    complain("tpo: the gateway does not answer; waiting for it")
                    give_up = self._clock() + PATIENCE
                elif self._clock() > give_up:
                    what = f"the gateway has been away for {PATIENCE:.0f} s: {error.what}"
                    raise DaemonUnreachable(what, where=error.where, to_do=self._again) from None
                self._sleep(PAUSE)
            else:
                if give_up is not None:
                    complain("tpo: the gateway is back")
                self._answered = True
                return answer


def _passes(error: DaemonUnreachable | ActionRefused) -> bool:
    """Return whether this is a gateway that is away or ending, and not one that says no."""
    return isinstance(error, DaemonUnreachable) or error.problem.status == HTTPStatus.SERVICE_UNAVAILABLE
