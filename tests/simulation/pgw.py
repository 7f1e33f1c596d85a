"""A PGW that believes: it opens sessions, reports what its customers used, and goes on asking until it is answered.

What it was answered stays what it believes: the same request again has to be answered the same.
"""

import asyncio

from protocols.diameter.codec import FLAG_ERROR, HEADER_SIZE
from protocols.diameter.generated import decode, encode
from protocols.diameter.identity import NodeIdentity, PeerConfig
from protocols.diameter.inbound import Application
from protocols.diameter.limits import Limits
from protocols.diameter.messages import (
    AbortSessionAnswer,
    CreditControlAnswer,
    CreditControlRequest,
    MultipleServicesCreditControl,
    ReAuthAnswer,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from protocols.diameter.node import Node
from protocols.diameter.outbound import RequestError

from .loop import Process

OCS, PGW, REALM = "ocs.tpo.example", "pgw.host.example", "host.example"
ABORT = 274
"""Abort-Session (RFC 6733 §8.5)."""
SUCCESS = 2001
INITIAL, UPDATE, TERMINATION = 1, 2, 3
RATING_GROUPS = (10, 100, 200)
SLICE = 2_000_000


class Session:
    """A data session, as its PGW sees it: what was granted and not yet reported, by rating group."""

    def __init__(self, session_id, customer, rating_groups):
        self.id, self.customer, self.rating_groups = session_id, customer, rating_groups
        self.imsi, self.aborted = customer.imsi, False
        self.number, self.granted, self.open = 0, {}, False
        self.silent = False
        self.wake = asyncio.Event()


class Pgw:
    """The PGW: one process with a node of the gateway's own protocol, and a model of what it was told."""

    def __init__(self, world):
        self.world, self.loop, self.random = world, world.loop, world.chance("pgw")
        self.history = world.history
        self.process = Process("pgw")
        self.sessions, self.asked, self.running = {}, [], 0
        self.count = 0
        self.node = None
        self.process.run(self.loop.create_task, self._start())

    async def _start(self):
        self.node = Node(
            NodeIdentity(origin_host=PGW, origin_realm=REALM, origin_state_id=1_700_000_000),
            [PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", 3868))],
            {4: Application(self._told, frozenset({258, 274}))},
            limits=Limits(tw=6.0, reconnect_first=0.1, reconnect_last=2.0, connect_deadline=3.0),
            clock=self.loop.time,
            random=self.random.random,
            on_event=lambda _event: None,
            network=self.world.network,
        )
        await self.node.start()
        for customer in (*self.world.customers, *self.world.desk.lines):
            self.loop.create_task(self._live(customer))

    async def _live(self, customer):
        """One session after the other, as long as the world runs; several at once for some."""
        await asyncio.sleep(self.random.uniform(0, 10))
        while not self.world.over:
            await self._session(customer)
            await asyncio.sleep(self.random.expovariate(1 / 8))

    async def _session(self, customer):
        self.count += 1
        self.running += 1
        groups = self.random.sample(RATING_GROUPS, self.random.randint(1, 2))
        session = self.sessions[f"{PGW};{self.count};sim"] = Session(f"{PGW};{self.count};sim", customer, groups)
        session.open = True
        if self.random.random() < 0.9:  # else its beginning was lost with another OCS: it begins with a report
            await self._ask(session, INITIAL, [self._service(group, None, ask=True) for group in groups])
        for _ in range(self.random.randint(0, 5)):
            if self.world.over or session.aborted:
                break
            try:
                async with asyncio.timeout(self.random.expovariate(1 / 6)):
                    await session.wake.wait()
            except TimeoutError:
                pass
            session.wake.clear()
            if session.aborted:
                break
            await self._ask(session, UPDATE, self._report(session, ask=True))
        await self._ask(session, TERMINATION, self._report(session, ask=False))
        session.open = False
        self.running -= 1

    def _report(self, session, *, ask):
        """What was used of each rating group since the last report."""
        services = []
        for group in session.rating_groups:
            granted = session.granted.pop(group, 0)
            used = self.random.choice((0, granted, self.random.randint(0, granted), self.random.randint(0, granted)))
            services.append(self._service(group, used, ask=ask))
        return services

    def _service(self, group, used, *, ask):
        return MultipleServicesCreditControl(
            requested_service_unit=RequestedServiceUnit() if ask else None,
            used_service_unit=() if used is None else (UsedServiceUnit(cc_total_octets=used),),
            rating_group=group,
        )

    async def _ask(self, session, kind, services):
        """Send a request until it is answered for good."""
        message = CreditControlRequest(
            session_id=session.id.encode(),
            origin_host=PGW,
            origin_realm=REALM,
            destination_realm="tpo.example",
            auth_application_id=4,
            service_context_id="32251@3gpp.org",
            cc_request_type=kind,
            cc_request_number=session.number,
            subscription_id=(SubscriptionId(1, session.imsi),),
            multiple_services_credit_control=tuple(services),
        )
        session.number += 1
        used = {each.rating_group: sum(u.cc_total_octets for u in each.used_service_unit) for each in services}
        self.history.asked(session.id, kind, message.cc_request_number, used)
        answer = await self._until_answered(message)
        for given in answer.multiple_services_credit_control:
            if given.granted_service_unit is not None and kind != TERMINATION:
                session.granted[given.rating_group] = given.granted_service_unit.cc_total_octets or 0
        if answer.result_code == SUCCESS:  # what was refused changed nothing, and may be answered otherwise by now
            self.asked.append(message)
        if self.asked and self.random.random() < 0.15:  # its answer was lost on the way to whoever asked the PGW
            await asyncio.sleep(self.random.choice((0.0, 0.5, 4.0)))
            await self._until_answered(self.random.choice(self.asked[-12:]))

    async def _until_answered(self, message):
        while True:
            try:
                header, frame = await self.node.request(
                    OCS, 272, 4, encode(message), self.random.uniform(0.5, 8.0), destination_host=""
                )
            except RequestError as error:
                await asyncio.sleep(self.random.uniform(0.05, 1.0) if error.sent else self.random.uniform(0.2, 2.0))
                continue
            if header.flags & FLAG_ERROR:
                await asyncio.sleep(self.random.uniform(0.1, 2.0))
                continue
            answer = decode(CreditControlAnswer, frame)
            self.history.answered(message, answer, frame[HEADER_SIZE:])
            return answer

    def _told(self, request):
        """RAR and ASR: a session reports, or says that it does not know."""
        session_id = _session_id(request.frame)
        session = self.sessions.get(session_id)
        code = 2002 if session is not None and session.open else 5002
        if session is not None:
            session.aborted = session.aborted or request.header.command_code == ABORT
            self.loop.call_soon(session.wake.set)
        kind = ReAuthAnswer if request.header.command_code == 258 else AbortSessionAnswer
        request.answer(
            encode(kind(session_id=session_id.encode(), origin_host=PGW, origin_realm=REALM, result_code=code))
        )


def _session_id(frame):
    """The first AVP of a message (RFC 6733 §8.8)."""
    length = int.from_bytes(frame[HEADER_SIZE + 5 : HEADER_SIZE + 8], "big")
    return frame[HEADER_SIZE + 8 : HEADER_SIZE + length].decode()
