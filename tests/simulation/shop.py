"""A shop where customers pay in: it sends each payment until it is told that it was booked, under one reference and key."""

import asyncio

from gateway.balance.topups import Payment, ToppedUp, TopUp
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError

from .loop import Process


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
            self.number += 1
            customer = self.random.choice(self.world.customers)
            self.open += 1
            self.world.loop.create_task(self._pay(f"pay-{self.number}", customer, self.random.randint(1, 500) * 10_000))

    async def _pay(self, reference, customer, amount):
        self.history.payments[reference] = (customer.imsi, amount)
        unit = TopUp("msisdn", customer.msisdn, Payment("shop", reference, amount, "GBP"), 10**12, f"key-{reference}")
        times = self.random.choice((1, 1, 1, 2))  # one that is not sure asks again
        while times:
            try:
                booked = await self.world.gateway.ask(lambda gateway: submit(gateway.context.lane, unit))
            except (ConnectionError, TimeoutError, StoreError):
                await asyncio.sleep(self.random.uniform(0.1, 3.0))
                continue
            if not isinstance(booked, ToppedUp):
                self.history.breach(f"top-up {reference} was refused: {booked!r}")
            self.history.paid[reference] = amount
            times -= 1
        self.open -= 1

    def check(self, connection):
        """What `History.check_books` proves is all."""
