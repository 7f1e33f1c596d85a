"""One of the company's systems that sends texts by HTTP: each request again, with its references, until it is answered."""

import asyncio
from collections import Counter, defaultdict
from http import HTTPStatus
from itertools import pairwise

import msgspec
from sqlalchemy import select

from gateway.api.conversion import to_request
from gateway.api.problems import Problem
from gateway.api.requests.texts import SendText
from gateway.messaging.texts import Step, TextPart, TextState
from gateway.store import tables
from gateway.store.errors import StoreError
from protocols.smpp.receipts import MessageState

from .loop import Process
from .smsc import LATE, LATER, TAKEN, TAKES, THROTTLED, UNANSWERED

REFUSALS = {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
FINAL = {str(state) for state in (TextState.DELIVERED, TextState.FAILED, TextState.EXPIRED, TextState.CANCELLED)}
ATTEMPTS = 3
"""How often the gateway sends a part that is not answered (smpp.links.attempts)."""


class TextSender:
    """A client of the HTTP interface."""

    def __init__(self, world, smsc):
        self.world, self.random, self.smsc = world, world.chance("text sender"), smsc
        self.count = self.open = 0
        self.taken, self.words = {}, {}
        """By reference: the id that was told, and the words."""
        self.process = Process("text sender")
        self.process.run(world.loop.create_task, self._work())

    def is_done(self):
        """Whether all requests are answered, and all texts have come to their end, or to nothing more that can be done."""
        waits = select(tables.texts).where(tables.texts.c.final == 0)
        open_texts = self.world.gateway.look(lambda connection: connection.execute(waits).all())
        return not self.open and all(map(_is_given_up, open_texts))

    async def _work(self):
        while not self.world.over:
            await asyncio.sleep(self.random.expovariate(1 / 3))
            if self.world.over:
                break
            self.open += 1
            self.world.loop.create_task(self._send([self._text() for _ in range(self.random.choice((1, 1, 1, 3)))]))

    def _text(self):
        self.count += 1
        reference = f"text-{self.count}"
        self.words[reference] = " ".join([f"{reference}."] * self.random.choice((1, 1, 1, 30)))
        customers = self.world.customers
        return {
            "from": self.random.choice(("TPO", "70099", self.random.choice(customers).msisdn)),
            "to": self.random.choice(customers).msisdn,
            "text": self.words[reference],
            "reference": reference,
        }

    async def _send(self, texts):
        given = [to_request(text, SendText, "text") for text in texts]
        times = self.random.choice((1, 1, 1, 2))
        while times:
            try:
                taken = await self.world.gateway.ask(lambda gateway: gateway.sms.send("shop", given))
            except (ConnectionError, TimeoutError, StoreError):
                await asyncio.sleep(self.random.uniform(0.1, 3.0))
                continue
            except Problem as problem:
                if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    await asyncio.sleep(1.0)
                    continue
                if problem.status in REFUSALS and not any(text["reference"] in self.taken for text in texts):
                    break
                self.world.broken(f"texts {[text['reference'] for text in texts]} were refused: {problem}")
                break
            for one in taken.messages:
                if self.taken.setdefault(one.reference, one.id) != one.id:
                    self.world.broken(f"{one.reference} was taken as {self.taken[one.reference]}, and as {one.id}")
            times -= 1
        self.open -= 1

    def check(self, connection):
        """Each text that was taken came to its end, and reached the message centre as often as it had to."""
        rows = {row.id: row for row in connection.execute(select(tables.texts))}
        parts = defaultdict(list)
        for (number, octets), submissions in self.smsc.submissions.items():
            for reference in _references(octets):
                parts[number, reference].append(submissions)
        for reference, text_id in sorted(self.taken.items()):
            row = rows.get(int(text_id))
            if row is None:
                self.world.broken(f"{reference} was taken as {text_id}, and is not there")
            else:
                self._check_text(reference, row, parts[row.destination, reference])
        self._check_events(rows)

    def _check_events(self, rows):
        """Whatever came to its end is told of once, by the state that it has."""
        told = Counter(
            (int(event["data"]["id"]), topic.removeprefix("sms/"))
            for topic, body in self.world.broker.order
            if topic.removeprefix("sms/") in FINAL
            for event in (msgspec.json.decode(body),)
        )
        wanted = Counter((row.id, row.state) for row in rows.values() if row.final)
        for text_id, state in sorted((told - wanted) + (wanted - told)):
            self.world.history.breach(f"text {text_id} is {state}, and was told of {told[text_id, state]} times")

    def _check_text(self, reference, row, parts):
        breach = self.world.history.breach
        states = {submission.state for submissions in parts for submission in submissions}
        match row.state:
            case TextState.DELIVERED:
                if MessageState.DELIVERED not in states:
                    breach(f"{reference} is delivered, and no handset has it")
            case TextState.FAILED | TextState.EXPIRED:
                pass
            case TextState.DOUBTFUL if _is_given_up(row):
                pass
            case _:
                breach(f"{reference} has not come to its end: it is {row.state}")
        for part in parts:
            self._check_repeats(reference, part)
        twice = any(before.fate in TAKES for part in parts for before in part[:-1])
        if twice and not any(part.maybe_double for part in _parts(row)):
            breach(f"{reference} went out again after the message centre had it, and is not marked as possibly double")

    def _check_repeats(self, reference, part):
        """A part that was taken and answered goes out again only where that may not have been known."""
        for before, after in pairwise(part):
            excused = (
                before.fate in (THROTTLED, LATER, UNANSWERED, LATE)
                or before.life != after.life
                or self.world.disturbed_between(before.at, after.at)
            )
            if before.fate == TAKEN and not excused:
                self.world.broken(f"{reference} was taken at {before.at:.3f} and sent again at {after.at:.3f}")


def _is_given_up(row):
    """Whether a part was sent as often as may be, and never answered: then it waits for a receipt, or its end."""
    return any(part.step is Step.DOUBTFUL and part.attempts >= ATTEMPTS for part in _parts(row))


def _parts(row):
    return msgspec.msgpack.decode(row.parts, type=list[TextPart])


def _references(octets):
    """The references that an unpacked part names: digits and letters of the GSM alphabet are those of ASCII."""
    words = octets.decode("latin-1").split()
    return {word[:-1] for word in words if word.startswith("text-") and word.endswith(".")}
