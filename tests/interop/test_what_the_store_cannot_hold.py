"""What a store can't hold is refused at the door it comes by, on SQLite and PostgreSQL alike, and its neighbours are served."""

import asyncio
import time

import pytest
from support.diameter_rig import PGW, RawPeer, ccr
from support.gateways import subscribers
from support.handsets import Handsets, by_8_bits, by_sar
from support.patience import PATIENCE
from support.sms_gateway import CODE, SmsGateway, text
from support.unruly_smsc import UnrulySmsc, pdu

from protocols.diameter.codec import encode_avp
from protocols.diameter.generated import decode
from protocols.diameter.messages import (
    CreditControlAnswer,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
)
from protocols.smpp.codec import CommandId, Tlv, encode_tlv
from protocols.smpp.errors import CommandStatus

pytestmark = pytest.mark.xdist_group("what_the_store_cannot_hold")
ROWS = subscribers(4)
NUMBER = ROWS[0][0]
GOOD = (SubscriptionId(1, ROWS[0][1]),)
WANTED = MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(), rating_group=10)


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request, tmp_path):
    """Makes a gateway with links to these ports, on the store in question."""

    def make(*ports):
        made = SmsGateway(tmp_path, *ports)
        written = made.config.read_text().replace("realm: host.example}", "realm: host.example, relay: true}")
        if request.param == "postgresql":
            url = request.getfixturevalue("database")(f"misfit_{abs(hash(request.node.nodeid))}")
            written = written.replace("sqlite:///var/tpo.db", url)
        made.config.write_text(written)
        return made

    return make


def unharmed(gateway):
    log = gateway.log.read_text()
    for word in ("store.unit.poisoned", "store.unavailable", "Traceback", "daemon.crashed"):
        assert word not in log, log[-3000:]


def bound(gateway):
    """Wait until the link has bound itself."""
    deadline = time.monotonic() + PATIENCE
    while gateway.json("link", "show", "smsc-1")["state"] not in ("bound_trx", "bound"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def charge(number, **changes):
    given = {"subscription_id": GOOD, "multiple_services_credit_control": (WANTED,), "session_id": b"s;%d" % number}
    return ccr(number, **given | changes)


LONG = "x" * 300
MISFITS = {
    "NUL in the Session-Id": ({"session_id": b"pgw\0;1"}, encode_avp(263, b"pgw\0;1")),
    "a Session-Id that no index takes": ({"session_id": b"\xe9" * 2000}, encode_avp(263, b"\xe9" * 2000)),
    "a Session-Id that no answer gives back twice": ({"session_id": b"\xe9" * 6000}, encode_avp(263, b"")),
    "no Session-Id": ({"session_id": b""}, encode_avp(263, b"")),
    "no Origin-Host": ({"origin_host": ""}, encode_avp(264, b"")),
    "NUL in the IMSI": (
        {"subscription_id": (SubscriptionId(1, "23415\0"),)},
        encode_avp(443, encode_avp(444, b"23415\0")),
    ),
    "NUL in the number beside a good IMSI": (
        {"subscription_id": (*GOOD, SubscriptionId(0, "\0"))},
        encode_avp(443, encode_avp(444, b"\0")),
    ),
    "NUL in the Origin-Host": ({"origin_host": "pgw\0"}, encode_avp(264, b"pgw\0")),
    "a long Origin-Host": ({"origin_host": LONG}, encode_avp(264, LONG.encode())),
    "a long Origin-Host of long letters": (
        {"origin_host": "\U0001f600" * 256},
        encode_avp(264, ("\U0001f600" * 256).encode()),
    ),
    "NUL in the Origin-Realm": ({"origin_realm": "\0"}, encode_avp(296, b"\0")),
}


async def test_a_ccr_with_what_the_store_cannot_hold_is_5004_with_its_avp_and_the_others_are_charged(desk):
    async with desk() as gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        peer = await RawPeer.open(gateway.diameter_port)
        bad = [charge(1000 + place, **changes) for place, (changes, _) in enumerate(MISFITS.values())]
        peer.send(b"".join(charge(number) + bad[number % len(bad)] for number in range(len(bad))))
        answers = {}
        while len(answers) < 2 * len(bad):
            header, frame = await peer.receive()
            if header.command_code == 272:
                answers[header.hop_by_hop] = decode(CreditControlAnswer, frame)
        for place, (name, (_, failed)) in enumerate(MISFITS.items()):
            answer = answers[1000 + place]
            assert (answer.result_code, answer.failed_avp) == (5004, (failed,)), name
            assert answers[place].result_code == 2001
        await peer.leave()
        unharmed(gateway)


async def test_the_longest_texts_that_a_ccr_may_have_are_charged(desk):
    async with desk() as gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        peer = await RawPeer.open(gateway.diameter_port)
        for number, changes in enumerate(
            [
                {"session_id": bytes(range(1, 256)) * 4, "origin_host": "\U0001f600" * 255},
                {"session_id": b"\xff" * 1024, "origin_realm": "x" * 255},
                {"cc_request_number": 0xFFFFFFFF, "cc_sub_session_id": 0xFFFFFFFFFFFFFFFF},
                {"multiple_services_credit_control": (MultipleServicesCreditControl(rating_group=0xFFFFFFFF),)},
                {"subscription_id": (*GOOD, SubscriptionId(2, "sip:\0"), SubscriptionId(4, "\0"))},
                {"event_timestamp": 4_200_000_000, "subscription_id": (*GOOD, SubscriptionId(0, "4" * 9000))},
                {
                    "multiple_services_credit_control": (
                        MultipleServicesCreditControl(
                            requested_service_unit=RequestedServiceUnit(cc_total_octets=0xFFFFFFFFFFFFFFFF),
                            rating_group=10,
                        ),
                    )
                },
            ]
        ):
            _, frame = await peer.ask(charge(number, **changes))
            assert decode(CreditControlAnswer, frame).result_code == 2001, changes
        await peer.leave()
        unharmed(gateway)


async def test_a_peer_whose_name_ends_in_hundreds_of_dots_poisons_nothing(desk):
    async with desk() as gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        peer = await RawPeer.open(gateway.diameter_port, host=PGW + "." * 400)
        _, frame = await peer.ask(charge(1, origin_host=PGW))
        assert decode(CreditControlAnswer, frame).result_code in (2001, 5004)
        await peer.leave()
        unharmed(gateway)


@pytest.mark.parametrize("where", ["text", "from", "to", "reference"])
async def test_nul_in_any_part_of_a_text_out_is_400_by_http_and_by_the_socket(desk, where):
    async with desk() as gateway:
        for value in ("a\0b", "\0", "4477009\0"):
            given = text("hello", reference="r") | {where: value}
            status, told, _ = await asyncio.to_thread(gateway.ask, "/v1/sms", given)
            assert (status, told["code"]) == (400, "params.invalid")
            assert told["detail"].startswith(f"{where}: the text holds U+0000")
            batch = [text("hello"), given]
            status, told, _ = await asyncio.to_thread(gateway.ask, "/v1/sms/batch", batch)
            assert (status, told["detail"].partition(":")[0]) == (400, f"[1].{where}")
        unharmed(gateway)


UCS2 = {"data_coding": 8}
SAID = {
    "padded": ("BALANCE\0\0".encode("utf-16-be"), UCS2),
    "parted": ("\0BALANCE\0".encode("utf-16-be"), UCS2),
    "in Latin-1": (b"BALANCE\0 ", {"data_coding": 3}),
    "in ASCII": (b"\0BALANCE", {"data_coding": 1}),
    "as octets": (b"BALANCE\0\x01", {"data_coding": 4}),
    "half of a surrogate pair": ("BALANCE".encode("utf-16-be") + b"\xd8\x3d", UCS2),
    "the other half": (b"\xdc\x00" + "BALANCE".encode("utf-16-be"), UCS2),
    "little-endian halves": (b"\xff\xfe\x00\xd8", UCS2),
    "nothing but NUL": ("\0".encode("utf-16-be"), UCS2),
}


async def test_nul_in_what_a_handset_sends_counts_as_a_space_and_poisons_nothing(desk):
    async with Handsets() as phones, desk(phones.port) as gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        await phones.bound(1)
        said = [phones.say(NUMBER, words, **more) for words, more in SAID.values()]
        said += [phones.say(row[0], b"BALANCE") for row in ROWS[1:]]
        parts = [by_8_bits(7, 2, n, b"\0B" if n == 1 else b"ALANCE\0") for n in (1, 2)]
        parts += [by_sar(8, 2, n, b"BAL\0" if n == 1 else b"\0") for n in (1, 2)]
        said += [phones.say(ROWS[1][0], fields.pop("words"), data_coding=3, **fields) for fields in parts]
        assert await asyncio.gather(*said) == [0] * len(said)
        await phones.wait(lambda: all(phones.answers(row[0]) for row in ROWS[1:]))
        told = [words for words in phones.answers(NUMBER) if "10.00" in words]
        assert len(told) >= 4  # the padded, the parted, in Latin-1, in ASCII
        unharmed(gateway)


def deliver_sm(number, source, words, *, to=b"TPO", esm_class=0, tlvs=b""):
    """A deliver_sm whose strings may be of any size (SMPP 3.4 §4.6.1)."""
    head = b"\0" + b"\1\1" + source + b"\0" + b"\0\0" + to + b"\0" + bytes((esm_class, 0, 0)) + b"\0\0" + bytes(4)
    return pdu(CommandId.DELIVER_SM, number, head + bytes((len(words),)) + words + tlvs)


async def test_addresses_that_no_column_takes_are_refused_with_their_status(desk):
    async with UnrulySmsc() as smsc, desk(smsc.port) as gateway:
        await asyncio.to_thread(bound, gateway)
        said = {  # the receipt of the answer to BALANCE has a number of its own, 1
            101: deliver_sm(101, b"4" * 21, b"hello"),
            102: deliver_sm(102, b"4" * 300, b"hello"),
            103: deliver_sm(103, NUMBER.encode(), b"hello", to=b"7" * 21),
            104: deliver_sm(104, b"\xff" * 20, b"hello"),
            105: deliver_sm(105, b"", b"", to=CODE.encode()),
            106: deliver_sm(106, NUMBER.encode(), b"BALANCE", to=CODE.encode()),
        }
        smsc.line.say(*said.values())
        await smsc.wait(lambda: said.keys() <= smsc.line.answers().keys())
        answers = smsc.line.answers()
        source, destination = CommandStatus.ESME_RINVSRCADR, CommandStatus.ESME_RINVDSTADR
        assert [answers[number] for number in said] == [source, source, destination, 0, 0, 0]
        unharmed(gateway)


IDS = [b"a" * 65, b"\xff" * 64, b"\xe9" * 200, b"0" * 300 + b"ab", b"9" * 90, b"f" * 40, b"", b" ", b"id:\x01"]


async def test_message_ids_and_receipts_of_any_size_poison_nothing(desk):
    async with UnrulySmsc() as smsc, desk(smsc.port) as gateway:
        await asyncio.to_thread(bound, gateway)
        ids = iter(IDS)

        def answer(line, header, _message, _id):
            line.say(pdu(CommandId.SUBMIT_SM_RESP, header.sequence_number, next(ids) + b"\0"))

        smsc.on_submit = answer
        sent = await gateway.send(*(text(f"text {n}") for n in range(len(IDS))))
        await smsc.wait(lambda: len(smsc.submits) == len(IDS))
        words = [
            b"id:a\0b stat:DELIVRD err:\0\0",
            b"id:\0 stat:DELIVRD",
            b"id:" + b"7" * 99 + b" stat:UNDELIV err:" + b"e" * 99,
        ]
        words += [b"id:%s stat:DELIVRD err:\xff" % one[:200] for one in IDS]
        tlvs = [encode_tlv(Tlv(0x001E, one + b"\0")) + encode_tlv(Tlv(0x0427, b"\2")) for one in IDS]
        tlvs += [encode_tlv(Tlv(0x001E, b"ab\0")) + encode_tlv(Tlv(0x0427, b"\5")) + encode_tlv(Tlv(0x0423, bytes(3)))]
        receipts = [(said, b"") for said in words] + [(b"", tlv) for tlv in tlvs]
        for number, (said, tlv) in enumerate(receipts, 1):
            smsc.line.say(deliver_sm(number, b"\xe9" * 90, said, esm_class=4, tlvs=tlv))
            smsc.line.say(deliver_sm(number + 1000, b"447700900200", said, esm_class=4, tlvs=tlv))
        await smsc.wait(lambda: len(smsc.line.answers()) == 2 * len(receipts))
        assert set(smsc.line.answers().values()) == {0}
        states = {(await gateway.show(text_id))["state"] for text_id in sent}
        assert states <= {"submitted", "delivered", "failed"}
        unharmed(gateway)
