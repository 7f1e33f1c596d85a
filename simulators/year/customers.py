"""What the customers of a simulated operator ask of it beside using their lines, each by the door that it has."""

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
from simulators.year.diary import Deed, Wish
from simulators.year.gateway import DESK, MAKER, Gateway
from simulators.year.lines import Line
from simulators.year.settings_files import BUNDLE, PAYG, SHORT_CODE, CauseTerms

PENCE: Final = 10_000
"""Micro-units."""
POUND: Final = 1_000_000
LINK, CENTRE = "host", "smsc.host.example:2775"
LOOK_BACK: Final = timedelta(days=10)
"""How old the use may be that somebody complains of."""


class Customers:
    """Does what customers wish; `done` counts it by wish, `refused` by wish and code."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing done."""
        self._clock = clock
        self._known_use = 0
        self.done: Counter[Wish] = Counter()
        self.refused: Counter[str] = Counter()
        self._number = 0

    def begin_month(self, gateway: Gateway) -> None:
        """Remember which use there was before, so that nobody looks through all of it."""
        self._known_use = gateway.context.read(lambda c: c.scalar(select(func.max(usage.c.id)))) or 0

    async def pay_in(self, gateway: Gateway, deeds: Sequence[Deed]) -> None:
        """Book top-ups, all of a slot at once."""
        limit = gateway.context.settings.charging.wallet_limit
        units: list[Unit] = []
        for deed in deeds:
            self._number += 1
            payment = Payment("shop", f"shop-{self._number}", deed.amount * POUND, "GBP")
            units.append(TopUp(MSISDN, deed.line.msisdn, payment, limit))
        for deed, answer in zip(deeds, await gateway.run_all(units), strict=True):
            if isinstance(answer, ToppedUp):
                self.done[deed.wish] += 1
            else:
                self.refused[f"{deed.wish}: {getattr(answer, 'code', type(answer).__name__)}"] += 1

    async def ask(self, gateway: Gateway, deed: Deed, causes: Sequence[CauseTerms]) -> None:
        """Do what one customer wishes; `causes` are those that may be chosen."""
        if deed.line.gone:
            return
        self._number += 1
        try:
            await self._ask(gateway, deed, causes[self._number % len(causes)])
        except Problem as problem:
            self.refused[f"{deed.wish}: {problem.code}"] += 1
        else:
            self.done[deed.wish] += 1

    async def _ask(self, gateway: Gateway, deed: Deed, cause: CauseTerms) -> None:
        line = deed.line
        match deed.wish:
            case Wish.GIVE_BY_TEXT:
                await self._texts(gateway, line, f"GIVE {cause.word} {deed.amount}")
                await self._texts(gateway, line, "YES")
            case Wish.GIVE | Wish.GIVE_AND_WITHDRAW:
                await self._give(gateway, deed, cause)
            case Wish.CHOOSE:
                told = {"number": line.msisdn, "causes": [cause.id], "channel": "app", "wording": "2025-1"}
                await gateway.ask(DESK, "subscriber.cause", ChosenCauses, **told)
            case Wish.CHANGE_PLAN:
                await self._change_plan(gateway, line)
            case Wish.ADD_ON:
                told = {"number": line.msisdn, "add_on": "boost", "reference": f"boost-{self._number}"}
                await gateway.ask(DESK, "subscriber.add-on", AddOnTaken, **told)
            case Wish.COMPLAIN:
                await self._complain(gateway, line)
            case Wish.LEAVE:
                await gateway.ask(DESK, "sim.terminate", OrderTaken, iccid=line.iccid, reason="moves abroad")
                await gateway.orders_done()
                line.gone = True
            case Wish.PAY_IN:
                await self.pay_in(gateway, [deed])

    async def _texts(self, gateway: Gateway, line: Line, words: str) -> None:
        """Send a text to the short code."""
        text = DeliverSm(source_addr=line.msisdn, destination_addr=SHORT_CODE, short_message=words.encode())
        at = self._clock()
        came = arrival(LINK, CENTRE, text, Alphabet.GSM7, came_at=at, bound_at=0, country="GB")
        await gateway.run_all([TakeArrival(came)])

    async def _give(self, gateway: Gateway, deed: Deed, cause: CauseTerms) -> None:
        number = deed.line.msisdn
        told = {"number": number, "cause": cause.id, "amount": f"{deed.amount}.00", "currency": "GBP"}
        given = await gateway.ask(DESK, "subscriber.gift", GiftAnswer, **told, reference=f"gift-{self._number}")
        if deed.wish is Wish.GIVE_AND_WITHDRAW:
            await gateway.ask(DESK, "subscriber.gift-withdraw", GiftAnswer, number=number, gift=given.gift.id)

    async def _change_plan(self, gateway: Gateway, line: Line) -> None:
        """Change between pay as you go and the bundle, which is left with the rest of its price given back."""
        plan = PAYG if line.plan == BUNDLE else BUNDLE
        effective = "pro-rata" if line.plan == BUNDLE and not line.has_card else ""
        told = {"number": line.msisdn, "plan": plan, "reason": "as asked by phone", "effective": effective}
        await gateway.ask(DESK, "subscriber.plan", LineChanged, **told)
        await gateway.orders_done()
        line.plan = plan
        if plan == BUNDLE and line.renews:
            agreed: dict[str, object] = {"consent": True, "reason": "agreed by phone", "billing_day": 1}
            await gateway.ask(DESK, "subscriber.renewal", LineTerms, number=line.msisdn, **agreed)

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
