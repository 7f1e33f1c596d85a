"""Customers who text: one thing at a time, and each expects one answer."""

import asyncio
from collections import Counter, defaultdict

from sqlalchemy import select

from gateway.store import tables

from .loop import Process

CODE = "70070"
THINGS = ("BALANCE", "TENTH", "CAUSE WWF", "CAUSE WATERAID", "HELP", "GIVE", "GIVE", "GIVE", "STOP", "LONG")
PATIENCE = 40.0
"""Seconds that a customer waits for an answer before he goes on to something else."""
APART = 25.0
"""Seconds between two texts of the same words of one number: sooner, and the second is taken for the first once more. So it may
be later, too, where the gateway or a link began anew in between (docs/decisions/008): then nobody can say what is right."""


class Handsets:
    """All customers who text."""

    def __init__(self, world):
        self.world, self.loop, self.random = world, world.loop, world.chance("handsets")
        self.sent, self.acknowledged, self.unsure = defaultdict(list), Counter(), Counter()
        """By number: the words of each text, how many of them the gateway has acknowledged, and how many of those may be taken
        for an earlier one."""
        self.waiting = {}
        self.open = 0
        self.smsc = None
        self.last = {}
        self.process = Process("handsets")
        for customer in world.customers:
            self.process.run(self.loop.create_task, self._live(customer.msisdn))

    def is_done(self):
        return not self.open

    async def _live(self, number):
        while not self.world.over:
            await asyncio.sleep(self.random.expovariate(1 / 6))
            if self.world.over:
                break
            self.open += 1
            await self._do(number, self.random.choice(THINGS))
            self.open -= 1

    async def _do(self, number, thing):
        match thing:
            case "GIVE":
                cause = self.random.choice(("WATERAID", "WWF", "TRUSSELL"))
                if "YES" in await self._say(number, f"GIVE {cause} {self.random.randint(1, 3)}", for_words="YES"):
                    for words in self.random.choice((("YES",), ("YES",), ("YES", "YES"), ("NO",), ("NO", "YES"))):
                        await self._say(number, words)
            case "STOP":
                await self._say(number, "STOP")
                await self._say(number, "START")
            case "LONG":
                await self._say(number, f"I said {len(self.sent[number])} times: " + "please find me something " * 12)
            case _:
                await self._say(number, thing)

    async def _say(self, number, words, for_words=""):
        """Text, and wait for the answer; gives it, nothing where none came in time."""
        if self.random.random() < 0.6:
            words += "!" * (1 + len(self.sent[number]))  # means the same, and is never taken for an earlier one
        last = self.last.get((number, words))
        if last is not None:
            await asyncio.sleep(max(0.0, last + APART - self.loop.time()))
        answer, taken = self.loop.create_future(), asyncio.Event()
        self.waiting[number] = (for_words, answer)
        self.sent[number].append(words)
        self.world.story.tell("customer", f"{number} texts {words[:30]}")

        def acknowledged():
            self.acknowledged[number] += 1
            if last is not None and self.world.disturbed_between(last, self.loop.time()):
                self.unsure[number] += 1
            self.last[number, words] = self.loop.time()
            taken.set()

        self.smsc.text_in(number, CODE, words, acknowledged)
        await taken.wait()
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer
        except TimeoutError:
            return ""

    def heard(self, heard):
        """A text has reached a handset."""
        self.world.story.tell("customer", f"{heard.number} reads {heard.words[:40]}")
        for_words, answer = self.waiting.get(heard.number, ("", None))
        if heard.source == CODE and answer is not None and not answer.done() and for_words in heard.words:
            answer.set_result(heard.words)

    def check(self, connection):
        """Each text was acted on once: it has one answer, and no YES took two gifts."""
        history, rows = self.world.history, tables.texts
        answers = Counter(
            connection.scalars(select(rows.c.destination).where(rows.c.source == CODE, rows.c.payer.is_(None)))
        )
        numbers = dict(
            connection.execute(
                select(tables.lines.c.subscriber_id, tables.lines.c.value).where(tables.lines.c.kind == "msisdn")
            ).all()
        )
        gifts = Counter(
            numbers[row.debit]
            for row in connection.execute(select(tables.transfers).where(tables.transfers.c.kind == "gift"))
        )
        for number, texts in self.sent.items():
            asked = sum(words.startswith("GIVE") for words in texts)
            if gifts[number] > asked:
                history.breach(f"{number} wanted to give {asked} times, and gave {gifts[number]} times")
            if self.world.clock_stepped:
                continue  # a redelivery is known by the clock
            most, unsure = self.acknowledged[number], self.unsure[number]
            if not most - unsure <= answers[number] <= most + self.smsc.loose[number]:
                history.breach(f"{number} sent {most} texts ({unsure} as before) and got {answers[number]} answers")
