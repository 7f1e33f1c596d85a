"""What the customers of a simulated operator ask of it beside using their lines, each by the interface that it has."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from gateway.api.answers.lines import AddOnTaken, LineChanged, LineTerms
from gateway.api.answers.orders import OrderTaken
from gateway.api.answers.rows import ChosenCauses, GiftAnswer, UsagePage
from gateway.api.answers.usage import UsageRefunded
from gateway.api.problems import Problem
from gateway.balance.topups import Payment, ToppedUp, TopUp
from gateway.messaging.inbound.deliver_sm import arrival
from gateway.messaging.inbound.mo_delivery import TakeArrival
from gateway.store.batch import Unit
from gateway.store.tables import usage
from gateway.subscribers.identifier_history import MSISDN
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DeliverSm
from simulators.year.clock import Clock, microseconds
from simulators.year.gateway import CUSTOMER_CARE, MAKER, Gateway
from simulators.year.line_events import CustomerAction, CustomerEvent
from simulators.year.lines import Line
from simulators.year.settings_files import BUNDLE, PAYG, SHORT_CODE, CauseTerms

PENCE: Final = 10_000
"""Micro-units."""
POUND: Final = 1_000_000
LINK, CENTRE = "host", "smsc.host.example:2775"
LOOK_BACK: Final = timedelta(days=10)
"""How old the use may be that somebody complains of."""


class Customers:
    """Does what customers ask for; `done` counts it by action, `refused` by action and code."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing done."""
        self._clock = clock
        self._known_use = 0
        self.done: Counter[CustomerAction] = Counter()
        self.refused: Counter[str] = Counter()
        self._number = 0

    def begin_month(self, gateway: Gateway) -> None:
        """Remember which use there was before, so that nobody looks through all of it."""
        self._known_use = gateway.context.read(lambda c: c.scalar(select(func.max(usage.c.id)))) or 0

    async def pay_in(self, gateway: Gateway, events: Sequence[CustomerEvent]) -> None:
        """Book top-ups, all of a slot at once."""
        limit = gateway.context.settings.charging.wallet_limit
        units: list[Unit] = []
        for event in events:
            self._number += 1
            payment = Payment("shop", f"shop-{self._number}", event.amount * POUND, "GBP")
            units.append(TopUp(MSISDN, event.line.msisdn, payment, limit))
        for event, answer in zip(events, await gateway.run_all(units), strict=True):
            if isinstance(answer, ToppedUp):
                self.done[event.action] += 1
            else:
                self.refused[f"{event.action}: {getattr(answer, 'code', type(answer).__name__)}"] += 1

    async def ask(self, gateway: Gateway, event: CustomerEvent, causes: Sequence[CauseTerms]) -> None:
        """Do what one customer asks for; `causes` are those that may be chosen."""
        if event.line.gone:
            return
        self._number += 1
        try:
            await self._ask(gateway, event, causes[self._number % len(causes)])
        except Problem as problem:
            self.refused[f"{event.action}: {problem.code}"] += 1
        else:
            self.done[event.action] += 1

    async def _ask(self, gateway: Gateway, event: CustomerEvent, cause: CauseTerms) -> None:
        line = event.line
        match event.action:
            case CustomerAction.GIVE_BY_TEXT:
                await self._texts(gateway, line, f"GIVE {cause.word} {event.amount}")
                await self._texts(gateway, line, "YES")
            case CustomerAction.GIVE | CustomerAction.GIVE_AND_WITHDRAW:
                await self._give(gateway, event, cause)
            case CustomerAction.CHOOSE:
                told = {"number": line.msisdn, "causes": [cause.id], "channel": "app", "wording": "2025-1"}
                await gateway.ask(CUSTOMER_CARE, "subscriber.cause", ChosenCauses, **told)
            case CustomerAction.CHANGE_PLAN:
                await self._change_plan(gateway, line)
            case CustomerAction.ADD_ON:
                told = {"number": line.msisdn, "add_on": "boost", "reference": f"boost-{self._number}"}
                await gateway.ask(CUSTOMER_CARE, "subscriber.add-on", AddOnTaken, **told)
            case CustomerAction.COMPLAIN:
                await self._complain(gateway, line)
            case CustomerAction.LEAVE:
                await gateway.ask(CUSTOMER_CARE, "sim.terminate", OrderTaken, iccid=line.iccid, reason="moves abroad")
                await gateway.orders_done()
                line.gone = True
            case CustomerAction.PAY_IN:
                await self.pay_in(gateway, [event])

    async def _texts(self, gateway: Gateway, line: Line, words: str) -> None:
        """Send a text to the short code."""
        text = DeliverSm(source_addr=line.msisdn, destination_addr=SHORT_CODE, short_message=words.encode())
        at = self._clock()
        came = arrival(LINK, CENTRE, text, Alphabet.GSM7, came_at=at, bound_at=0, country="GB")
        await gateway.run_all([TakeArrival(came)])

    async def _give(self, gateway: Gateway, event: CustomerEvent, cause: CauseTerms) -> None:
        number = event.line.msisdn
        told = {"number": number, "cause": cause.id, "amount": f"{event.amount}.00", "currency": "GBP"}
        given = await gateway.ask(
            CUSTOMER_CARE, "subscriber.gift", GiftAnswer, **told, reference=f"gift-{self._number}"
        )
        if event.action is CustomerAction.GIVE_AND_WITHDRAW:
            await gateway.ask(CUSTOMER_CARE, "subscriber.gift-withdraw", GiftAnswer, number=number, gift=given.gift.id)

    async def _change_plan(self, gateway: Gateway, line: Line) -> None:
        """Change between pay as you go and the bundle, which is left with the rest of its price given back."""
        plan = PAYG if line.plan == BUNDLE else BUNDLE
        effective = "pro-rata" if line.plan == BUNDLE and not line.has_card else ""
        told = {"number": line.msisdn, "plan": plan, "reason": "as asked by phone", "effective": effective}
        await gateway.ask(CUSTOMER_CARE, "subscriber.plan", LineChanged, **told)
        await gateway.orders_done()
        line.plan = plan
        if plan == BUNDLE and line.renews:
            agreed: dict[str, object] = {"consent": True, "reason": "agreed by phone", "billing_day": 1}
            await gateway.ask(CUSTOMER_CARE, "subscriber.renewal", LineTerms, number=line.msisdn, **agreed)

    async def _complain(self, gateway: Gateway, line: Line) -> None:
        """Have the latest use that cost something given back."""
        since = microseconds(self._clock.moment - LOOK_BACK)
        page = await gateway.ask(
            MAKER, "usage.export", UsagePage, number=line.msisdn, start=since, after=self._known_use
        )
        costly = [row for row in page.rows if float(row.price)]
        if costly:
            told = {"record_id": costly[-1].record_id, "reason": "the call was cut off"}
            await gateway.ask(MAKER, "usage.refund", UsageRefunded, **told)
