"""The host network of a simulated year: a client of online charging that obeys what it is granted.

Sessions are played in rounds: all that begin, then all that go on, until each has used what it wants or is granted no more.
What a request says is posted as the Diameter server posts it.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

import msgspec

from gateway.charging.credit_control import CreditControlResult, CreditControlUnit
from gateway.charging.outcome import ItemOutcome, Outcome, RequestOutcome
from gateway.charging.request import (
    EVENT,
    INITIAL,
    MICROSECONDS,
    TERMINATION,
    UPDATE,
    ChargingRequest,
    Item,
    Traffic,
    Used,
    usage_digest,
)
from gateway.charity.months import period_of
from simulators.year.clock import microseconds
from simulators.year.gateway import Gateway, Unexpected
from simulators.year.line_events import DATA, SMS, VOICE, Use
from simulators.year.lines import Line
from simulators.year.message_centre import MessageCentre

PEER: Final = "pgw.host.example"
TOO_MUCH: Final = 400_000_000
"""Octets of one report: more than a grant and a slice, and all at once."""
MORE: Final = 4
"""A client that goes beyond a grant reports a quarter more."""


class Session(msgspec.Struct):
    """A session that runs: what it wants, what it has reported, and how many units it was granted last."""

    use: Use
    name: str
    number: int = 0
    used: int = 0
    granted: int = 0

    @property
    def left(self) -> int:
        """What it still wants."""
        return self.use.units - self.used


class Network:
    """Plays use; `reported` sums what was acknowledged, by service and the month of its use."""

    def __init__(self, zone: tzinfo) -> None:
        """Begin with nothing; months are those of a zone."""
        self._zone = zone
        self._sessions = 0
        self.centre = MessageCentre()
        self.reported: Counter[tuple[str, str]] = Counter()
        self.outcomes: Counter[str] = Counter()

    async def play(self, gateway: Gateway, uses: Sequence[Use], now: int) -> None:
        """Let lines use what they want, or are granted."""
        by_app = [use for use in uses if use.by_app]
        self.reported[period_of(now, self._zone), SMS] += await self.centre.take(gateway, by_app, now)
        texts = [self._session(use) for use in uses if use.service == SMS and not use.by_app]
        open_sessions = [self._session(use) for use in uses if use.service != SMS]
        answers = await self._asked(gateway, [(each, EVENT, 0, 1) for each in texts], now)
        for each, answer in zip(texts, answers, strict=True):
            self._note(each, 1 if answer.granted else 0, answer)
        answers = await self._asked(gateway, [(each, INITIAL, 0, 0) for each in open_sessions], now)
        while open_sessions:
            going_on = []
            for each, answer in zip(open_sessions, answers, strict=True):
                each.granted = answer.granted or 0
                if each.granted or each.number:
                    going_on.append(each)
                else:
                    self._note(each, 0, answer)
            answers, open_sessions = await self._reported(gateway, going_on, now)

    async def report_too_much(self, gateway: Gateway, lines: Sequence[Line], at: datetime) -> None:
        """Report what no network can have carried: it is held for somebody to look at."""
        sessions = [self._session(Use(at, line, DATA, TOO_MUCH)) for line in lines]
        now = microseconds(at)
        await self._asked(gateway, [(each, INITIAL, 0, 0) for each in sessions], now)
        for each in sessions:
            each.number = 1
        await self._asked(gateway, [(each, TERMINATION, TOO_MUCH, None) for each in sessions], now)

    async def _reported(
        self, gateway: Gateway, going_on: list[Session], now: int
    ) -> tuple[list[ItemOutcome], list[Session]]:
        """Report what was used of the grants; gives who goes on, with what each was answered."""
        asked = []
        for each in going_on:
            used = min(each.left, each.granted)
            if each.use.beyond and each.granted:
                used += each.granted // MORE
            last = used >= each.left or not each.granted
            each.number += 1
            each.used += used
            asked.append((each, TERMINATION if last else UPDATE, used, None if last else 0))
        answers = await self._asked(gateway, asked, now)
        found = []
        for (each, kind, used, _), answer in zip(asked, answers, strict=True):
            self._note(each, used, answer)
            if kind == UPDATE:
                found.append((answer, each))
        return [answer for answer, _ in found], [each for _, each in found]

    async def _asked(
        self, gateway: Gateway, asked: Sequence[tuple[Session, int, int, int | None]], now: int
    ) -> list[ItemOutcome]:
        answers = await gateway.run_all(CreditControlUnit(_request(*each, now)) for each in asked)
        return [_item(answer) for answer in answers]

    def _session(self, use: Use) -> Session:
        self._sessions += 1
        return Session(use, f"{PEER};{self._sessions};year")

    def _note(self, session: Session, used: int, answer: ItemOutcome) -> None:
        use = session.use
        self.outcomes[answer.code.value] += 1
        self.reported[f"{use.at:%Y-%m}", use.service] += used


def _request(session: Session, kind: int, used: int, wanted: int | None, now: int) -> ChargingRequest:
    use = session.use
    event_at = min(microseconds(use.at), now)
    octets, seconds, texts = (used if use.service == service else 0 for service in (DATA, VOICE, SMS))
    units = Used(octets, seconds, texts)
    reports = kind in (UPDATE, TERMINATION)
    item = Item(100 if use.service == DATA else None, (), (units,) if reports else (), wanted)
    return ChargingRequest(
        session_id=session.name,
        origin_host=PEER,
        peer=PEER,
        request_type=kind,
        request_number=session.number,
        service=use.service,
        event_at=event_at,
        as_of=max(event_at, min(event_at + MICROSECONDS - 1, now)),
        imsi=use.line.imsi,
        msisdn=use.line.msisdn,
        items=(item,),
        digest=usage_digest((item,), kind),
        inconsistent=False,
        traffic=None if use.service == DATA else Traffic.OUTGOING,
        called=use.called,
        network=use.network or "23415",
    )


def _item(answer: object) -> ItemOutcome:
    outcome = answer.outcome if isinstance(answer, CreditControlResult) else None
    if not isinstance(outcome, RequestOutcome):
        raise Unexpected(f"a charging request came to {type(answer).__name__}")
    return outcome.items[0] if outcome.items else ItemOutcome(Outcome(outcome.code), None, ())
