"""Texts without a receipt, asked for by query_sm: over a real link, with a real store, on a clock that is put on."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import event, select
from support.charging_fixture import PENNY
from support.messaging_fixture import text_place
from support.querying_smsc import AFTER, QueryingSmsc, inquiring

from gateway.messaging import smpp_mapping
from gateway.messaging.queue.mt_status import RecordOutcomes, SubmitOutcome
from gateway.messaging.queue.query_sm import (
    BATCH,
    QueriesUnsupported,
    QueryFinding,
    QueryRefused,
    RecordFinding,
    centres_of,
    due_at,
    silent_parts,
)
from gateway.messaging.texts import NEVER_AGAIN, Step
from gateway.store import tables
from protocols.smpp.errors import CommandStatus
from protocols.smpp.generated import encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import GenericNack, QuerySm, QuerySmResp
from protocols.smpp.receipts import IdForm, MessageState

POUND = 100 * PENNY
PRICE = 2 * PENNY
LONG = "many words " * 20
HOUR = 3_600_000_000
SECOND = 1_000_000


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/texts.db"


@asynccontextmanager
async def asking(url, **options):
    """A centre that is asked, and a client that asks it."""
    async with QueryingSmsc() as smsc, inquiring(url, smsc, **options) as inquirer:
        yield inquirer, smsc


async def sent(inquirer, body="hello", **more):
    (text_id,) = await inquirer.send(inquirer.place.draft(body, **more))
    return text_id


def asked(inquirer, text_id):
    return [part.asked for part in inquirer.place.text(text_id).parts]


# What is asked, and when


async def test_a_silent_text_is_asked_for_by_the_id_as_the_smsc_wrote_it_and_by_its_source_address(url):
    async with asking(url) as (inquirer, smsc):
        await sent(inquirer, source="TPO")
        await sent(inquirer, source="70070")
        await inquirer.look(AFTER + 1)
        assert smsc.queries == [
            QuerySm(message_id="00000001", source_addr_ton=5, source_addr_npi=0, source_addr="TPO"),
            QuerySm(message_id="00000002", source_addr_ton=3, source_addr_npi=0, source_addr="70070"),
        ]
        submitted = [(m.source_addr_ton, m.source_addr_npi, m.source_addr) for m in smsc.submits]
        assert [(q.source_addr_ton, q.source_addr_npi, q.source_addr) for q in smsc.queries] == submitted


async def test_a_text_is_asked_for_when_its_time_has_come_and_more_and_more_rarely(url):
    async with asking(url) as (inquirer, smsc):
        text_id = await sent(inquirer, valid_until=1_900_000_000_000_000)
        for ahead, queries in ((AFTER - 1, 0), (AFTER + 1, 1), (AFTER + 2, 1), (2 * AFTER - 1, 1), (2 * AFTER + 1, 2)):
            await inquirer.look(ahead)
            assert len(smsc.queries) == queries, ahead
        assert asked(inquirer, text_id) == [2]
        assert inquirer.place.state(text_id) == "submitted"


def test_the_waits_double_up_to_the_end_of_the_validity_and_go_on_after_it(url):
    with text_place(url) as place:
        (text_id,) = place.accept(place.draft()).ids
        text = place.text(text_id)
        text.updated_at, text.valid_until = 0, 100
        assert [due_at(text, n, 10) for n in range(6)] == [10, 20, 40, 80, 100, 100]
        text.updated_at = 95  # the last wait would end just after the validity: the usual time is kept all the same
        assert due_at(text, 5, 10) == 105
        text.updated_at = 100
        assert [due_at(text, n, 10) for n in (0, 3)] == [110, 180]
        assert due_at(text, 10_000, 10) < 10**7


async def test_nothing_is_asked_once_the_lease_may_be_over(url):
    held = [True]
    async with asking(url, may_send=lambda: bool(held)) as (inquirer, smsc):
        await sent(inquirer)
        held.clear()
        await inquirer.look(AFTER + 1)
        assert smsc.queries == []
        held.append(True)
        await inquirer.look(AFTER + 1)
        assert len(smsc.queries) == 1


async def test_a_link_with_query_after_0_asks_nothing(url):
    async with asking(url, query_after=0) as (inquirer, smsc):
        await sent(inquirer)
        await inquirer.look(100 * AFTER)
        assert smsc.queries == []


async def test_final_texts_and_those_that_want_no_receipt_are_not_asked_for(url):
    async with asking(url) as (inquirer, smsc):
        (plain,) = (await inquirer.smsc_client.accept("shop", [inquirer.place.draft("no", registered_delivery=0)])).ids
        await inquirer.becomes(plain, "delivered")
        told = await sent(inquirer, "told")
        smsc.deliver(smsc.receipt(smsc.submits[1], "00000002"))
        await inquirer.becomes(told, "delivered")
        await inquirer.look(AFTER + 1)
        assert smsc.queries == []


async def test_only_the_part_without_a_receipt_is_asked_for(url):
    async with asking(url) as (inquirer, smsc):
        text_id = await sent(inquirer, LONG)
        smsc.deliver(smsc.receipt(smsc.submits[0], "00000001"))
        await inquirer.until(lambda: inquirer.place.text(text_id).parts[0].step is Step.DELIVERED)
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await inquirer.look(AFTER + 1)
        assert smsc.asked_for() == ["00000002"]
        assert inquirer.place.state(text_id) == "delivered"


async def test_a_part_whose_id_means_a_newer_message_by_now_is_not_asked_for(url):
    async with QueryingSmsc(write_id=lambda _: "1") as smsc, inquiring(url, smsc) as inquirer:
        older, newer = await sent(inquirer, "older"), await sent(inquirer, "newer")
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await inquirer.look(AFTER + 1)
        assert smsc.asked_for() == ["1"]
        assert (inquirer.place.state(older), inquirer.place.state(newer)) == ("submitted", "delivered")


async def test_each_smsc_is_asked_for_the_parts_that_it_took(url):
    async with (
        QueryingSmsc(write_id=lambda n: f"a{n}") as one,
        QueryingSmsc(write_id=lambda n: f"b{n}") as two,
        inquiring(url, one, two) as inquirer,
    ):
        text_id = await sent(inquirer, "x" * 1000)
        for smsc in (one, two):
            smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await inquirer.look(AFTER + 1)
        assert one.submits
        assert two.submits
        assert sorted(one.asked_for()) == [f"a{n}" for n in range(1, len(one.submits) + 1)]
        assert sorted(two.asked_for()) == [f"b{n}" for n in range(1, len(two.submits) + 1)]
        assert inquirer.place.state(text_id) == "delivered"


# What an answer means


@pytest.mark.parametrize(
    ("state", "error_code", "becomes", "error"),
    [
        (MessageState.DELIVERED, 0, "delivered", ""),
        (MessageState.EXPIRED, 0, "expired", "EXPIRED"),
        (MessageState.DELETED, 0, "failed", "DELETED"),
        (MessageState.UNDELIVERABLE, 17, "failed", "17"),
        (MessageState.REJECTED, 0, "failed", "REJECTED"),
        (MessageState.SKIPPED, 0, "failed", "SKIPPED"),
    ],
)
async def test_a_final_state_settles_the_text_its_money_and_its_event_once(url, state, error_code, becomes, error):
    async with asking(url) as (inquirer, smsc):
        place = inquirer.place
        payer = await asyncio.to_thread(place.enrol, 10 * POUND)
        text_id = await sent(inquirer)
        assert place.wallet(payer) == (10 * POUND, PRICE)
        smsc.on_query = smsc.tells(state, error_code)
        await inquirer.look(AFTER + 1)
        text = place.text(text_id)
        assert (text.state, text.parts[0].error, text.body) == (becomes, error, None)
        left = 10 * POUND - PRICE if becomes == "delivered" else 10 * POUND
        smsc.deliver(smsc.receipt(smsc.submits[0], "00000001"))
        await smsc.wait(lambda: smsc.results)
        await inquirer.look(100 * AFTER)
        assert place.wallet(payer) == (left, 0)
        assert place.state(text_id) == becomes
        topics = [topic for (topic,) in place.read(select(tables.outbox.c.topic)) if topic.startswith("sms/")]
        assert topics == [f"sms/{becomes}"]
        assert place.booked("charge") == ([(PRICE, None)] if becomes == "delivered" else [])
        assert place.read(select(tables.early_receipts)) == []  # a receipt that comes after all is known as a double
        assert len(smsc.queries) == 1
        assert inquirer.smsc_client.queries == {("smsc-1", state.name.lower()): 1}


@pytest.mark.parametrize("state", [MessageState.ENROUTE, MessageState.ACCEPTED, MessageState.UNKNOWN, 0, 99])
async def test_a_state_that_is_not_final_changes_nothing_and_the_receipt_still_counts(url, state):
    async with asking(url) as (inquirer, smsc):
        text_id = await sent(inquirer)
        smsc.on_query = smsc.tells(state)
        await inquirer.look(AFTER + 1)
        assert (inquirer.place.state(text_id), asked(inquirer, text_id)) == ("submitted", [1])
        smsc.deliver(smsc.receipt(smsc.submits[0], "00000001"))
        await inquirer.becomes(text_id, "delivered")


async def test_an_answer_that_comes_after_the_receipt_is_ignored(url):
    async with asking(url) as (inquirer, smsc):
        kept = []
        smsc.on_query = kept.append
        text_id = await sent(inquirer)
        looking = asyncio.create_task(inquirer.look(AFTER + 1))
        await smsc.wait(lambda: kept)
        smsc.deliver(smsc.receipt(smsc.submits[0], "00000001"))
        await inquirer.becomes(text_id, "delivered")
        smsc.tells(MessageState.UNDELIVERABLE)(kept[0])
        await looking
        assert inquirer.place.state(text_id) == "delivered"


@pytest.mark.parametrize("status", [CommandStatus.ESME_RQUERYFAIL, CommandStatus.ESME_RINVMSGID, 0x4FF])
async def test_a_text_that_the_smsc_will_not_tell_of_is_not_asked_for_again_and_waits_for_its_receipt(url, status):
    async with asking(url) as (inquirer, smsc):
        text_id = await sent(inquirer)
        smsc.on_query = smsc.refuses(status)
        await inquirer.look(AFTER + 1)
        await inquirer.look(100 * AFTER)
        assert (len(smsc.queries), asked(inquirer, text_id)) == (1, [NEVER_AGAIN])
        assert inquirer.events[1:] == [QueryRefused("smsc-1", text_id, status)]
        assert inquirer.smsc_client.queries == {("smsc-1", "refused"): 1}
        smsc.deliver(smsc.receipt(smsc.submits[0], "00000001"))
        await inquirer.becomes(text_id, "delivered")


def nack(request):
    frame = encode(GenericNack(), request.sequence_number, CommandStatus.ESME_RINVCMDID)
    request.connection._transport.write(frame)


@pytest.mark.parametrize("answer", [nack, QueryingSmsc.refuses(CommandStatus.ESME_RINVCMDID)])
async def test_an_smsc_without_query_sm_is_asked_nothing_until_its_link_binds_again(url, answer):
    async with asking(url, limits=Limits(window=4, reconnect_first=0.05)) as (inquirer, smsc):
        smsc.on_query = answer
        ids = [await sent(inquirer, f"number {n}") for n in range(3)]
        await inquirer.look(AFTER + 1)
        await inquirer.look(AFTER + 2)
        assert len(smsc.queries) == 1
        assert inquirer.events[1:] == [QueriesUnsupported("smsc-1", CommandStatus.ESME_RINVCMDID)]
        assert [asked(inquirer, text_id) for text_id in ids] == [[0]] * 3
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        smsc.server.clients[0].unbind(1)
        await smsc.bound(2)
        await inquirer.until(lambda: inquirer.smsc_client.links()["smsc-1"].bound)
        await inquirer.look()
        assert {inquirer.place.state(text_id) for text_id in ids} == {"delivered"}


async def test_an_answer_about_another_message_settles_nothing(url):
    async with asking(url) as (inquirer, smsc):
        text_id = await sent(inquirer)
        smsc.on_query = smsc.tells(MessageState.DELIVERED, message_id="77")
        await inquirer.look(AFTER + 1)
        assert (inquirer.place.state(text_id), asked(inquirer, text_id)) == ("submitted", [1])
        assert inquirer.smsc_client.queries == {("smsc-1", "mismatched"): 1}


@pytest.mark.parametrize(
    ("told", "form", "same"),
    [
        ("", "auto", True),
        ("0000001A", "auto", True),
        ("26", "auto", True),
        ("26", "string", False),
        ("1b", "auto", False),
    ],
)
def test_an_answer_is_about_the_message_in_any_form_of_its_id(told, form, same):
    assert smpp_mapping.is_about(QuerySmResp(message_id=told), "1a", IdForm(form)) is same


async def test_an_smsc_that_is_busy_is_asked_again_later(url):
    async with asking(url) as (inquirer, smsc):
        text_id = await sent(inquirer)
        smsc.on_query = smsc.refuses(CommandStatus.ESME_RSYSERR)
        await inquirer.look(AFTER + 1)
        assert asked(inquirer, text_id) == [1]
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await inquirer.look(2 * AFTER + 1)
        assert inquirer.place.state(text_id) == "delivered"


async def test_a_throttled_question_is_as_due_as_before(url):
    async with asking(url, limits=Limits(window=20, throttle_first=0.05)) as (inquirer, smsc):
        text_id = await sent(inquirer)
        smsc.on_query = smsc.refuses(CommandStatus.ESME_RTHROTTLED)
        await inquirer.look(AFTER + 1)
        assert asked(inquirer, text_id) == [0]
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await inquirer.look(AFTER + 1)
        assert inquirer.place.state(text_id) == "delivered"


async def test_a_question_without_an_answer_frees_its_slot_counts_and_a_late_answer_settles_it(url):
    async with asking(url, limits=Limits(window=4, response_timeout=0.1)) as (inquirer, smsc):
        kept = []
        smsc.on_query = kept.append
        text_id = await sent(inquirer)
        await inquirer.look(AFTER + 1)
        assert asked(inquirer, text_id) == [1]
        assert inquirer.smsc_client.queries == {("smsc-1", "unanswered"): 1}
        smsc.tells(MessageState.DELIVERED)(kept[0])
        await inquirer.becomes(text_id, "delivered")


async def test_a_link_that_drops_between_question_and_answer_asks_again_when_it_is_back(url):
    async with asking(url) as (inquirer, smsc):
        smsc.on_query = lambda request: request.connection._transport.abort()
        text_id = await sent(inquirer)
        await inquirer.look(AFTER + 1)
        assert asked(inquirer, text_id) == [0]
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await smsc.bound(2)
        await inquirer.until(lambda: inquirer.smsc_client.links()["smsc-1"].bound)
        await inquirer.look()
        assert inquirer.place.state(text_id) == "delivered"


# How much is asked at a time


async def test_questions_take_a_quarter_of_the_window_and_all_are_asked_in_the_end(url):
    async with asking(url, limits=Limits(window=8)) as (inquirer, smsc):
        waiting, most = [], []

        def later(request):
            waiting.append(request)
            most.append(len(waiting))

            def answer():
                waiting.remove(request)
                smsc.tells(MessageState.DELIVERED)(request)

            asyncio.get_running_loop().call_later(0.02, answer)

        smsc.on_query = later
        ids = await inquirer.send(*(inquirer.place.draft(f"number {n}") for n in range(12)))
        await inquirer.look(AFTER + 1)
        assert max(most) == 2
        assert {inquirer.place.state(text_id) for text_id in ids} == {"delivered"}


async def test_a_text_goes_out_before_the_questions_that_wait(url):
    async with asking(url, limits=Limits(window=1)) as (inquirer, smsc):
        order, kept = [], []
        for n in range(3):
            await sent(inquirer, f"silent {n}")

        def first_is_slow(request):
            order.append(request.message.message_id)
            kept.append(request)
            if len(kept) > 1:
                smsc.tells(MessageState.DELIVERED)(request)

        smsc.on_query = first_is_slow
        take = smsc.on_submit
        smsc.on_submit = lambda *request: (order.append("text"), take(*request))
        looking = asyncio.create_task(inquirer.look(AFTER + 1))
        await smsc.wait(lambda: kept)
        await inquirer.smsc_client.accept("shop", [inquirer.place.draft("new")])
        smsc.tells(MessageState.DELIVERED)(kept[0])
        await looking
        assert order == ["00000001", "text", "00000002", "00000003"]


async def test_another_start_asks_for_what_the_last_process_left_open(url):
    async with QueryingSmsc() as smsc:
        async with inquiring(url, smsc) as first:
            smsc.on_query = lambda _: None
            text_id = await sent(first)
            first.ahead = AFTER + 1
            await first.smsc_client.inquire()
            await smsc.wait(lambda: smsc.queries)
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        async with inquiring(url, smsc) as second:
            await second.look(AFTER + 1)
            assert second.place.state(text_id) == "delivered"
            assert len(smsc.queries) == 2


# The units and the reading


def accepted(place, number, body="hello", link="smsc-1"):
    (text_id,) = place.accept(place.draft(body)).ids
    place.take(text_id)
    place.lane.run(RecordOutcomes([SubmitOutcome(text_id, 0, link, Step.ACCEPTED, f"{number:x}", stated="")]))
    return text_id


def test_a_look_reads_a_batch_and_the_next_goes_on_behind_it_until_it_begins_anew(url):
    with text_place(url) as place, place.reader.connect() as connection:
        ids = [accepted(place, n) for n in range(1, BATCH + 21)]
        later, afters = next(place.ticks) + AFTER * SECOND, {"smsc-1": AFTER * SECOND}
        first, cursor = silent_parts(connection, place.node.owned, 0, later, afters)
        second, end = silent_parts(connection, place.node.owned, cursor, later, afters)
        assert [question.text_id for question in first + second] == ids
        assert (len(first), end) == (BATCH, 0)
        assert silent_parts(connection, place.node.owned, 0, later, {"smsc-2": SECOND}) == ([], 0)
        assert silent_parts(connection, (place.node.id + 1,), 0, later, afters) == ([], 0)
        assert set(centres_of(connection, first, ["smsc-1"])) == set(first)
        assert centres_of(connection, first, ["elsewhere"]) == {}


def test_the_search_reads_open_texts_and_awaited_receipts_by_their_indexes(url):
    statements = []
    with text_place(url) as place, place.reader.connect() as connection:
        accepted(place, 1)
        event.listen(
            connection, "before_cursor_execute", lambda _c, _u, text, given, *_: statements.append((text, given))
        )
        found, _ = silent_parts(connection, place.node.owned, 0, next(place.ticks) + HOUR, {"smsc-1": SECOND})
        assert centres_of(connection, found, ["smsc-1"])
        plans = [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all())
            for text, given in list(statements)
            if text.startswith("SELECT")
        ]
    assert "ix_texts_open" in plans[0]
    assert "PRIMARY KEY (message_id=? AND link=?)" in plans[1]


def test_a_finding_about_a_part_that_moved_meanwhile_or_is_gone_changes_nothing(url):
    with text_place(url) as place:
        text_id = accepted(place, 0xA)

        def note(message_id="a", text=text_id):
            return place.lane.run(RecordFinding(QueryFinding(text, 0, message_id, Step.FAILED, "x")))

        assert note("b") is False
        assert note(text=text_id + 1) is False
        assert place.state(text_id) == "submitted"
        assert note() is True
        assert note() is False
        assert place.state(text_id) == "failed"


def test_parts_that_an_older_version_wrote_are_read(url):
    with text_place(url) as place:
        text_id = accepted(place, 0xA)
        old = b"\x91\x84" + b"".join(
            bytes([0xA0 + len(word)]) + word for word in (b"step", b"accepted", b"message_id", b"a", b"error", b"")
        ) + b"\xacmaybe_double\xc2"  # fmt: skip
        with place.writer.begin() as connection:
            connection.execute(tables.texts.update().values(parts=old))
        (part,) = place.text(text_id).parts
        assert (part.step, part.message_id, part.stated, part.asked) == (Step.ACCEPTED, "a", "", 0)
        assert place.lane.run(RecordFinding(QueryFinding(text_id, 0, "a", Step.DELIVERED))) is True
