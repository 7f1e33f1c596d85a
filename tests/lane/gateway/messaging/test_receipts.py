"""Which text a receipt settles: by id, receiver and reference, before the response or after it, in any form of each."""

import pytest
from sqlalchemy import delete, insert, select
from support.charging_fixture import MSISDN, PENNY
from support.messaging_fixture import CODE, FRIEND, LINK, text_place
from support.old_stores import store_at
from support.one_batch import together

from gateway.messaging.inbound.deliver_sm import receipt
from gateway.messaging.inbound.delivery_receipts import Recorded, RecordReceipts
from gateway.messaging.queue.crossed_receipts import Crossed, SettleCrossed, crossed_receipts
from gateway.messaging.queue.mt_status import RecordOutcomes, SubmitOutcome
from gateway.messaging.queue.query_sm import PendingQuery, centres_of
from gateway.messaging.receipts import MOST_OF_ONE_ID, UNANSWERED, Receipt, reference_id
from gateway.messaging.texts import Step
from gateway.store import schema, tables
from protocols.smpp.messages import DeliverSm
from protocols.smpp.receipts import IdForm, parse_receipt

LONG = "many words " * 20
OTHER = "447700900003"
UUID = "5e9c1f0a-77b2-4c3d-9e8f-0123456789ab"


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as opened:
        opened.enrol(1000 * PENNY)
        yield opened
        assert opened.books_are_right()


def out(place, message_id=None, **options):
    """A text that is out; with an id the SMSC accepted it."""
    (text_id,) = place.accept(place.draft(**{"source": CODE} | options)).ids
    place.take(text_id)
    if message_id is not None:
        place.answer(text_id, message_id=message_id)
    return text_id


def comes(place, source=FRIEND, destination=CODE, text="id:a1 stat:DELIVRD", *, form=IdForm.AUTO, **fields):
    """A receipt as a PDU; gives how many parts it moved."""
    fields = {"esm_class": 4, "short_message": text.encode()} | fields
    message = DeliverSm(source_addr=source, destination_addr=destination, **fields)
    read = receipt(LINK, message, parse_receipt(message), form, "GB")
    return place.lane.run(RecordReceipts([read])).moved


def states(place, *ids):
    return [place.state(text_id) for text_id in ids]


def test_of_texts_with_one_message_id_the_receivers_number_says_which(place):
    first, second = out(place, "1"), out(place, "1", destination=OTHER)
    assert place.receipt("1", reference=place.text(first).reference_number) == 1
    assert states(place, first, second) == ["delivered", "submitted"]
    assert place.receipt("1", reference=place.text(first).reference_number) == 0  # it comes twice
    assert states(place, first, second) == ["delivered", "submitted"]
    assert place.receipt("1", Step.FAILED, destination=OTHER) == 1
    assert states(place, first, second) == ["delivered", "failed"]


def test_of_texts_with_one_message_id_to_one_number_our_reference_says_which(place):
    first, second = out(place, "1"), out(place, "1")
    assert place.receipt("1", Step.FAILED, reference=place.text(first).reference_number) == 1
    assert states(place, first, second) == ["failed", "submitted"]
    assert place.receipt("1", reference=place.text(second).reference_number) == 1
    assert states(place, first, second) == ["failed", "delivered"]


def test_of_texts_with_one_message_id_a_receipt_that_tells_nothing_else_means_the_newest(place):
    first, second = out(place, "1"), out(place, "1", destination=OTHER)
    assert place.receipt("1", destination="") == 1
    assert states(place, first, second) == ["submitted", "delivered"]


def test_an_smsc_that_gives_all_texts_one_id_is_waited_for_within_bounds(place):
    ids = [out(place, "0", destination=f"4477009{n:05d}") for n in range(MOST_OF_ONE_ID + 5)]
    rows = place.read(select(tables.awaited_receipts.c.text_id))
    assert [text_id for (text_id,) in rows] == ids[5:]
    moved = [place.receipt("0", destination=f"4477009{n:05d}") for n in range(5, MOST_OF_ONE_ID + 5)]
    assert moved == [1] * MOST_OF_ONE_ID
    assert place.read(select(tables.awaited_receipts)) == []


def test_of_texts_with_one_message_id_the_newest_alone_is_asked_for(place):
    first, second = out(place, "1"), out(place, "1", destination=OTHER)
    questions = [PendingQuery(text_id, 0, CODE, "1", "1", LINK) for text_id in (first, second)]
    with place.reader.connect() as connection:
        assert list(centres_of(connection, questions, [LINK])) == questions[1:]


def test_early_receipts_of_texts_with_one_message_id_wait_for_the_text_to_their_number(place):
    first, second = out(place), out(place, destination=OTHER)
    assert comes(place, FRIEND, text="id:1 stat:UNDELIV") == 0
    place.answer(second, message_id="1")
    place.answer(first, message_id="1")
    assert states(place, first, second) == ["failed", "submitted"]


@pytest.mark.parametrize("answered", ["before", "between", "after"])
def test_of_two_final_receipts_of_a_text_the_first_counts_whenever_its_answer_comes(place, answered):
    text_id = out(place, "1" if answered == "before" else None)
    comes(place, text="id:1 stat:DELIVRD")
    if answered == "between":
        place.answer(text_id, message_id="1")
    comes(place, text="id:1 stat:UNDELIV")
    if answered == "after":
        place.answer(text_id, message_id="1")
    assert place.state(text_id) == "delivered"


def long_text(place, *message_ids):
    """A text of parts that are out; those with an id were accepted."""
    (text_id,) = place.accept(place.draft(LONG, source=CODE)).ids
    place.take(text_id, 0, 1)
    for part, message_id in enumerate(message_ids):
        place.answer(text_id, message_id=message_id, part=part)
    return text_id


@pytest.mark.parametrize("kept", ["255", "ff"])
def test_early_receipts_of_parts_that_share_an_id_settle_a_part_each_in_their_order(place, kept):
    text_id = long_text(place)
    for stat in ("UNDELIV", "DELIVRD", "DELIVRD"):  # the last one came twice
        assert comes(place, text=f"id:0000000255 stat:{stat}") == 0
    place.answer(text_id, message_id=kept, part=1)
    assert [part.step for part in place.text(text_id).parts] == ["sent", "failed"]
    place.answer(text_id, message_id=kept, part=0)
    assert [part.step for part in place.text(text_id).parts] == ["delivered", "failed"]
    assert states(place, text_id) == ["failed"]
    assert place.read(select(tables.early_receipts)) == []


def test_equal_receipts_of_parts_that_share_an_id_settle_a_part_each_and_no_third_thing(place):
    """Those of one minute are equal to the octet: nothing says which is a second one of the same part (decision 007)."""
    text_id, other = long_text(place, "a1", "a1"), out(place, "b2")
    assert [comes(place) for _ in range(3)] == [1, 1, 0]
    assert [part.step for part in place.text(text_id).parts] == ["delivered", "delivered"]
    assert states(place, other) == ["submitted"]


def test_early_receipts_of_parts_that_share_an_id_settle_those_that_are_answered_in_one_batch(place):
    text_id = long_text(place)
    comes(place, CODE, FRIEND, text="id:1 stat:DELIVRD")
    comes(place, CODE, FRIEND, text="id:1 stat:DELIVRD")
    place.lane.run(RecordOutcomes([SubmitOutcome(text_id, part, LINK, Step.ACCEPTED, "1") for part in (0, 1)]))
    assert states(place, text_id) == ["delivered"]


def test_an_early_receipt_that_came_twice_is_not_left_for_the_next_text_under_its_id(place):
    first = out(place)
    comes(place, text="id:0 stat:UNDELIV")
    comes(place, text="id:0 stat:UNDELIV")
    place.answer(first, message_id="0")
    second = out(place, "0")
    assert states(place, first, second) == ["failed", "submitted"]
    assert place.read(select(tables.early_receipts)) == []


def nameless(place, text_id, part=0):
    """The SMSC accepts a part, and gives it no id."""
    text = place.text(text_id)
    kept = reference_id(text.destination, text.part_reference(part))
    place.lane.run(RecordOutcomes([SubmitOutcome(text_id, part, LINK, Step.ACCEPTED, kept)]))


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("words", ["id:a1 stat:DELIVRD", "stat:DELIVRD"])
@pytest.mark.parametrize(("source", "destination"), [(FRIEND, CODE), ("07700900002", CODE), (CODE, FRIEND)])
def test_a_part_without_a_message_id_is_settled_by_our_reference(place, source, destination, words, early):
    text_id, other = out(place), out(place)
    if not early:
        nameless(place, text_id)
    reference = place.text(text_id).reference_number
    moved = comes(place, source, destination, words, user_message_reference=reference)
    if early:
        nameless(place, text_id)
    nameless(place, other)
    assert (moved, states(place, text_id, other)) == (0 if early else 1, ["delivered", "submitted"])
    comes(place, source, destination, words, user_message_reference=reference)  # it comes twice
    assert states(place, text_id, other) == ["delivered", "submitted"]
    assert [part.message_id for part in place.text(text_id).parts] == [""]


def test_each_part_without_a_message_id_is_settled_by_its_own_reference(place):
    text_id = long_text(place)
    for part in (0, 1):
        nameless(place, text_id, part)
    references = [place.text(text_id).part_reference(part) for part in (1, 0)]
    assert comes(place, text="id:a1 stat:UNDELIV", user_message_reference=references[0]) == 1
    assert comes(place, text="id:a1 stat:DELIVRD", user_message_reference=references[1]) == 1
    assert [part.step for part in place.text(text_id).parts] == ["delivered", "failed"]


def test_a_part_without_a_message_id_is_settled_by_nothing_else(place):
    """Its number alone could be that of a receipt of another text, which came twice."""
    named, text_id = out(place, "a1"), out(place)
    nameless(place, text_id)
    reference = place.text(text_id).reference_number
    assert comes(place, text="id:a1 stat:DELIVRD") == 1
    assert comes(place, text="id:a1 stat:DELIVRD") == 0
    assert comes(place, text="id:b2 stat:DELIVRD", user_message_reference=reference + 1) == 0
    assert comes(place, OTHER, text="id:b2 stat:DELIVRD", user_message_reference=reference) == 0
    assert states(place, named, text_id) == ["delivered", "submitted"]


def test_an_early_receipt_that_nobody_asked_for_in_time_gives_way_to_that_of_the_next_text_under_its_id(place):
    assert comes(place, text="id:1 stat:UNDELIV") == 0
    rows = tables.early_receipts
    with place.writer.begin() as connection:
        connection.execute(rows.update().values(created_at=rows.c.created_at - UNANSWERED))
    text_id = out(place)
    assert comes(place, text="id:1 stat:DELIVRD") == 0
    place.answer(text_id, message_id="1")
    assert place.state(text_id) == "delivered"


def test_a_receipt_of_a_text_that_is_not_answered_yet_settles_no_other_one_under_its_id(place):
    first, second = out(place, "0"), out(place, destination=OTHER)
    assert comes(place, OTHER, text="id:0 stat:UNDELIV") == 0
    assert states(place, first, second) == ["submitted", "submitted"]
    assert comes(place, FRIEND, text="id:0 stat:DELIVRD") == 1
    place.answer(second, message_id="0")
    assert states(place, first, second) == ["delivered", "failed"]


def test_a_receipt_of_an_unanswered_text_settles_none_that_gets_its_id_in_the_same_batch(place):
    first, second = out(place), out(place, destination=OTHER)
    answered = RecordOutcomes([SubmitOutcome(first, 0, LINK, Step.ACCEPTED, "0")])
    _, recorded = together(place.lane, answered, RecordReceipts([Receipt(LINK, ("0",), Step.FAILED, "", OTHER)]))
    assert recorded == Recorded(0, [0])
    place.answer(second, message_id="0")
    assert states(place, first, second) == ["submitted", "failed"]


def test_a_receipt_from_a_number_that_nothing_is_out_to_settles_the_only_text_under_its_id(place):
    first, _ = out(place, "0"), out(place, "1", destination=OTHER)
    assert comes(place, OTHER, text="id:0 stat:UNDELIV") == 1
    assert place.state(first) == "failed"


def test_a_reference_means_one_part_of_one_text_among_those_that_follow_each_other(place):
    long = place.accept(place.draft(LONG, source=CODE)).ids[0]
    place.take(long, 0, 1)
    short = out(place)
    for text_id, part in ((long, 0), (long, 1), (short, 0)):
        place.answer(text_id, Step.DOUBTFUL, part=part)
    references = [place.text(long).part_reference(0), place.text(long).part_reference(1)]
    assert place.receipt("77", reference=place.text(short).reference_number) == 1
    assert states(place, long, short) == ["doubtful", "delivered"]
    assert [place.receipt("77", reference=reference) for reference in references] == [1, 1]
    assert place.state(long) == "delivered"


def test_a_receipt_settles_a_part_that_becomes_doubtful_in_the_same_batch(place):
    text_id = out(place)
    found = Receipt(LINK, ("77",), Step.DELIVERED, "", FRIEND, place.text(text_id).reference_number)
    doubt = RecordOutcomes([SubmitOutcome(text_id, 0, LINK, Step.DOUBTFUL, error="no answer")])
    _, recorded = together(place.lane, doubt, RecordReceipts([found]))
    assert recorded.moved == 1
    assert states(place, text_id) == ["delivered"]


def test_the_references_of_a_thousand_long_texts_in_a_row_are_all_different(place):
    text = place.text(out(place))
    parts = [(text.reference_number + n + place_of * 40_503) & 0xFFFF for n in range(1000) for place_of in range(10)]
    assert text.part_reference(3) == (text.reference_number + 3 * 40_503) & 0xFFFF
    assert len(set(parts)) == len(parts)


FORMS = [
    (FRIEND, CODE, {"source_addr_ton": 1}),
    ("07700900002", CODE, {}),
    ("7700900002", CODE, {"source_addr_ton": 2}),
    ("00447700900002", CODE, {}),
    ("+447700900002", CODE, {}),
    ("", CODE, {}),
    ("", "", {}),
    (CODE, FRIEND, {}),
    (CODE, "07700900002", {}),
    (CODE, CODE, {}),
    ("TPO", CODE, {"source_addr_ton": 5}),
]


@pytest.mark.parametrize(("source", "destination", "fields"), FORMS)
def test_a_receipt_before_the_response_is_matched_by_id_whatever_its_addresses(place, source, destination, fields):
    text_id = out(place)
    assert comes(place, source, destination, **fields) == 0
    place.answer(text_id, message_id="a1")
    assert place.state(text_id) == "delivered"
    assert place.read(select(tables.early_receipts)) == []


@pytest.mark.parametrize(("source", "destination", "fields"), FORMS)
def test_a_receipt_after_the_response_is_matched_by_id_whatever_its_addresses(place, source, destination, fields):
    text_id = out(place, "a1")
    assert comes(place, source, destination, **fields) == 1
    assert place.state(text_id) == "delivered"


@pytest.mark.parametrize("early", [True, False])
def test_a_receipt_with_swapped_addresses_of_a_text_between_customers_is_matched(place, early):
    text_id = out(place, None if early else "a1", source=MSISDN)
    assert comes(place, MSISDN, FRIEND) == (0 if early else 1)
    if early:
        place.answer(text_id, message_id="a1")
    assert place.state(text_id) == "delivered"
    assert place.read(select(tables.early_receipts)) == []


def test_an_early_receipt_of_somebody_elses_number_does_not_settle_a_text_by_its_id_alone(place):
    text_id = out(place)
    comes(place, OTHER)
    place.answer(text_id, message_id="a1")
    assert place.state(text_id) == "submitted"


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("kept", "tlv", "told"),
    [
        ("a1", "upstream-7", "a1"),
        ("a1", "a1", "upstream-7"),
        ("ff", "upstream-7", "0000000255"),
        (UUID, UUID.upper(), "9"),
    ],
)
def test_a_receipt_with_two_ids_is_matched_by_either(place, early, kept, tlv, told):
    text_id = out(place, None if early else kept)
    moved = comes(place, text=f"id:{told} stat:DELIVRD", receipted_message_id=tlv)
    if early:
        place.answer(text_id, message_id=kept)
    assert (moved, place.state(text_id)) == (0 if early else 1, "delivered")


@pytest.mark.parametrize("early", [True, False])
def test_a_uuid_may_be_answered_in_capitals(place, early):
    text_id = out(place, None if early else UUID)
    comes(place, text=f"id:{UUID.upper()} stat:DELIVRD")
    if early:
        place.answer(text_id, message_id=UUID)
    assert place.state(text_id) == "delivered"


def test_receipts_that_name_nothing_that_is_waited_for_are_told_of_by_their_place(place):
    known = out(place, "a1")
    reads = []
    for text in ("id:zz stat:DELIVRD", "id:a1 stat:DELIVRD", "id:yy stat:ACCEPTD"):
        message = DeliverSm(source_addr=FRIEND, esm_class=4, short_message=text.encode())
        reads.append(receipt(LINK, message, parse_receipt(message), IdForm.AUTO, "GB"))
    recorded = place.lane.run(RecordReceipts(reads))
    assert (recorded.moved, recorded.unknown, place.state(known)) == (1, [0, 2], "delivered")


def test_what_was_waited_for_before_an_id_could_mean_several_texts_is_waited_for_still(tmp_path):
    url = f"sqlite:///{tmp_path}/old.db"
    writer = store_at(url, "0006")
    values = {
        "id": 7,
        "node": 1,
        "source": CODE,
        "destination": FRIEND,
        "body": "x",
        "link": LINK,
        "state": "submitted",
        "payer": None,
        "held": 0,
        "covered": 0,
        "bundle_ends_at": 0,
        "reference_number": 7,
        "parts": b"\x90",
        "registered_delivery": 1,
        "always": 0,
        "created_at": 5,
        "updated_at": 5,
        "valid_until": 9,
        "final": 0,
    }
    with writer.begin() as connection:
        connection.execute(insert(tables.texts).values(values))
        for text_id in (7, 8):  # the text of the second one is swept
            connection.exec_driver_sql(
                "INSERT INTO awaited_receipts (link, message_id, text_id, part, created_at) "
                f"VALUES ('{LINK}', 'id-{text_id}', {text_id}, 0, 5)"
            )
    schema.upgrade(writer)
    with writer.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(tables.awaited_receipts))]
    assert rows == [(LINK, "id-7", 7, 0, FRIEND, 5)]
    writer.dispose()


# Two gateways


def crossing(place):
    with place.reader.connect() as connection:
        return crossed_receipts(connection, place.node.owned, next(place.ticks))


@pytest.mark.parametrize("receiver", [FRIEND, OTHER])
def test_a_receipt_that_crossed_with_the_acceptance_of_its_text_settles_it_and_no_other_does(place, receiver):
    """Two transactions of two gateways: neither saw what the other had not committed yet."""
    text_id, other_id = out(place), out(place, "b2")
    assert place.receipt("a1", destination=receiver) == 0
    rows = tables.early_receipts
    with place.writer.begin() as connection:
        early = connection.execute(select(rows)).all()
        connection.execute(delete(rows))
    place.answer(text_id, message_id="a1")
    with place.writer.begin() as connection:
        connection.execute(insert(rows), [row._asdict() for row in early])
    found = crossing(place)
    assert found == [Crossed(text_id, 0, LINK, "a1")]
    settled = receiver == FRIEND
    assert place.lane.run(SettleCrossed(found)) == settled
    assert states(place, text_id, other_id) == ["delivered" if settled else "submitted", "submitted"]
    assert bool(crossing(place)) != settled
    assert place.lane.run(SettleCrossed(found)) == 0
    place.pass_by(UNANSWERED // 1_000_000 + 1)
    assert crossing(place) == []
