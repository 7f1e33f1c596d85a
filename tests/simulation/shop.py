"""A shop where customers pay in: it sends each payment until it is told that it was booked, under one reference and key."""

import asyncio
from http import HTTPStatus

from gateway.api.callers import Caller
from gateway.api.problems import Problem
from gateway.api.requests.subscribers import TopUpSubscriber
from gateway.ledger.money import format_amount
from gateway.store.errors import StoreError

from .loop import Process

CALLER = Caller("shop", "operator", channel="shop")


class Shop:
    """One that never gives up."""

    def __init__(self, world):
        self.world, self.random = world, world.chance("shop")
        self.history, self.open, self.number = world.history, 0, 0
        self.process = Process("shop")
        self.process.run(world.loop.create_task, self._trade())

    def is_done(self):
        return not self.open

    async def _trade(self):
        while not self.world.over:
            await asyncio.sleep(self.random.expovariate(1 / 3))
            if self.world.over:
                break
            self.number += 1
            customer = self.random.choice(self.world.customers)
            self.open += 1
            self.world.loop.create_task(self._pay(f"pay-{self.number}", customer, self.random.randint(1, 500) * 10_000))

    async def _pay(self, reference, customer, amount):
        self.history.payments[reference] = (customer.imsi, amount)
        request = TopUpSubscriber(customer.msisdn, format_amount(amount, "GBP"), "GBP", reference, f"key-{reference}")
        times = self.random.choice((1, 1, 1, 2))  # one that is not sure asks again
        while times:
            try:
                await self.world.gateway.ask(lambda gateway: gateway.spending.top_up(request, CALLER))
            except (ConnectionError, TimeoutError, StoreError):
                await asyncio.sleep(self.random.uniform(0.1, 3.0))
                continue
            except Problem as problem:
                if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    await asyncio.sleep(1.0)
                    continue
                self.history.breach(f"top-up {reference} was refused: {problem}")
                break
            self.history.paid[reference] = amount
            times -= 1
        self.open -= 1

    def check(self, connection):
        """What `History.check_books` proves is all."""
