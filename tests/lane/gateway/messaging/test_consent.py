"""STOP holds: what a customer who is out may say, what he is answered, and what alone brings him back."""

import msgspec
import pytest
from support.charging_fixture import MSISDN, PENNY
from support.messaging_fixture import CODE, FRIEND, OWN, text_place

from gateway.messaging.inbound.senders import HOUR

POUND = 100 * PENNY
STRANGER = "447700900099"


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as opened:
        opened.enrol(10 * POUND)
        yield opened
        assert opened.books_are_right()


def reaches(place):
    """Whether a text of ours that nobody asked for reaches the customer."""
    (text_id,) = place.accept(place.draft("news", source=CODE, destination="447700900001")).ids
    return place.take(text_id) == [0]


@pytest.mark.parametrize(
    "words",
    [
        "I said STOP",
        "Thanks",
        "ok",
        "f off",
        "who is this",
        "👍",
        "",
        "YES",
        "oui",
        "NO",
        "start with that and I complain",
        "GIVE WATERAID 5",
        "give",
        "CAUSE WWF",
        "BALANCE",
        "TENTH",
        "HELP",
        "solde",
        "ayuda",
        "id:1 stat:DELIVRD",
    ],
)
def test_after_a_stop_no_other_words_opt_in_again(place, words):
    place.says("STOP")
    place.come(words)
    assert place.out()
    assert not reaches(place)


@pytest.mark.parametrize("words", ["Thanks", "ok", "f off", "YES", "NO", "🤬"])
def test_words_that_ask_for_nothing_are_not_answered_to_who_is_out(place, words):
    place.says("STOP")
    led_to = place.come(words)
    assert (led_to.answers, led_to.silent) == ([], "opted_out")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("BALANCE", "Your balance is £10.00."),
        ("TENTH", "So far £0.00"),
        ("HELP", "Test operator on 70070"),
        ("CAUSE", "Text CAUSE and one of these"),
        ("GIVE WATERAID", "How much would you like to give?"),
        ("GIVE WATERAID 5", "Reply YES to give £5.00"),
    ],
)
def test_what_a_customer_asks_for_himself_is_answered_though_he_is_out(place, words, answer):
    place.says("STOP")
    (text,) = place.come(words).answers
    assert text.body.startswith(answer)
    assert place.take(text.id) == [0]


@pytest.mark.parametrize("to", [CODE, OWN, "4470070"])
def test_a_stop_to_a_short_code_or_number_of_ours_ends_the_texts_of_both_in_whatever_form(place, to):
    assert place.says("STOP", to=to) is not None
    for source in (CODE, OWN, "4470070"):
        (sent,) = place.accept(place.draft(source=source, destination=MSISDN)).ids
        assert (place.take(sent), place.state(sent)) == ([], "cancelled")
    (other,) = place.accept(place.draft(source="61016", destination=MSISDN)).ids
    assert place.take(other) == [0]


def test_at_a_short_code_of_ours_without_services_stop_and_start_count_without_a_word(place):
    place.decide_by(msgspec.structs.replace(place.messaging_policy, own=frozenset({CODE, OWN, "61016"})))

    def goes_out():
        (sent,) = place.accept(place.draft(source="61016", destination=MSISDN)).ids
        return place.take(sent) == [0]

    for words, wanted in (("BALANCE", True), ("no, stop", False), ("thanks", False), ("START", True)):
        led_to = place.come(words, to="61016")
        assert (led_to.answers, led_to.silent, goes_out()) == ([], "", wanted)
    place.come("STOP", "07700900001", to="61016")
    assert not goes_out()
    assert place.says("BALANCE").startswith("Your balance is")


def test_an_answer_that_was_on_its_way_when_the_stop_came_does_not_go_out(place):
    (balance,) = place.come("BALANCE").answers
    place.says("STOP")
    assert place.take(balance.id) == []


@pytest.mark.parametrize(
    "words", ["START", "unstop", "start please", "Opt in", "REPRENDRE", "réactiver", "ALTA", "dar de alta"]
)
def test_a_start_in_each_language_opts_in_again_and_is_confirmed(place, words):
    place.says("STOP")
    (text,) = place.come(words).answers
    assert "70070" in text.body
    assert not place.out()
    assert reaches(place)


def test_a_yes_to_a_question_of_ours_opts_in_again(place):
    place.says("STOP")
    place.says("GIVE WATERAID 5")
    assert place.out()
    assert "Thank you" in place.says("YES")
    assert not place.out()
    assert place.booked("gift") == [(5 * POUND, None)]


def test_a_yes_that_is_refused_does_not_opt_in(place):
    place.says("STOP")
    place.says("GIVE WATERAID 10")
    place.says("GIVE WATERAID 5")
    place.accept(*(place.draft(f"n{n}") for n in range(300)))
    assert "doesn't cover" in place.says("YES")
    assert place.out()


@pytest.mark.parametrize("stop", ["STOP", "Cancel", "ANNULER", "cancelar", "baja", "arrêt", "unsubscribe"])
def test_a_question_dies_of_a_stop_and_a_yes_after_it_neither_gives_nor_opts_in(place, stop):
    place.says("GIVE WATERAID 5")
    assert place.says(stop).startswith("Test operator")
    assert place.says("YES") is None
    assert place.out()
    assert place.booked("gift") == []


@pytest.mark.parametrize("words", ["No. Stop.", "no, unsubscribe me", "ok stop", "I said STOP"])
def test_a_stop_after_a_no_or_an_ok_counts_where_nothing_was_asked(place, words):
    assert "no more texts" in place.says(words)
    assert place.out(MSISDN)
    place.pass_by(11)
    assert place.come(words).answers == []


def test_a_no_and_a_stop_drop_the_question_that_is_open_and_count_when_said_again(place):
    place.says("GIVE WATERAID 1")
    assert "Nothing was taken" in place.says("no, stop it")
    assert not place.out(MSISDN)
    assert "no more texts" in place.says("no, stop it now")
    assert place.out(MSISDN)


def test_a_stranger_may_say_no_and_stop(place):
    assert "no more texts" in place.says("No stop", STRANGER)


def test_a_stop_is_confirmed_once_and_a_start_twice_if_it_is_said_twice(place):
    assert place.says("STOP") is not None
    place.pass_by(11)
    assert place.says("STOP") is None
    assert place.says("START") is not None
    place.pass_by(11)
    assert place.says("START") is not None


def test_a_stranger_may_stop_and_start_and_is_told_nothing_while_out(place):
    assert place.says("STOP", STRANGER) is not None
    assert place.says("BALANCE", STRANGER) is None
    assert place.says("HELP", STRANGER) is not None
    assert place.says("START", STRANGER) is not None
    assert place.says("BALANCE", STRANGER).startswith("This service is for customers")


# Who is never answered

UNANSWERED = {
    "our own number": ({"source": OWN}, "own_number"),
    "our own number in national form": ({"source": "07700900777"}, "own_number"),
    "our own number with its exit code": ({"source": "00447700900777"}, "own_number"),
    "our own number with a plus": ({"source": "+447700900777"}, "own_number"),
    "our own short code": ({"source": CODE}, "short_code"),
    "another short code": ({"source": "60606"}, "short_code"),
    "a short code of eight digits": ({"source": "12345678"}, "short_code"),
    "an abbreviated number": ({"source": "447700900001", "source_addr_ton": 6}, "short_code"),
    "a name": ({"source": "TPO"}, "name"),
    "a name of digits": ({"source": "447700900001", "source_addr_ton": 5}, "name"),
    "a name with digits": ({"source": "O2 447700900"}, "name"),
    "nobody": ({"source": ""}, "no_source"),
    "blanks": ({"source": "  "}, "no_source"),
    "a plus alone": ({"source": "+"}, "no_source"),
    "a handset that has received a text": ({"esm_class": 0x08}, "acknowledgement"),
    "a handset whose owner pressed a key": ({"esm_class": 0x10}, "acknowledgement"),
    "a type that is reserved": ({"esm_class": 0x24}, "acknowledgement"),
}


@pytest.mark.parametrize(("fields", "reason"), UNANSWERED.values(), ids=UNANSWERED)
def test_a_text_that_no_person_sent_is_not_answered(place, fields, reason):
    for words in ("BALANCE", "hello", "HELP", "GIVE WATERAID 5", "YES"):
        led_to = place.come(words, **fields)
        assert (led_to.answers, led_to.silent) == ([], reason)
    assert place.booked("gift") == []


DATA = {
    "a push to a browser": (b"\x06\x05\x04\x0b\x84\x23\xf0\x01\x06\x03\xbe", {"esm_class": 0x40, "data_coding": 4}),
    "a business card": (b"\x06\x05\x04\x23\xf4\x00\x00BEGIN:VCARD", {"esm_class": 0x40}),
    "for an application of the SIM": (b"\x02\x70\x00hello", {"esm_class": 0x40}),
    "binary": (bytes(range(20)), {"data_coding": 0xF5}),
}


@pytest.mark.parametrize(("words", "fields"), DATA.values(), ids=DATA)
def test_data_for_a_program_are_not_answered(place, words, fields):
    led_to = place.come(words, **fields)
    assert (led_to.answers, led_to.silent) == ([], "data")


@pytest.mark.parametrize(
    "words", [b"BALANCE", b"BALANCE\r\n", b"\x05\x00\x03\x09\x01\x01BALANCE", b"\x03\x25\x01\x01BALANCE"]
)
def test_a_text_that_is_marked_as_binary_or_has_another_header_is_answered(place, words):
    esm_class = 0x40 if words[0] < ord(" ") else 0
    assert place.says(words, esm_class=esm_class, data_coding=0 if esm_class else 4).startswith("Your balance is")


@pytest.mark.parametrize("source", [OWN, CODE, "TPO", "60606"])
def test_a_stop_from_where_nobody_is_answered_counts_without_a_word(place, source):
    led_to = place.come("STOP", source)
    assert led_to.answers == []
    assert place.out(source)


RECEIPTS = {
    "of appendix B": b"id:1a2b sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:hi",
    "in capitals": b"ID:77 STAT:UNDELIV ERR:1",
    "short": b"id: 5 done date:2611231201",
    "in UCS-2": "id:1a stat:DELIVRD err:000".encode("utf-16-be"),
    "with a stat that nobody knows": b"stat:NACK id:9",
    "with an equals sign": b"id=77 stat=DELIVRD err=000",
    "with longer names": b"msgid: 77 status: DELIVRD",
}


@pytest.mark.parametrize("words", RECEIPTS.values(), ids=RECEIPTS)
def test_what_reads_like_a_receipt_is_not_answered(place, words):
    for data_coding in (0, 3, 8):
        led_to = place.come(words, data_coding=data_coding)
        assert (led_to.answers, led_to.silent) == ([], "receipt")


def test_what_carries_the_parameters_of_a_receipt_is_not_answered(place):
    assert place.come("hello", receipted_message_id="77").silent == "receipt"
    assert place.come("hello again", message_state=2).silent == "receipt"


@pytest.mark.parametrize(
    "words",
    [
        "id: what is my balance?",
        "my stat: 5",
        "balance:",
        "text: BALANCE",
        "What is the status: my id: 77",
        "order id=5 state=?",
    ],
)
def test_what_only_has_a_word_of_a_receipt_is_answered(place, words):
    assert len(place.come(words).answers) == 1


def test_a_silent_text_to_a_number_without_services_is_not_counted(place):
    del place.messaging_policy.books[CODE]
    assert place.come("hello", "TPO").silent == ""


# How often one is answered


@pytest.fixture
def few(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/few.db", answers_per_hour=5) as opened:
        opened.enrol(20 * POUND)
        opened.enrol(10 * POUND, imsi="234150000000002", msisdn=FRIEND)
        yield opened
        assert opened.books_are_right()


def driving(place, times, source="447700900001"):
    """How many answers a handset gets that answers each text by itself."""
    return sum(len(place.come(f"I am driving, {n}", source).answers) for n in range(times))


def test_a_number_is_answered_so_often_in_an_hour_then_there_is_silence_and_one_event(few):
    assert driving(few, 20) == 5
    assert len(few.told("sms/answers_limited")) == 1
    (told,) = few.told("sms/answers_limited")
    assert (told["subject"], told["data"]) == ("p0001", {"to": CODE, "answers_per_hour": 5})
    assert few.come("BALANCE").silent == "limit"
    assert driving(few, 20, FRIEND) == 5


def test_whoever_looks_hears_of_the_first_withheld_answer_alone(few):
    driving(few, 5)
    assert [few.come(words).limited for words in ("a", "b", "c")] == ["p0001", "", ""]


def test_the_hour_slides(few):
    assert driving(few, 3) == 3
    few.pass_by(HOUR // 2_000_000)
    assert driving(few, 3) == 2
    few.pass_by(HOUR // 2_000_000)
    assert driving(few, 9) == 3


def test_the_count_holds_over_a_restart(tmp_path):
    url = f"sqlite:///{tmp_path}/few.db"
    with text_place(url, answers_per_hour=5) as place:
        place.enrol(10 * POUND)
        assert driving(place, 3) == 3
    with text_place(url, answers_per_hour=5) as place:
        assert driving(place, 9) == 2
    with text_place(url, answers_per_hour=5) as place:
        assert driving(place, 9) == 0


def test_a_stop_counts_though_its_confirmation_is_one_too_many(few):
    driving(few, 5)
    assert few.says("STOP") is None
    assert few.out()


def test_stop_and_start_in_turn_are_limited_like_everything(few):
    assert sum(len(few.come(words).answers) for _ in range(10) for words in ("STOP", "START")) == 5


def test_a_question_is_asked_only_where_its_yes_can_be_answered_too(few):
    driving(few, 4)
    assert few.says("GIVE WATERAID 5") is None
    assert few.says("YES") is not None  # there is nothing to confirm
    assert few.booked("gift") == []


def test_the_last_answer_is_kept_for_the_yes_to_an_open_question(few):
    driving(few, 3)
    assert "Reply YES" in few.says("GIVE WATERAID 5")
    assert few.says("BALANCE") is None
    assert "Thank you" in few.says("YES")
    assert few.says("BALANCE") is None
    assert few.booked("gift") == [(5 * POUND, None)]


@pytest.mark.parametrize(("most", "answered"), [(0, 0), (1, 1), (2, 2)])
def test_the_smallest_limits(tmp_path, most, answered):
    with text_place(f"sqlite:///{tmp_path}/few.db", answers_per_hour=most) as place:
        place.enrol(10 * POUND)
        assert (
            sum(len(place.come(words).answers) for words in ("GIVE WATERAID 5", "YES", "BALANCE", "TENTH")) == answered
        )
        assert (place.booked("gift") != []) is (most > 0)


@pytest.mark.parametrize("data_coding", [0, 8])
@pytest.mark.parametrize("source", [f"+44 {MSISDN[2:6]} {MSISDN[6:]}", f"0{MSISDN[2:6]}-{MSISDN[6:]}"])
def test_a_stop_counts_however_its_number_is_parted_and_whatever_alphabet_it_is_said_to_have(
    place, source, data_coding
):
    assert place.says(b"STOP", source=source, data_coding=data_coding) is not None
    assert place.out()


@pytest.mark.parametrize("data_coding", [0, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_a_stop_with_an_accent_counts_though_its_data_coding_is_one_of_seven_bits(place, data_coding, encoding):
    assert place.says("arrêt".encode(encoding), data_coding=data_coding) is not None
    assert place.out()
