"""A message centre at its worst, octet by octet, through the daemon: no text is lost, what may be double says so.

One gateway and one message centre serve all these tests; each begins with a link that is bound.
"""

import asyncio
import random
from collections import Counter

import msgspec
import pytest
import pytest_asyncio
from support.sms_gateway import CODE, PATIENCE, SmsGateway, text
from support.unruly_smsc import UnrulySmsc, Watch, pdu

from protocols.smpp.codec import CommandId, Tlv, encode_tlv
from protocols.smpp.errors import CommandStatus
from protocols.smpp.generated import encode
from protocols.smpp.messages import (
    BindTransceiver,
    DeliverSm,
    EnquireLink,
    QuerySm,
    SubmitSm,
    SubmitSmResp,
)
from protocols.smpp.receipts import MessageState

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("text_faults")]

GIVER = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")
STRANGER = "447700900299"
LOST = "no answer of the SMSC"
VENDOR = encode_tlv(Tlv(0x1400, b"vendor")) + encode_tlv(Tlv(0x3FFF, b"")) + encode_tlv(Tlv(0x0001, bytes(300)))
"""TLVs that no specification knows."""
UNREADABLE = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "noise": random.Random(3).randbytes(400),
    "length 0": bytes(16),
    "length 15": pdu(CommandId.ENQUIRE_LINK, 9, length=15),
    "length 2 GiB": pdu(CommandId.ENQUIRE_LINK, 9, length=0x7FFFFFFF),
    "a little too long": pdu(CommandId.ENQUIRE_LINK, 9, length=20) + pdu(CommandId.ENQUIRE_LINK, 10) * 2,
    "a little too short": pdu(CommandId.DELIVER_SM, 9, bytes(40) + b"\x01", length=56)
    + pdu(CommandId.ENQUIRE_LINK, 10),
}
RINVCMDLEN = (0, CommandStatus.ESME_RINVCMDLEN)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(tmp_path_factory):
    """A message centre, and a gateway that waits one second for its answers."""
    async with UnrulySmsc() as smsc:
        folder = tmp_path_factory.mktemp("faults")
        async with SmsGateway(folder, smsc.port, response_timeout=3, enquire_link=5) as desk:
            await asyncio.to_thread(desk.enrol, [GIVER])
            yield desk, smsc


@pytest_asyncio.fixture(loop_scope="module")
async def place(context):
    """The gateway, the message centre and what is told from now on; the link is bound."""
    desk, smsc = context
    watch = Watch(desk)
    watch.order("up")
    await smsc.wait(watch.up)
    smsc.behave()
    return desk, smsc, Watch(desk)


def held(smsc):
    """Let the message centre say nothing to texts; gives what it would say it to."""
    kept = []
    smsc.on_submit = lambda *submit: kept.append(submit)
    return kept


async def states(desk, ids):
    """(state, error, maybe double) of texts once they are final."""
    told = [await desk.becomes(text_id, "delivered", "failed", "expired") for text_id in ids]
    return [(shown["state"], shown["error"], shown["maybe_double"]) for shown in told]


async def taken(desk, text_id):
    """Wait until it is written down that the message centre took a text; gives the id that it has there."""
    async with asyncio.timeout(PATIENCE):
        while (part := (await desk.show(text_id))["parts"][0])["state"] != "accepted":  # noqa: ASYNC110  (it is in another process)
            await asyncio.sleep(0.01)
    return part["message_id"]


GOOD = ("delivered", None, False)
AGAIN = ("delivered", None, True)


@pytest.mark.parametrize("seed", range(2))
async def test_responses_and_receipts_in_any_order_find_their_own_texts(place, seed):
    desk, smsc, watch = place
    kept, chance, line = held(smsc), random.Random(seed), smsc.line
    ids = await desk.send(*(text(str(n)) for n in range(40)))
    await smsc.has(40)
    chance.shuffle(kept)
    receipts = []
    for _, header, message, message_id in kept:
        number = int(message.short_message)
        line.answer(header, SubmitSmResp(message_id=message_id), 0 if number % 4 else CommandStatus.ESME_RINVDSTADR)
        if number % 4:
            state = MessageState.DELIVERED if number % 4 < 3 else MessageState.UNDELIVERABLE
            receipts.append(smsc.receipt(message, message_id, state, f"{number:03}"))
    chance.shuffle(receipts)
    line.ask(*receipts)
    kinds = [("failed", "ESME_RINVDSTADR", False), GOOD, GOOD]
    assert await states(desk, ids) == [("failed", f"{n:03}", False) if n % 4 == 3 else kinds[n % 4] for n in range(40)]
    assert sorted(smsc.words()) == sorted(map(str, range(40)))
    assert set(line.answers().values()) == {0}
    assert (line.ended, watch.alarms()) == (False, {})


async def test_a_generic_nack_with_number_0_answers_nothing_and_a_text_that_gets_no_other_answer_is_sent_again(place):
    desk, smsc, watch = place
    line = smsc.line

    def nack(line, header, message, message_id):
        line.say(pdu(CommandId.GENERIC_NACK, 0, status=CommandStatus.ESME_RINVCMDLEN))
        if message.short_message == b"lost" and smsc.words().count("lost") == 1:
            return
        smsc.accept(line, header, message, message_id)

    smsc.on_submit = nack
    ids = await desk.send(*(text(words) for words in ("first", "lost", "last")))
    assert await states(desk, ids) == [GOOD, AGAIN, GOOD]
    assert Counter(smsc.words()) == {"first": 1, "lost": 2, "last": 1}
    assert (line.ended, line.nacks, watch.alarms()) == (False, [], {})
    counters = watch.order()["counters"]
    assert counters["doubtful"] == 1


async def test_responses_to_nothing_of_another_kind_or_doubled_change_nothing(place):
    desk, smsc, watch = place
    line = smsc.line
    other_kinds = [kind for kind in CommandId if kind > CommandId.GENERIC_NACK and kind != CommandId.SUBMIT_SM_RESP]

    def storm(line, header, message, message_id):
        number = header.sequence_number
        line.say(*(pdu(kind, number, b"\0", status) for kind in other_kinds for status in (0, 8)))
        for wrong in (0, number + 1000, 0x7FFFFFFF, 0xFFFFFFFF):
            line.say(
                pdu(CommandId.SUBMIT_SM_RESP, wrong, b"wrong\0"), pdu(CommandId.SUBMIT_SM_RESP, wrong, status=0x58)
            )
        smsc.accept(line, header, message, message_id)
        line.answer(header, SubmitSmResp(message_id="another"))
        line.answer(header, SubmitSmResp(), CommandStatus.ESME_RSUBMITFAIL)

    smsc.on_submit = storm
    ids = await desk.send(*(text(str(n)) for n in range(10)))
    assert await states(desk, ids) == [GOOD] * 10
    assert sorted(smsc.words()) == sorted(map(str, range(10)))
    assert (line.ended, line.nacks, watch.alarms()) == (False, [], {})


ODD_RESPONSES = {
    "unknown TLVs": (0, b"%s\0" + VENDOR, GOOD),
    "a last TLV that is cut off": (0, b"%s\0" + VENDOR + b"\x14\x00\x00\x10ab", GOOD),
    "no NUL after the id": (0, b"%s", GOOD),
    "an endless id": (0, b"%s-" + b"x" * 100 + b"\0", GOOD),
    "an error with an id": (CommandStatus.ESME_RINVDSTADR, b"%s\0", ("failed", "ESME_RINVDSTADR", False)),
    "an error with a NUL": (CommandStatus.ESME_RINVSRCADR, b"\0", ("failed", "ESME_RINVSRCADR", False)),
    "an error with TLVs alone": (0x4FF, VENDOR, ("failed", "0x000004FF", False)),
}


@pytest.mark.parametrize(("status", "body", "becomes"), ODD_RESPONSES.values(), ids=ODD_RESPONSES)
async def test_a_response_that_is_not_by_the_book_settles_its_text(place, status, body, becomes):
    desk, smsc, watch = place
    line = smsc.line

    def oddly(line, header, message, message_id):
        octets = body.replace(b"%s", message_id.encode())
        line.say(pdu(CommandId.SUBMIT_SM_RESP, header.sequence_number, octets, status))
        if not status:
            line.ask(smsc.receipt(message, octets.partition(b"\0")[0].decode("latin-1")))

    smsc.on_submit = oddly
    ids = await desk.send(text("one"), text("two"))
    assert await states(desk, ids) == [becomes] * 2
    assert sorted(smsc.words()) == ["one", "two"]
    assert (line.ended, watch.alarms()) == (False, {})


@pytest.mark.parametrize("body", [b"", b"\0", b"\0" + VENDOR], ids=["no body", "a NUL", "a NUL and TLVs"])
async def test_a_text_that_was_taken_without_an_id_is_submitted_and_never_sent_again(place, body):
    desk, smsc, watch = place
    line = smsc.line
    smsc.on_submit = lambda line, header, *_: line.say(pdu(CommandId.SUBMIT_SM_RESP, header.sequence_number, body))
    for words in ("one", "two", "three"):
        (text_id,) = await desk.send(text(words))
        assert not await taken(desk, text_id)
        assert (await desk.show(text_id))["state"] == "submitted"
    await asyncio.sleep(1.2)
    assert smsc.words() == ["one", "two", "three"]
    assert (line.ended, watch.alarms()) == (False, {})


async def test_a_message_id_that_is_used_again_means_the_newest_text(place):
    desk, smsc, watch = place
    smsc.on_submit = lambda line, header, *_: line.answer(header, SubmitSmResp(message_id="77"))
    ids = []
    for words in ("one", "two"):
        ids += await desk.send(text(words))
        assert await taken(desk, ids[-1]) == "77"
    smsc.line.ask(smsc.receipt(smsc.submits[1], "77"))
    assert await states(desk, ids[1:]) == [GOOD]
    assert (await desk.show(ids[0]))["state"] == "submitted"
    assert watch.alarms() == {}


def singly(octets):
    """Cut into single octets."""
    return [octets[place : place + 1] for place in range(len(octets))]


async def test_pdus_that_come_octet_by_octet_are_read(place):
    desk, smsc, watch = place
    line = smsc.line
    line.cut = singly
    ids = await desk.send(*(text(str(n)) for n in range(5)))
    line.ask(DeliverSm(source_addr=STRANGER, destination_addr=CODE, short_message=b"HELP"), EnquireLink())
    assert await states(desk, ids) == [GOOD] * 5
    await smsc.has(6)
    await smsc.wait(lambda: set(line.answers().values()) == {0} and len(line.answers()) == 7)
    assert line.lives == 1
    answers = [message for message in smsc.submits if message.destination_addr == STRANGER]
    assert [message.source_addr for message in answers] == [CODE]
    assert sorted(message.short_message for message in smsc.submits if message not in answers) == [
        b"%d" % n for n in range(5)
    ]
    assert (line.ended, watch.alarms()) == (False, {})


async def test_pdus_that_are_cut_once_at_each_of_their_octets_are_read(place):
    desk, smsc, watch = place
    line, cuts = smsc.line, []

    def whole(line, header, message, message_id):
        """The response, the receipt and a question of ours leave as one string in two pieces."""
        octets = encode(SubmitSmResp(message_id=message_id), header.sequence_number)
        octets += encode(
            smsc.receipt(message, message_id, short_message=b"id:%s stat:DELIVRD" % message_id.encode()), 900
        )
        octets += encode(EnquireLink(), 901)
        line.cut = lambda octets: (octets[: len(cuts)], octets[len(cuts) :])
        cuts.append(len(octets))
        line.say(octets)

    smsc.on_submit = whole
    for _ in range(3):
        ids = await desk.send(*(text(str(n)) for n in range(50)))
        assert await states(desk, ids) == [GOOD] * 50
    assert len(cuts) > max(cuts)
    assert len(smsc.submits) == 150
    assert (line.ended, watch.alarms()) == (False, {})


async def test_a_message_centre_that_reads_octet_by_octet_gets_what_was_sent(place):
    desk, smsc, watch = place
    smsc.read_size = 1
    ids = await desk.send(*(text(str(n)) for n in range(20)), text("a" * 400))
    assert await states(desk, ids) == [GOOD] * 21
    assert sorted(smsc.words()[:20], key=int) == [str(n) for n in range(20)]
    assert [message.short_message[5] for message in smsc.submits[20:]] == [1, 2, 3]
    assert (smsc.line.ended, watch.alarms()) == (False, {})


@pytest.mark.parametrize("octets", UNREADABLE.values(), ids=UNREADABLE)
async def test_octets_that_are_no_smpp_end_the_link_and_what_was_out_is_sent_again(place, octets):
    desk, smsc, watch = place
    kept, old = held(smsc), smsc.line
    ids = await desk.send(*(text(str(n)) for n in range(6)))
    await smsc.has(6)
    smsc.on_submit = smsc.accept
    for line, header, message, message_id in kept[:2]:
        smsc.accept(line, header, message, message_id)
    old.say(octets)
    await smsc.wait(lambda: old.ended)
    assert old.nacks[-1] == RINVCMDLEN
    assert await states(desk, ids) == [GOOD] * 2 + [AGAIN] * 4
    assert Counter(smsc.words()) == {str(n): 1 if n < 2 else 2 for n in range(6)}
    assert smsc.line is not old
    assert watch.up()
    alarms = watch.alarms()
    assert alarms.pop("smpp.message.rejected", 0) <= 1  # what was read out of step
    assert alarms == {"smpp.message.undecodable": 1, "smpp.link.down": 1}
    (down,) = watch.told("smpp.link.down")
    assert (down["reason"], down["doubtful"]) == ("the stream of octets cannot be read", 4)
    (undecodable,) = watch.told("smpp.message.undecodable")
    assert "command_length" in undecodable["reason"]
    assert len(watch.told("smpp.link.up")) == 1


async def dialled_anew(smsc, watch, on_bind):
    """Have the link bind once more to a centre that treats it so the first time; gives that first connection."""

    def first(line, header):
        smsc.on_bind = smsc.welcome
        on_bind(line, header)

    smsc.on_bind, old = first, smsc.line
    watch.order("down")
    await smsc.wait(lambda: old.ended)
    smsc.lines.clear()
    old.close()
    watch.order("up")
    await smsc.wait(lambda: smsc.lines)
    return smsc.line


@pytest.mark.parametrize("octets", UNREADABLE.values(), ids=UNREADABLE)
async def test_octets_that_are_no_smpp_in_place_of_a_bind_resp_make_the_link_dial_again(place, octets):
    desk, smsc, watch = place
    spoilt = await dialled_anew(smsc, watch, lambda line, _: line.say(octets))
    (text_id,) = await desk.send(text("hello"))
    assert await states(desk, [text_id]) == [GOOD]
    assert spoilt.ended
    assert spoilt.nacks[-1] == RINVCMDLEN
    assert smsc.words() == ["hello"]
    alarms = watch.alarms()
    assert alarms.pop("smpp.message.rejected", 0) <= 1  # as above
    assert alarms == {"smpp.message.undecodable": 1, "smpp.link.unreachable": 1}
    (told,) = watch.told("smpp.link.unreachable")
    assert told["reason"] == "the stream of octets cannot be read"


async def test_what_comes_before_the_bind_resp_is_refused_and_the_link_binds(place):
    desk, smsc, watch = place

    def hasty(line, header):
        line.say(pdu(CommandId.SUBMIT_SM_RESP, 1, b"1\0"), pdu(0x00000BAD, 5), pdu(CommandId.GENERIC_NACK, 0))
        line.ask(DeliverSm(source_addr=STRANGER, destination_addr=CODE, short_message=b"HELP"), EnquireLink())
        smsc.welcome(line, header)

    line = await dialled_anew(smsc, watch, hasty)
    await smsc.wait(watch.up)
    (text_id,) = await desk.send(text("hello"))
    assert await states(desk, [text_id]) == [GOOD]
    assert next(iter(line.answers().items())) == (1, CommandStatus.ESME_RINVBNDSTS)
    assert line.nacks == [(5, CommandStatus.ESME_RINVCMDID)]
    assert line.lives == 1
    assert (smsc.words(), line.ended) == (["hello"], False)
    assert watch.alarms() == {"smpp.message.rejected": 2}


async def test_requests_that_nobody_knows_or_that_are_not_the_centres_are_refused_and_the_link_goes_on(place):
    desk, smsc, watch = place
    line = smsc.line
    line.say(pdu(0x00000BAD, 11), pdu(0x00000BAD, 0, b"junk"), pdu(0x00010200, 12))
    line.say(
        *(encode(message, 20 + n) for n, message in enumerate((SubmitSm(), QuerySm(message_id="1"), BindTransceiver())))
    )
    line.say(pdu(CommandId.DELIVER_SM, 30, b"\0\0\0no end"))
    await smsc.wait(line.answers)
    unknown = CommandStatus.ESME_RINVCMDID
    assert line.nacks == [(11, unknown), (0, unknown), (12, unknown), (20, unknown), (21, unknown)]
    assert line.answers(CommandId.BIND_TRANSCEIVER_RESP) == {22: CommandStatus.ESME_RINVBNDSTS}
    assert line.answers()[30] != 0
    (text_id,) = await desk.send(text("hello"))
    assert await states(desk, [text_id]) == [GOOD]
    assert line.ended is False
    assert watch.alarms() == {"smpp.message.rejected": 7}
    told = Counter(row["command_status"] for row in watch.told("smpp.message.rejected"))
    assert told[int(unknown)] + told["ESME_RINVCMDID"] == 5


async def test_texts_in_and_receipts_with_unknown_tlvs_are_read_without_them(place):
    desk, smsc, watch = place
    line, extra = smsc.line, (Tlv(0x1400, b"vendor"), Tlv(0x3FFF, b""), Tlv(0x0001, bytes(300)))

    def adorned(line, header, message, message_id):
        line.answer(header, SubmitSmResp(message_id=message_id))
        line.ask(smsc.receipt(message, message_id, tlvs=extra))

    smsc.on_submit = adorned
    (text_id,) = await desk.send(text("hello"))
    assert await states(desk, [text_id]) == [GOOD]
    line.ask(DeliverSm(source_addr=GIVER[0], destination_addr=CODE, short_message=b"BALANCE", tlvs=extra))
    body = encode(DeliverSm(source_addr=GIVER[0], destination_addr=CODE, short_message=b"TENTH"), 1)[16:]
    line.say(pdu(CommandId.DELIVER_SM, 500, body + b"\x14\x00\x00\x10ab"))
    await smsc.has(3)
    assert sum("10.00" in words for words in smsc.words()[1:]) == 1
    assert set(line.answers().values()) == {0}
    assert line.answers()[500] == 0
    assert (line.ended, watch.alarms()) == (False, {})


FORGED = {
    "of an id that nobody gave": {"message_id": "77777777"},
    "of the id in another base, from another number": {"message_id": None, "source_addr": STRANGER},
    "of a handset that has read it": {"esm_class": 0x08},
    "of a person who has answered it": {"esm_class": 0x10},
    "of something in between": {"esm_class": 0x20},
    "of no message at all": {"short_message": b"stat:DELIVRD"},
}
UNMATCHED = ("of an id that nobody gave", "of the id in another base, from another number", "of no message at all")
"""Those that say that they are receipts: people are told of them."""


@pytest.mark.parametrize("forgery", FORGED)
async def test_what_only_looks_like_the_receipt_of_a_text_is_taken_and_settles_nothing(place, forgery):
    desk, smsc, watch = place
    line = smsc.line
    smsc.on_submit = lambda line, header, _, message_id: line.answer(header, SubmitSmResp(message_id=message_id))
    (text_id,) = await desk.send(text("hello"))
    message_id = await taken(desk, text_id)
    given = dict(FORGED[forgery])
    named = given.pop("message_id", message_id) or str(int(message_id, 16))
    forged = msgspec.structs.replace(smsc.receipt(smsc.submits[0], named), **given)
    number = line.ask(forged)
    await smsc.wait(lambda: number in line.answers())
    assert line.answers()[number] == 0
    assert (await desk.show(text_id))["state"] == "submitted"
    line.ask(smsc.receipt(smsc.submits[0], message_id))
    assert await states(desk, [text_id]) == [GOOD]
    told = {"sms.receipt.unmatched": 1} if forgery in UNMATCHED else {}
    await smsc.wait(lambda: watch.alarms() == told)
    assert (len(smsc.submits), line.ended) == (1, False)


async def test_a_text_whose_words_are_a_receipt_is_taken_settles_nothing_and_is_not_answered(place):
    desk, smsc, watch = place
    line = smsc.line

    def silent_to_others(line, header, message, message_id):
        if message.source_addr == CODE:
            smsc.accept(line, header, message, message_id)
        else:
            line.answer(header, SubmitSmResp(message_id=message_id))

    smsc.on_submit = silent_to_others
    (text_id,) = await desk.send(text("hello", to=GIVER[0]))
    named = await taken(desk, text_id)
    words = smsc.receipt(smsc.submits[0], named).short_message
    number = line.ask(DeliverSm(source_addr=GIVER[0], destination_addr=CODE, short_message=words))
    await smsc.wait(lambda: number in line.answers())
    line.ask(DeliverSm(source_addr=GIVER[0], destination_addr=CODE, short_message=b"HELP"))
    await smsc.has(2)
    assert smsc.words()[1].startswith("Test operator")
    assert (smsc.submits[1].source_addr, smsc.submits[1].destination_addr) == (CODE, GIVER[0])
    assert (await desk.show(text_id))["state"] == "submitted"
    line.ask(smsc.receipt(smsc.submits[0], named))
    assert await states(desk, [text_id]) == [GOOD]
    assert (line.ended, watch.alarms()) == (False, {})


ENDLESS = {
    "from": ({"source_addr": "S" * 20}, b"S" * 20, CommandStatus.ESME_RINVSRCADR),
    "to": ({"destination_addr": "D" * 20}, b"D" * 20, CommandStatus.ESME_RINVDSTADR),
}


@pytest.mark.parametrize(("fields", "short", "status"), ENDLESS.values(), ids=ENDLESS)
async def test_a_text_in_with_an_endless_address_is_refused_and_the_link_goes_on(place, fields, short, status):
    desk, smsc, watch = place
    line = smsc.line
    given = {"source_addr": STRANGER, "destination_addr": CODE, "short_message": b"STOP"} | fields
    body = encode(DeliverSm(**given), 1)[16:].replace(short, short * 100)
    line.say(pdu(CommandId.DELIVER_SM, 600, body))
    await smsc.wait(line.answers)
    assert line.answers() == {600: status}
    (text_id,) = await desk.send(text("hello"))
    assert await states(desk, [text_id]) == [GOOD]
    assert (smsc.words(), line.ended, watch.alarms()) == (["hello"], False, {})


async def test_a_receipt_from_an_endless_address_with_nuls_in_its_text_settles_its_text(place):
    desk, smsc, watch = place
    line = smsc.line

    def oddly(line, header, message, message_id):
        line.answer(header, SubmitSmResp(message_id=message_id))
        words = b"id:%s\0 stat:UNDELIV\0\0 err:0\x001 text:\0" % message_id.encode()
        body = encode(smsc.receipt(message, message_id, short_message=words), 1)[16:]
        whole = message.destination_addr.encode()
        line.say(pdu(CommandId.DELIVER_SM, 601, body.replace(whole, whole * 30)))

    smsc.on_submit = oddly
    (text_id,) = await desk.send(text("hello"))
    assert await states(desk, [text_id]) == [("failed", "0", False)]
    assert line.answers() == {601: 0}
    assert (line.ended, watch.alarms()) == (False, {})


@pytest.mark.parametrize(
    ("sender", "to", "source", "destination"),
    [
        ("TPO", "447700900200", (5, 0), (1, 1)),
        (CODE, "60777", (3, 0), (3, 0)),
        (GIVER[0], "447700900200", (1, 1), (1, 1)),
    ],
)
async def test_a_name_a_short_code_and_a_number_are_told_apart_and_no_receipt_is_asked_for_where_none_is_wanted(
    place, sender, to, source, destination
):
    desk, smsc, _watch = place
    ids = await desk.send(text("with", to, sender), text("without", to, sender, registered_delivery=False))
    assert await states(desk, ids) == [GOOD] * 2
    for message in smsc.submits:
        assert (message.source_addr_ton, message.source_addr_npi) == source
        assert (message.dest_addr_ton, message.dest_addr_npi) == destination
        assert message.registered_delivery == (message.short_message == b"with")
    assert len(smsc.line.answers()) == 1
