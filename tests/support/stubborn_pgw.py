"""A PGW that never gives up: sessions of I, U, U, T with 64 requests in flight, each repeated until it is answered.

They come all at once, several times a second: whatever befalls the gateway then finds it at work on many, and between such
moments neither side spends a processor on more of the same. It keeps account of every report, so that afterwards what it used
can be held against what was charged.
"""

import asyncio
import itertools
import time
from contextlib import suppress

from protocols.diameter.codec import (
    FLAG_ERROR,
    FLAG_PROXIABLE,
    FLAG_REQUEST,
    FLAG_RETRANSMIT,
    HEADER_SIZE,
    decode_avps,
    decode_header,
    encode_avp,
    encode_message,
)
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import (
    CapabilitiesExchangeRequest,
    CreditControlAnswer,
    CreditControlRequest,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)

HOST, REALM = "pgw.host.example", "host.example"
INITIAL, UPDATE, TERMINATION = 1, 2, 3
LIFE = (INITIAL, UPDATE, UPDATE, TERMINATION)
RATING_GROUPS = (10, 100)
PATIENCE = 10.0
"""Seconds after which a request is sent again on the same connection."""
PAUSE = 0.05
"""Seconds before a connection, or a request refused as overload, is tried again."""
BEAT = 0.15
"""Seconds from one moment at which all that have nothing in flight ask, to the next one."""
REPEATED = 0.05
"""The part of the answered requests that is sent once more all the same."""
RESULT_CODE, ORIGIN_HOST = 268, 264
TOO_BUSY = encode_avp(RESULT_CODE, (3004).to_bytes(4, "big"))


class StubbornPgw:
    """The load; `run` returns once `end` was called and every session has come to its end."""

    def __init__(self, port, customers, random, *, concurrency=64):
        self.port, self.customers, self.concurrency = port, customers, concurrency
        self._random = random
        self._octets = itertools.count(random.randrange(1000, 9000), 7)  # no two reports are alike
        self._sessions, self._end_to_end = itertools.count(1), itertools.count(random.randrange(1 << 20))
        self._hop_by_hop = itertools.count(1)
        self._waiting = {}
        self._open = asyncio.Event()
        self._writer = None
        self._moved = False
        self._ending = asyncio.Event()
        self.reported = {}
        """(session, rating group) -> octets of each report, once its request was answered with success."""
        self.subscriber_of = {}
        """Session -> the customer's place in the list."""
        self.requests = self.sent = self.retransmissions = self.repeats = self.busy = self.connections = 0
        self.surprises = []
        """Answers that should not have come."""

    def end(self):
        """Begin no more sessions."""
        self._ending.set()

    def go_to(self, other):
        """Have all that is unanswered, and whatever comes, answered by another gateway, under its own name."""
        self.port, self._moved = other.diameter_port, True
        self._writer.transport.abort()

    async def run(self):
        """Work until told to end."""
        link = asyncio.create_task(self._keep_connected())
        workers = [asyncio.create_task(self._work(place)) for place in range(self.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in (link, *workers):
                task.cancel()
            await asyncio.gather(link, *workers, return_exceptions=True)

    async def _work(self, place):
        own = list(range(place, len(self.customers), self.concurrency))
        if place % 2:  # half of them also serve their neighbours' customers: sessions of one wallet overlap
            own += range(place - 1, len(self.customers), self.concurrency)
        while not self._ending.is_set():
            number = next(self._sessions)
            customer = self._random.choice(own)
            session = f"{HOST};{place};{number}"
            self.subscriber_of[session] = customer
            for request_number, request_type in enumerate(LIFE):
                await self._charge(session, customer, request_type, request_number)

    async def _charge(self, session, customer, request_type, number):
        used = {}
        if request_type != INITIAL:
            used = {group: next(self._octets) + self._random.randrange(3) * 1_000_003 for group in RATING_GROUPS}
        body = self._body(session, customer, request_type, number, used)
        end_to_end = next(self._end_to_end) & 0xFFFFFFFF
        await asyncio.sleep(BEAT - time.monotonic() % BEAT)
        self.requests += 1
        answer = await self._insist(body, end_to_end, again=False)
        self._check(answer, request_type, number)
        for group, octets in used.items():
            self.reported.setdefault((session, group), []).append(octets)
        if self._random.random() < REPEATED:
            self.repeats += 1
            repeated = await self._insist(body, end_to_end, again=True)
            if repeated != answer and not (self._moved and _but_for_its_name(repeated) == _but_for_its_name(answer)):
                self.surprises.append(f"{session} {request_type} {number}: a repeat got another answer")

    async def _insist(self, body, end_to_end, *, again):
        """Send until an answer comes; the body of the answer."""
        while True:
            await self._open.wait()
            flags = FLAG_REQUEST | FLAG_PROXIABLE | (FLAG_RETRANSMIT if again else 0)
            hop_by_hop = next(self._hop_by_hop) & 0xFFFFFFFF
            answered = self._waiting[hop_by_hop] = asyncio.get_running_loop().create_future()
            self._writer.write(encode_message(flags, 272, 4, hop_by_hop, end_to_end, body))
            self.sent += 1
            self.retransmissions += again
            again = True
            try:
                answer = await asyncio.wait_for(answered, PATIENCE)
            except (ConnectionError, TimeoutError):
                continue
            finally:
                self._waiting.pop(hop_by_hop, None)
            if not (decode_header(answer).flags & FLAG_ERROR and TOO_BUSY in answer):
                return answer[HEADER_SIZE:]
            self.busy += 1
            await asyncio.sleep(PAUSE)

    def _check(self, body, request_type, number):
        answer = decode(CreditControlAnswer, encode_message(0, 272, 4, 0, 0, body))
        results = [answer.result_code, *(mscc.result_code for mscc in answer.multiple_services_credit_control)]
        told = (answer.cc_request_type, answer.cc_request_number)
        if set(results) != {2001} or len(results) != 3 or told != (request_type, number):
            self.surprises.append(f"{request_type} {number}: {answer}")

    def _body(self, session, customer, request_type, number, used):
        wanted = None if request_type == TERMINATION else RequestedServiceUnit()
        msisdn, imsi = self.customers[customer]
        return encode(
            CreditControlRequest(
                session_id=session.encode(),
                origin_host=HOST,
                origin_realm=REALM,
                destination_realm="tpo.example",
                auth_application_id=4,
                service_context_id="32251@3gpp.org",
                cc_request_type=request_type,
                cc_request_number=number,
                subscription_id=(SubscriptionId(1, imsi), SubscriptionId(0, msisdn)),
                multiple_services_credit_control=tuple(
                    MultipleServicesCreditControl(
                        requested_service_unit=wanted,
                        used_service_unit=(UsedServiceUnit(cc_total_octets=used[group]),) if group in used else (),
                        rating_group=group,
                    )
                    for group in RATING_GROUPS
                ),
            )
        )

    async def _keep_connected(self):
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._one_connection()
            self._open.clear()
            for answered in list(self._waiting.values()):
                if not answered.done():
                    answered.set_exception(ConnectionResetError("the connection is gone"))
            await asyncio.sleep(PAUSE)

    async def _one_connection(self):
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            self._writer.write(_cer())
            while True:
                head = await reader.readexactly(4)
                frame = head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
                self._take(decode_header(frame), frame)
        finally:
            self._writer.close()

    def _take(self, header, frame):
        if header.command_code == 272:
            answered = self._waiting.get(header.hop_by_hop)
            if answered is not None and not answered.done():
                answered.set_result(frame)
        elif header.command_code == 257:
            self.connections += 1
            self._open.set()
        elif header.command_code == 280 and header.request:
            head = encode_avp(RESULT_CODE, (2001).to_bytes(4, "big"))
            origin = encode_avp(264, HOST.encode()) + encode_avp(296, REALM.encode())
            self._writer.write(encode_message(0, 280, 0, header.hop_by_hop, header.end_to_end, head + origin))


def _cer():
    request = CapabilitiesExchangeRequest(
        origin_host=HOST,
        origin_realm=REALM,
        host_ip_address=(b"\0\1\x7f\0\0\1",),
        vendor_id=0,
        product_name="stubborn",
        auth_application_id=(4,),
    )
    return encode_message(FLAG_REQUEST, 257, 0, 1, 1, encode(request))


def _but_for_its_name(body):
    return [avp for avp in decode_avps(body, 0, len(body)) if avp.code != ORIGIN_HOST]
