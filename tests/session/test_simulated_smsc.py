"""The simulated message centre: its rules as objects, and the centre itself with an ESME of ours on loopback."""

import asyncio
import json
import signal
import sys
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from support.patience import PATIENCE

from protocols.smpp.client import Link, LinkConfig
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubtful, Responded
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, QuerySm, SubmitSm
from protocols.smpp.node_events import LinkRefused, LinkUp
from protocols.smpp.receipts import IdForm, MessageState, is_receipt, parse_receipt, stored_id
from protocols.smpp.text import encode_text
from simulators.fault_rates import FaultsUnreadable, Shares
from simulators.handsets import AnswersUnreadable, Handsets, read_answers
from simulators.smsc import Smsc
from simulators.smsc_faults import SmscFault, SmscFaults, read_smsc_faults

CUSTOMER, CODE = "447700900101", "70070"


def submit(words="Thank you", **fields):
    given = {"short_message": words.encode(), "registered_delivery": 1} | fields
    return SubmitSm(source_addr=CODE, destination_addr=CUSTOMER, **given)


class Esme:
    """What one ESME heard: results by context, texts in and receipts."""

    def __init__(self, port, *, limits=None, status=0, **options):
        self.results, self.texts, self.receipts, self.events, self.told = {}, [], [], [], []
        self.status = status
        self.link = Link(
            LinkConfig(
                name="smsc",
                host="127.0.0.1",
                port=port,
                system_id="tpo",
                limits=limits or Limits(reconnect_first=0.05, response_timeout=1.0),
                **options,
            ),
            on_request=self._requested,
            on_result=self._resulted,
            on_ready=lambda *_: None,
            on_event=self.events.append,
            clock=time.monotonic,
            random=lambda: 0.5,
        )

    def _requested(self, request):
        if isinstance(request.message, DeliverSm):
            receipt = is_receipt(request.message.esm_class)
            (self.receipts if receipt else self.texts).append(request.message)
            self.told.append("receipt" if receipt else "text")
        request.respond(None, self.status)

    def _resulted(self, result):
        self.results[result.context] = result
        self.told.append(type(result).__name__)

    def ids(self):
        return [parse_receipt(receipt).message_id for receipt in self.receipts]

    async def until(self, condition, patience=PATIENCE):
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110  (any condition of the test)
                await asyncio.sleep(0.005)

    async def send(self, *messages):
        """Send these, and wait until something became of each; gives the results in this order."""
        for message in messages:
            context = object()
            await self.until(lambda: self.link.window_free)
            assert self.link.submit(message, context)
            self.results.setdefault("sent", []).append(context)
        contexts = self.results.pop("sent")
        await self.until(lambda: all(context in self.results for context in contexts))
        return [self.results[context] for context in contexts]


@asynccontextmanager
async def place(smsc=None, **options):
    async with smsc or Smsc(delivery_seconds=0.0, answer_seconds=0.0, slow_seconds=0.1) as centre:
        esme = Esme(centre.port, **options)
        esme.link.start()
        await esme.until(lambda: any(isinstance(event, LinkUp) for event in esme.events))
        try:
            yield centre, esme
        finally:
            await esme.link.stop(1.0)


async def test_a_text_is_taken_arrives_and_its_receipt_says_so_in_text_and_tlvs():
    async with place() as (smsc, esme):
        (result,) = await esme.send(submit("Hello"))
        await esme.until(lambda: esme.receipts)
        receipt = parse_receipt(esme.receipts[0])
        assert (receipt.message_id, receipt.state) == (result.message.message_id, MessageState.DELIVERED)
        assert esme.receipts[0].receipted_message_id == result.message.message_id
        assert b"stat:DELIVRD" in esme.receipts[0].short_message
        assert smsc.handsets.heard(CUSTOMER) == ["Hello"]
        await esme.until(lambda: smsc.counters["receipts_taken"] == 1)
        assert smsc.summary()["messages"] == {"delivered": 1}


@pytest.mark.parametrize(("form", "base"), [(IdForm.DECIMAL, 10), (IdForm.HEX, 16)])
async def test_receipts_write_the_message_id_in_another_base_where_they_are_told_to(form, base):
    async with place(Smsc(delivery_seconds=0.0, receipt_ids=form, first_id=0xA1B2)) as (_, esme):
        (result,) = await esme.send(submit())
        await esme.until(lambda: esme.receipts)
        assert int(esme.ids()[0], base) == int(result.message.message_id, 26 - base) == 0xA1B2
        assert esme.ids()[0] != stored_id(result.message.message_id)


async def test_a_handset_says_yes_to_a_question_and_what_a_customer_says_is_delivered_again_until_it_is_taken():
    async with place(status=CommandStatus.ESME_RX_T_APPN) as (smsc, esme):
        smsc.text_in(CUSTOMER, CODE, "GIVE WATERAID 5")
        await esme.until(lambda: len(esme.texts) >= 2)
        esme.status = 0
        await esme.until(lambda: smsc.counters["texts_in_taken"] == 1)
        await esme.send(submit("Reply YES to give GBP 5.00 to WaterAid"))
        await esme.until(lambda: esme.texts[-1].short_message == b"YES")
        assert (esme.texts[-1].source_addr, esme.texts[-1].destination_addr) == (CUSTOMER, CODE)


async def test_a_long_text_goes_in_parts_both_ways():
    words = "All of it reaches them. " * 10
    async with place() as (smsc, esme):
        smsc.text_in(CUSTOMER, CODE, words)
        await esme.until(lambda: len(esme.texts) == 2)
        encoded = encode_text(words)
        parts = [submit(short_message=part, esm_class=encoded.esm_class) for part in encoded.segments(7)]
        await esme.send(*reversed(parts))
        assert (await smsc.handsets.expect(CUSTOMER, "All", 5)).words == words


async def test_what_an_esme_did_not_acknowledge_goes_to_the_next_one():
    async with Smsc() as smsc:
        smsc.text_in(CUSTOMER, CODE, "BALANCE")
        assert smsc.waiting == 1
        esme = Esme(smsc.port)
        esme.link.start()
        await esme.until(lambda: smsc.counters["texts_in_taken"] == 1)
        await esme.link.stop(1.0)
        assert (smsc.waiting, len(esme.texts)) == (0, 1)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (SmscFault.THROTTLED, CommandStatus.ESME_RTHROTTLED),
        (SmscFault.QUEUE_FULL, CommandStatus.ESME_RMSGQFUL),
        (SmscFault.REFUSED, CommandStatus.ESME_RSUBMITFAIL),
    ],
)
async def test_a_text_that_is_refused_is_not_taken(fault, status):
    async with place() as (smsc, esme):
        smsc.faults.next_texts(fault)
        (result,) = await esme.send(submit())
        assert (result.command_status, smsc.counters["taken"]) == (status, 0)
        assert smsc.happened == {fault: 1}


@pytest.mark.parametrize(
    ("fault", "taken"), [(SmscFault.DROPPED, 0), (SmscFault.DROPPED_AFTER, 1), (SmscFault.NO_RESPONSE, 1)]
)
async def test_a_text_without_a_response_is_in_doubt(fault, taken):
    async with place() as (smsc, esme):
        smsc.faults.next_texts(fault)
        (result,) = await esme.send(submit())
        assert isinstance(result, Doubtful)
        assert smsc.counters["taken"] == taken
        await esme.until(lambda: smsc.counters["receipts_taken"] == taken)


async def test_a_response_may_come_late_or_after_the_next_one():
    async with place(Smsc(late_seconds=1.3, slow_seconds=5.0)) as (smsc, esme):
        smsc.faults.next_texts(SmscFault.LATE_RESPONSE, SmscFault.REORDERED)
        await esme.send(submit("late"))
        first, second = await esme.send(submit("one"), submit("two"))
        assert int(first.message.message_id, 16) + 1 == int(second.message.message_id, 16)
        assert first.sequence_number < second.sequence_number
        assert first.elapsed >= second.elapsed
        await esme.until(lambda: any(isinstance(r, Responded) and r.late for r in esme.results.values()))


async def test_receipts_come_early_twice_not_at_all_for_nobody_or_with_bad_news():
    async with place() as (smsc, esme):
        smsc.faults.next_texts(SmscFault.RECEIPT_EARLY)
        await esme.send(submit())
        assert esme.told[:2] == ["receipt", "Responded"]
        smsc.faults.next_texts(SmscFault.RECEIPT_DOUBLED)
        await esme.send(submit())
        await esme.until(lambda: len(esme.receipts) == 3)
        assert esme.ids()[1] == esme.ids()[2]
        smsc.faults.next_texts(SmscFault.RECEIPT_LOST, SmscFault.RECEIPT_UNKNOWN)
        await esme.send(submit(), submit())
        await esme.until(lambda: len(esme.receipts) == 5)
        assert len(set(esme.ids()) - set(smsc.messages)) == 1
        smsc.faults.next_texts(SmscFault.UNDELIVERABLE)
        (result,) = await esme.send(submit(registered_delivery=2))
        await esme.until(lambda: len(esme.receipts) == 6)
        assert parse_receipt(esme.receipts[-1]).state is MessageState.UNDELIVERABLE
        assert len(smsc.handsets.heard(CUSTOMER)) == 4
        (told,) = await esme.send(QuerySm(message_id=result.message.message_id))
        assert told.message.message_state == MessageState.UNDELIVERABLE
        (unknown,) = await esme.send(QuerySm(message_id="none"))
        assert unknown.command_status == CommandStatus.ESME_RQUERYFAIL


async def test_the_centre_leaves_and_the_esme_comes_back():
    async with place() as (smsc, esme):
        smsc.faults.next_texts(SmscFault.UNBIND)
        await esme.send(submit())
        await esme.until(lambda: sum(isinstance(event, LinkUp) for event in esme.events) == 2)
        assert smsc.bound == ["tpo"]


async def test_more_texts_than_the_rate_allows_are_throttled_and_a_wrong_password_is_refused():
    async with place(Smsc(rate=1.0, password="right"), password="right") as (smsc, esme):
        await esme.send(submit("one"), submit("two"))
        assert smsc.counters["limited"] == 1
        stranger = Esme(smsc.port, password="wrong")
        stranger.link.start()
        await stranger.until(lambda: any(isinstance(event, LinkRefused) for event in stranger.events))
        await stranger.link.stop(1.0)


def test_the_same_seed_draws_the_same_faults_and_they_can_be_steered():
    shares = {SmscFault.SLOW: 0.2, SmscFault.THROTTLED: 0.1}
    names = [f"text {n}" for n in range(2000)]
    one, other = SmscFaults(shares, seed=7), SmscFaults(shares, seed=7)
    drawn = [one.of_text(name) for name in names]
    assert drawn == [other.of_text(name) for name in names]
    assert 320 < drawn.count(SmscFault.SLOW) < 480
    one.steer({SmscFault.REFUSED: 1.0})
    assert one.of_text("text 1") is SmscFault.REFUSED
    one.steer({})
    assert one.of_text("text 1") is None


def test_a_name_that_is_tried_again_may_fare_better():
    shares = Shares({SmscFault.THROTTLED: 0.5}, seed=1)
    assert {shares.draw("the same") for _ in range(30)} == {None, SmscFault.THROTTLED}


@pytest.mark.parametrize(
    "text", ["slow", "slow=2", "slow=0.1,slow=0.1", "sloow=0.1", "slow=0.6,refused=0.6", "slow=nan"]
)
def test_faults_that_cannot_be_read_are_told(text):
    with pytest.raises(FaultsUnreadable):
        read_smsc_faults(text)


def test_answers_are_read_and_a_text_without_one_is_left_alone():
    handsets = Handsets(read_answers(["OK?=YES"]))
    heard = handsets.take(submit("OK?"))
    assert handsets.answer_to(heard) == "YES"
    assert handsets.answer_to(handsets.take(submit("Thank you"))) is None
    with pytest.raises(AnswersUnreadable):
        read_answers(["nothing"])


async def test_the_command_serves_is_steered_while_it_runs_and_sums_up():
    command = [sys.executable, "-m", "gateway.cli", "simulate", "smsc", "--port", "0", "--control", "0", "--json"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, "--delivery", "0", "--text", f"{CUSTOMER}=BALANCE", stdout=pipe, stderr=pipe
    )
    port = int((await process.stderr.readline()).rpartition(b":")[2])
    url = (await process.stderr.readline()).decode().split()[-1]
    esme = Esme(port)
    esme.link.start()
    await esme.until(lambda: esme.texts)
    async with aiohttp.ClientSession() as http:
        async with http.put(f"{url}/faults", json={"smsc": {"refused": 1}}) as answer:
            assert answer.status == 204
        (refused,) = await esme.send(submit())
        assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
        for wrong in ({"smsc": {"sloow": 1}}, {"host": {}}, {"smtp": {}}, []):
            async with http.put(f"{url}/faults", json=wrong) as answer:
                assert answer.status == 400
        async with http.put(f"{url}/faults", json={"smsc": {}}) as answer:
            assert answer.status == 204
        await esme.send(submit("Hello"))
        await esme.until(lambda: esme.receipts)
        async with http.post(f"{url}/texts", json={"from": CUSTOMER, "to": CODE, "text": "TENTH"}) as answer:
            assert answer.status == 202
        async with http.post(f"{url}/texts", data=b"{}") as answer:
            assert answer.status == 400
        await esme.until(lambda: len(esme.texts) == 2)
        async with http.get(f"{url}/texts", params={"number": CUSTOMER}) as answer:
            assert await answer.json() == ["Hello"]
        async with http.get(f"{url}/summary") as answer:
            assert (await answer.json())["bound"] == ["tpo"]
    await esme.link.stop(1.0)
    process.send_signal(signal.SIGTERM)
    out, errors = await process.communicate()
    assert process.returncode == 0, errors
    told = json.loads(out)
    assert (told["messages"], told["faults"]) == ({"delivered": 1}, {"refused": 1})
    assert told["counters"]["texts_in_taken"] == 2


async def test_the_command_says_what_is_wrong_with_its_options():
    for options in (["--faults", "sloow=1"], ["--receipt-ids", "octal"], ["--text", "BALANCE"]):
        command = [sys.executable, "-m", "gateway.cli", "simulate", "smsc", *options]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, errors = await process.communicate()
        assert (process.returncode, options[0] in errors.decode()) == (64, True)


async def test_a_text_that_never_comes_is_not_waited_for_longer_than_asked():
    with pytest.raises(TimeoutError):
        await Handsets().expect(CUSTOMER, "Hello", 0.01)
