"""Texts as units of the write lane: each arrow of their states, the money with it, receipts, texts in and keywords."""

import itertools
import json

import pytest
from sqlalchemy import select
from support.charging_fixture import MSISDN, PENNY
from support.messaging_fixture import CODE, FRIEND, HOUR, text_place

from gateway.messaging.inbound.deliver_sm import arrival
from gateway.messaging.inbound.lost_parts import overdue_parts
from gateway.messaging.inbound.unfinished import EndUnfinished
from gateway.messaging.submit import Refusal
from gateway.messaging.texts import FINAL, STEPS, Step, TextPart, TextState
from gateway.store import tables
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DeliverSm
from protocols.smpp.receipts import IdForm

POUND = 100 * PENNY
PRICE = 2 * PENNY
LONG = "many words " * 20
OTHER = "447700900003"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/texts.db"


@pytest.fixture
def place(url):
    with text_place(url) as opened:
        yield opened
        assert opened.books_are_right()


@pytest.fixture
def payer(place):
    return place.enrol(10 * POUND)


def sent(place, message_id="a1", **options):
    """A text that the SMSC accepted."""
    (text_id,) = place.accept(place.draft(**options)).ids
    assert place.take(text_id) == [0]
    place.answer(text_id, message_id=message_id)
    return text_id


@pytest.mark.parametrize(("start", "end"), list(itertools.product(Step, Step)))
def test_a_part_goes_where_the_table_lets_it_and_nowhere_else(start, end):
    part = TextPart(start, error="before")
    allowed = end in STEPS[start]
    assert part.go(end, "after") is allowed
    assert (part.step, part.error) == ((end, "after") if allowed else (start, "before"))


def test_final_parts_go_nowhere_and_all_others_can_come_to_an_end():
    assert {Step.DELIVERED, Step.FAILED, Step.EXPIRED, Step.CANCELLED} == FINAL
    for start in set(Step) - FINAL:
        assert STEPS[start] & FINAL


WHOLES = [
    ((Step.WAITING, Step.SENT), TextState.QUEUED),
    ((Step.SENT, Step.ACCEPTED), TextState.SUBMITTED),
    ((Step.DOUBTFUL, Step.WAITING), TextState.DOUBTFUL),
    ((Step.DELIVERED, Step.ACCEPTED), TextState.SUBMITTED),
    ((Step.DELIVERED, Step.DELIVERED), TextState.DELIVERED),
    ((Step.DELIVERED, Step.FAILED), TextState.FAILED),
    ((Step.DELIVERED, Step.EXPIRED), TextState.EXPIRED),
    ((Step.CANCELLED, Step.CANCELLED), TextState.CANCELLED),
]


@pytest.mark.parametrize(("steps", "state"), WHOLES)
def test_the_state_of_the_whole_follows_from_its_parts(place, steps, state):
    text = place.accept(place.draft(LONG)).new[0]
    text.parts = [TextPart(step) for step in steps]
    final = set(steps) <= FINAL
    assert text.settle(5) is final
    assert text.state is state
    assert (text.body is None) is final
    assert text.settle(6) is False  # it becomes final once


def test_the_price_is_held_on_accept_and_charged_once_on_delivery_with_its_tenth(place, payer):
    text_id = sent(place)
    assert place.wallet(payer) == (10 * POUND, PRICE)
    assert place.state(text_id) == "submitted"
    assert place.books_are_right()
    assert place.receipt("a1") == 1
    assert place.wallet(payer) == (10 * POUND - PRICE, 0)
    assert place.state(text_id) == "delivered"
    assert place.receipt("a1") == 0
    assert place.booked("charge") == [(PRICE, None)]
    assert place.booked("accrual") == [(PRICE // 10, PRICE)]
    assert place.text(text_id).body is None
    (row,) = place.read(select(tables.usage))
    assert (row.service, row.units, row.price, row.subscriber_id) == ("sms", 1, PRICE, payer)


@pytest.mark.parametrize("end", [Step.FAILED, Step.EXPIRED])
def test_the_hold_is_given_back_when_a_text_does_not_arrive(place, payer, end):
    text_id = sent(place)
    place.receipt("a1", end)
    assert place.wallet(payer) == (10 * POUND, 0)
    assert place.state(text_id) == end.value
    assert place.booked("charge") == []


def test_a_text_that_the_message_centre_refuses_is_given_back(place, payer):
    (text_id,) = place.accept(place.draft()).ids
    place.take(text_id)
    place.answer(text_id, Step.FAILED, error="ESME_RINVDSTADR")
    assert place.wallet(payer) == (10 * POUND, 0)
    assert place.state(text_id) == "failed"


def test_a_text_of_two_parts_is_paid_when_both_have_arrived(place, payer):
    (text_id,) = place.accept(place.draft(LONG)).ids
    assert place.wallet(payer) == (10 * POUND, 2 * PRICE)
    assert place.take(text_id, 0, 1) == [0, 1]
    for part, message_id in enumerate(("a", "b")):
        place.answer(text_id, message_id=message_id, part=part)
    place.receipt("b")
    assert place.wallet(payer) == (10 * POUND, 2 * PRICE)
    place.receipt("a")
    assert place.wallet(payer) == (10 * POUND - 2 * PRICE, 0)


def test_one_text_too_many_refuses_the_request_whole_and_holds_nothing(place):
    poor = place.enrol(PRICE)
    refused = place.accept(place.draft("one"), place.draft("two"))
    assert (refused.place, refused.code) == (1, "sms.credit")
    assert place.wallet(poor) == (PRICE, 0)
    assert place.read(select(tables.texts)) == []


def test_a_reference_leads_to_the_same_text_again_and_never_to_another(place, payer):
    first = place.accept(place.draft(reference="r"), place.draft(reference="r"))
    assert len(set(first.ids)) == len(first.new) == 1
    again = place.accept(place.draft(reference="r"))
    assert (again.ids, again.new) == (first.ids[:1], [])
    assert isinstance(place.accept(place.draft("other words", reference="r")), Refusal)
    assert place.accept(place.draft("other words", reference="r"), client="office").ids != first.ids[:1]
    assert place.wallet(payer) == (10 * POUND, 2 * PRICE)


def allowance(left, held=0, ends_at=1_800_000_000_000_000):
    told = {"plan": "payg-gb", "ends_at": ends_at, "left": {"sms": left}, "held": {"sms": held}, "id": 7}
    return json.dumps({"allowances": [told]}).encode()


def bundle_of(place, payer):
    (raw,) = place.read(select(tables.wallets.c.bundle).where(tables.wallets.c.subscriber_id == payer))[0]
    (found,) = json.loads(raw)["allowances"]
    return found["left"]["sms"], found["held"]["sms"]


@pytest.mark.parametrize(("end", "left"), [(Step.DELIVERED, 0), (Step.FAILED, 1)])
def test_a_bundle_covers_what_it_can_and_the_rest_is_paid(place, payer, end, left):
    place.bundle(payer, allowance(1))
    (text_id,) = place.accept(place.draft(LONG)).ids
    assert bundle_of(place, payer) == (1, 1)
    assert place.wallet(payer) == (10 * POUND, PRICE)
    place.take(text_id, 0, 1)
    for part, message_id in enumerate(("a", "b")):
        place.answer(text_id, message_id=message_id, part=part)
        place.receipt(message_id, end)
    assert bundle_of(place, payer) == (left, 0)
    assert place.wallet(payer) == (10 * POUND - (PRICE if end is Step.DELIVERED else 0), 0)


def test_a_text_that_a_bundle_covers_costs_nothing_but_is_told_as_usage(place, payer):
    place.bundle(payer, allowance(3))
    sent(place)
    place.receipt("a1")
    assert bundle_of(place, payer) == (2, 0)
    assert place.wallet(payer) == (10 * POUND, 0)
    assert [row.price for row in place.read(select(tables.usage))] == [0]
    assert place.booked("charge") == []


def test_an_early_receipt_waits_for_the_answer_to_its_text(place, payer):
    (text_id,) = place.accept(place.draft()).ids
    place.take(text_id)
    assert place.receipt("a1") == 0
    assert place.state(text_id) == "submitted"
    assert place.receipt("a1") == 0  # and doubled
    place.answer(text_id, message_id="A1")
    assert place.state(text_id) == "delivered"
    assert place.wallet(payer) == (10 * POUND - PRICE, 0)
    assert [row.message_id for row in place.read(select(tables.early_receipts))] == []


@pytest.mark.parametrize(
    ("told", "receipt", "form"),
    [
        ("a1", "A1", IdForm.AUTO),
        ("000123", "123", IdForm.AUTO),
        ("0xFF", "255", IdForm.AUTO),
        ("ff", "0000000255", IdForm.DECIMAL),
        ("255", "ff", IdForm.AUTO),
        ("255", "00FF", IdForm.HEX),
        ("name-7", "name-7", IdForm.AUTO),
    ],
)
def test_a_receipt_is_matched_in_whichever_form_its_id_is_written(place, told, receipt, form):
    text_id = sent(place, told)
    assert place.receipt(receipt, form=form) == 1
    assert place.state(text_id) == "delivered"


def test_of_two_texts_that_an_id_may_mean_the_receivers_number_says_which(place):
    sixteen = sent(place, "10")  # the decimal 16, if it is hexadecimal
    ten = sent(place, "a", destination=OTHER)  # the decimal 10
    assert place.receipt("10", destination=OTHER) == 1
    assert (place.state(sixteen), place.state(ten)) == ("submitted", "delivered")


def test_a_receipt_of_another_link_means_another_text(place):
    text_id = sent(place)
    assert place.receipt("a1", link="smsc-2") == 0
    assert place.state(text_id) == "submitted"


def test_a_doubtful_text_is_settled_and_paid_by_a_receipt_that_echoes_our_reference(place, payer):
    (text_id,) = place.accept(place.draft()).ids
    place.take(text_id)
    place.answer(text_id, Step.DOUBTFUL)
    assert place.state(text_id) == "doubtful"
    assert place.receipt("77", reference=place.text(text_id).reference_number) == 1
    assert place.state(text_id) == "delivered"
    assert place.wallet(payer) == (10 * POUND - PRICE, 0)


def test_a_text_sent_again_is_marked_and_accepted_once(place, payer):
    (text_id,) = place.accept(place.draft()).ids
    place.take(text_id)
    place.answer(text_id, Step.DOUBTFUL)
    place.answer(text_id, Step.WAITING)
    assert place.take(text_id) == [0]
    assert place.take(text_id) == []  # it is out
    place.answer(text_id, message_id="1")
    place.answer(text_id, message_id="2")  # the answer to the other sending
    assert (place.receipt("1"), place.receipt("2")) == (1, 0)
    assert place.text(text_id).parts[0].maybe_double
    assert place.wallet(payer) == (10 * POUND - PRICE, 0)


def attempts(place, text_id):
    return [part.attempts for part in place.text(text_id).parts]


def test_sendings_without_an_answer_are_counted_in_the_part(place, payer):
    (text_id,) = place.accept(place.draft()).ids
    for count in (1, 2):
        place.take(text_id)
        place.answer(text_id, Step.DOUBTFUL)
        place.answer(text_id, Step.WAITING)
        assert attempts(place, text_id) == [count]
    place.take(text_id)
    assert attempts(place, text_id) == [3]


def test_a_sending_that_was_put_off_or_never_went_out_is_none(place, payer):
    (text_id,) = place.accept(place.draft()).ids
    for _ in range(3):
        place.take(text_id)
        place.answer(text_id, Step.WAITING, error="ESME_RSYSERR")
        place.answer(text_id, Step.WAITING, error="ESME_RSYSERR")  # and once more when its pause is over
        assert attempts(place, text_id) == [0]
    assert place.text(text_id).parts[0].error == "ESME_RSYSERR"


def test_each_part_counts_its_own_sendings(place, payer):
    (text_id,) = place.accept(place.draft(LONG)).ids
    place.take(text_id, 0, 1)
    place.answer(text_id, Step.DOUBTFUL, part=1)
    place.answer(text_id, Step.WAITING, part=1)
    place.take(text_id, 1)
    assert attempts(place, text_id) == [1, 2]


def test_a_receipt_in_a_plain_text_counts_if_it_comes_from_the_receiver(place):
    text_id = sent(place, source=CODE)
    assert place.receipt("a1", destination=OTHER, by_text=True) == 0
    assert place.read(select(tables.early_receipts)) == []
    assert place.state(text_id) == "submitted"
    assert place.receipt("a1", destination="0" + FRIEND[2:], by_text=True) == 1
    assert place.state(text_id) == "delivered"


def test_a_payer_cannot_write_the_receipt_of_the_text_that_he_pays_for(place, payer):
    text_id = sent(place)
    assert place.receipt("a1", Step.FAILED, destination=MSISDN, by_text=True) == 0
    assert place.state(text_id) == "submitted"
    assert place.receipt("a1", by_text=True) == 1
    assert place.wallet(payer) == (10 * POUND - PRICE, 0)


@pytest.mark.parametrize("source", ["", CODE])
def test_a_receipt_in_a_plain_text_may_have_no_source_or_swapped_addresses(place, source):
    text_id = sent(place, source=CODE)
    assert place.receipt("a1", destination=source, by_text=True) == 1
    assert place.state(text_id) == "delivered"


def test_a_receiver_who_opted_out_since_gets_nothing_but_the_confirmation(place, payer):
    friend = place.enrol(POUND, imsi="234150000000002", msisdn=FRIEND)
    (text_id,) = place.accept(place.draft("an offer", source=CODE)).ids
    (confirmation,) = place.come("STOP", FRIEND).answers
    assert place.take(text_id) == []
    assert place.state(text_id) == "cancelled"
    assert place.take(confirmation.id) == [0]
    assert place.come("stop", FRIEND).answers == []  # confirmed once
    assert place.take(place.accept(place.draft("from a person")).ids[0]) == [0]
    (balance,) = place.come("BALANCE", FRIEND).answers
    assert place.take(balance.id) == [0]  # asked for by the customer himself
    assert place.take(place.accept(place.draft("an offer", source=CODE)).ids[0]) == []
    assert place.says("START", FRIEND) is not None
    assert place.take(place.accept(place.draft("an offer", source=CODE)).ids[0]) == [0]
    assert place.wallet(friend) == (POUND, 0)


def test_a_text_out_of_time_expires_before_it_goes_out_and_is_given_back(place, payer):
    late = place.accept(place.draft(valid_until=1)).ids[0]
    swept = place.accept(place.draft(valid_until=1)).ids[0]
    unanswered = sent(place, valid_until=next(place.ticks) + 5_000)
    assert place.take(late) == []
    assert place.state(late) == "expired"
    next(itertools.islice(place.ticks, 10, None))
    assert place.expire(late, swept, unanswered) == 1
    assert (place.state(swept), place.state(unanswered)) == ("expired", "submitted")
    assert place.wallet(payer) == (10 * POUND, PRICE)
    next(itertools.islice(place.ticks, HOUR // 1_000, None))
    assert place.expire(unanswered) == 1
    assert place.receipt("a1") == 0  # too late
    assert place.wallet(payer) == (10 * POUND, 0)


def parts_of(words, reference):
    """A text cut into parts of three letters, each with a header of eight bits (3GPP TS 23.040 §9.2.3.24.1)."""
    pieces = [words[i : i + 3] for i in range(0, len(words), 3)]
    return [bytes((5, 0, 3, reference, len(pieces), n)) + p.encode() for n, p in enumerate(pieces, 1)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_parts_become_whole_in_any_order_and_each_senders_own(url, order):
    mine, other = parts_of("BALANCE", 9), parts_of("TENTH  ", 9)
    with text_place(url) as place:
        place.enrol(10 * POUND)
        first = place.come(mine[order[0]], esm_class=0x40)
        place.come(other[order[1]], OTHER, esm_class=0x40)
        assert not first.whole
        assert not place.come(mine[order[1]], esm_class=0x40).whole
    with text_place(url) as place:  # opened again: parts are kept
        assert place.come(mine[order[2]], esm_class=0x40).answers[0].body.count("10.00") == 1
        assert place.come(other[order[0]], OTHER, esm_class=0x40).whole is False
        assert place.come(other[order[2]], OTHER, esm_class=0x40).whole
        assert place.read(select(tables.segments)) == []


def test_of_two_texts_under_one_reference_the_older_that_was_lost_in_part_is_given_up(place, payer):
    lost, newer = parts_of("TENTH  ", 9), parts_of("STOP it", 9)
    assert not place.come(lost[0], esm_class=0x40).whole
    assert not place.come(lost[1], esm_class=0x40).whole
    assert not place.come(newer[0], esm_class=0x40).whole
    place.pass_by(11)
    assert not place.come(newer[0], esm_class=0x40).whole  # the same part once more
    assert not place.come(newer[1], esm_class=0x40).whole
    assert "no more texts" in place.come(newer[2], esm_class=0x40).answers[0].body
    assert place.read(select(tables.segments)) == []


def end_unfinished(place):
    """Wait no longer for what the store finds overdue; gives the confirmations."""
    with place.reader.connect() as connection:
        before = next(place.ticks) - place.messaging_policy.reassembly
        found = overdue_parts(connection, before)
    return [answer.body for answer in place.lane.run(EndUnfinished(found))]


@pytest.mark.parametrize(
    ("there", "heard"),
    [
        ({0: "STOP texting me all day, I hav"}, True),
        ({0: "Who is this? ", 1: "STOP. You"}, True),
        ({1: "STOP"}, True),
        ({1: "stop is at the corner"}, False),
        ({0: "START"}, False),
        ({0: "GIVE WATERAID 5"}, False),
        ({0: "The bus ", 1: "stop is at the corner"}, False),
    ],
)
def test_a_stop_in_what_is_there_of_a_text_is_heard_when_its_rest_is_waited_for_no_longer(place, payer, there, heard):
    for number, words in there.items():
        assert not place.come(bytes((5, 0, 3, 9, 3, number + 1)) + words.encode(), esm_class=0x40).whole
    assert end_unfinished(place) == []
    assert not place.out()
    place.pass_by(1801)
    answers = end_unfinished(place)
    assert (len(answers), place.out()) == (int(heard), heard)
    assert not heard or "no more texts" in answers[0]
    assert place.read(select(tables.segments)) == []
    assert end_unfinished(place) == []


@pytest.mark.parametrize("late", [True, False])
def test_a_stop_in_a_text_that_gives_way_to_a_newer_one_of_its_reference_is_heard(place, payer, late):
    place.come(parts_of("STOP it", 9)[0] + b"P", esm_class=0x40)
    if late:
        place.pass_by(1801)
    arrived = place.come(parts_of("BALANCE", 9)[1 if late else 0], esm_class=0x40)
    assert ["no more texts" in answer.body for answer in arrived.answers] == [True]
    assert place.out()
    assert len(place.read(select(tables.segments))) == 1


def test_a_stop_of_which_a_part_is_lost_ends_nothing_that_a_later_start_began(place, payer):
    place.come(b"\5\0\3\x09\2\1STOP texting me", esm_class=0x40)
    place.come(b"\5\0\3\x08\2\1BALANCE", esm_class=0x40)
    assert "again" in place.says("START")
    assert len(place.read(select(tables.segments))) == 1
    place.pass_by(1801)
    assert end_unfinished(place) == []
    assert not place.out()


@pytest.mark.parametrize("address", ["A" * 40, "4477009000014477009000014477"])
def test_an_address_that_is_longer_than_there_are_fits_the_store(address):
    message = DeliverSm(source_addr=address, destination_addr=address, short_message=b"STOP")
    came = arrival("smsc-1", "smsc.host.example:2775", message, Alphabet.GSM7, came_at=1, bound_at=0, country="GB")
    assert address.startswith(came.source)
    for column in (tables.segments.c.source, tables.arrivals.c.source, tables.opt_outs.c.msisdn):
        assert len(came.source) == len(came.destination) <= column.type.length


def test_a_second_give_replaces_the_question_and_a_second_yes_does_nothing(place, payer):
    assert "5.00" in place.says("GIVE WATERAID 5")
    assert "3.00" in place.says("GIVE WWF 3")
    assert "3.00" in place.says("YES")
    assert place.wallet(payer) == (7 * POUND, 0)
    place.says("YES")
    assert place.booked("gift") == [(3 * POUND, None)]
    assert place.wallet(payer) == (7 * POUND, 0)


def test_a_question_dies_of_stop_and_of_time(place, payer):
    place.says("GIVE WATERAID 5")
    place.says("STOP")
    place.says("YES")
    place.says("GIVE WATERAID 5")
    next(itertools.islice(place.ticks, 600_000, None))
    place.says("YES")
    assert place.booked("gift") == []


def test_a_stranger_is_told_so_and_cannot_give(place):
    assert place.says("GIVE WATERAID 5", OTHER) is not None
    assert place.says("HELP", OTHER) is not None
    assert place.read(select(tables.questions)) == []


@pytest.mark.parametrize("destination", ["448001111", "116123"])
def test_a_text_to_a_free_number_holds_and_costs_nothing_though_the_wallet_is_empty(place, destination):
    broke = place.enrol(0, imsi="234150000000009", msisdn="447700900009")
    (text_id,) = place.accept(place.draft(source="447700900009", destination=destination)).ids
    assert place.wallet(broke) == (0, 0)
    place.take(text_id)
    place.answer(text_id, message_id="a9")
    place.receipt("a9", destination=destination)
    assert place.wallet(broke) == (0, 0)


BUNDLED = {"imsi": "234150000000008", "msisdn": "447700900008", "plan": "bundle-gb"}


def test_a_line_whose_plan_has_a_bundle_is_sold_it_by_its_first_text_as_by_its_first_session(place):
    owner = place.enrol(10 * POUND, **BUNDLED)
    place.accept(place.draft(source=BUNDLED["msisdn"]))
    assert [amount for amount, _ in place.booked("sale")] == [7_500_000]
    place.accept(place.draft(source=BUNDLED["msisdn"]))
    assert len(place.booked("sale")) == 1
    assert place.wallet(owner)[0] == 10 * POUND - 7_500_000
    assert place.books_are_right()


def test_a_request_that_is_refused_sells_no_bundle(place):
    owner = place.enrol(8 * POUND, **BUNDLED)
    broke = place.enrol(0, imsi="234150000000009", msisdn="447700900009")
    refused = place.accept(place.draft(source=BUNDLED["msisdn"]), place.draft(source="447700900009"))
    assert refused.code == "sms.credit"
    assert (place.wallet(owner), place.wallet(broke), place.booked("sale")) == ((8 * POUND, 0), (0, 0), [])
    assert place.books_are_right()
