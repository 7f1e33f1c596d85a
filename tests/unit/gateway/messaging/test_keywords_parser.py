"""What texts ask for, read with the shipped keyword book."""

# ruff: noqa: RUF001  (people type letters that look like others: that is what is tested)

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messaging.keywords.amounts import take_amount
from gateway.messaging.keywords.catalogue import KeywordBook, Language, Service
from gateway.messaging.keywords.normalize import tokens
from gateway.messaging.keywords.parser import (
    Asked,
    Balance,
    Choose,
    Give,
    Help,
    KeywordRequest,
    No,
    Reason,
    Start,
    Stop,
    Tenth,
    Unknown,
    Yes,
    read,
)
from gateway.settings import load

ROOT = Path(__file__).parents[4]
BOOK = load(ROOT / "config/gateway.yaml", {}).keywords["70070"]
POUND = 1_000_000


def reading(text):
    return read(text, BOOK)


def gift(amount, cause="wateraid", language="en", currency=""):
    return Give(language, cause, round(amount * POUND), currency)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("GIVE WATERAID 5", gift(5)),
        ("give wateraid £5", gift(5, currency="GBP")),
        ("Give £5.50 to WaterAid!", gift(5.5, currency="GBP")),
        ("  please give 5,50 to Water Aid, thanks ", gift(5.5)),
        ("GIVE5WATERAID", gift(5)),
        ("GIVE,WATERAID,5", gift(5)),
        ("give wateraid...5.", gift(5)),
        ("donate 5 pounds to water-aid", gift(5, currency="GBP")),
        ("GIVE $10 FEEDING AMERICA", gift(10, "feeding-america", currency="USD")),
        ("give 200p wwf", gift(2, "wwf", currency="GBP")),
        ("give 150 cents wwf", gift(1.5, "wwf")),
        ("GIVE 7", gift(7, None)),
        ("give save the children 5", gift(5, "save-the-children")),
        ("give Trussell Trust 05.5", gift(5.5, "trussell-trust")),
        ("GIVE WWF 1", gift(1, "wwf")),
        ("GIVE WWF 40", gift(40, "wwf")),
        ("DON WATERAID 5,50", gift(5.5, language="fr")),
        ("Donner 5€ à WaterAid, merci", gift(5, language="fr", currency="EUR")),
        ("DON 5 livres pour la WWF svp", gift(5, "wwf", "fr", "GBP")),
        ("DONAR WATERAID 5,50", gift(5.5, language="es")),
        ("Dona 5 libras para WaterAid por favor", gift(5, language="es", currency="GBP")),
        ("donar 5 dólares a feeding", gift(5, "feeding-america", "es", "USD")),
    ],
)
def test_gifts(text, wish):
    assert reading(text) == wish


@pytest.mark.parametrize(
    ("text", "reason", "cause"),
    [
        ("GIVE WATERAID", Reason.HOW_MUCH, "wateraid"),
        ("GIVE", Reason.HOW_MUCH, None),
        ("GIVE WATERAID five", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID 5 10", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID 1,000", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID 5.505", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID £5 $5", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID £5p", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID 5.5p", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID 5'50", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID .50", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID £.50", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID ,5", Reason.HOW_MUCH, "wateraid"),
        ("GIVE WATERAID 5k", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID 5²", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID 5½", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID 5%", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID ¥5", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID 1e2", Reason.WHICH_CAUSE, None),
        ("GIVE WATERAID 0", Reason.OUT_OF_BOUNDS, "wateraid"),
        ("GIVE WATERAID 50p", Reason.OUT_OF_BOUNDS, "wateraid"),
        ("GIVE WATERAID 0.99", Reason.OUT_OF_BOUNDS, "wateraid"),
        ("GIVE WATERAID 40.01", Reason.OUT_OF_BOUNDS, "wateraid"),
        ("GIVE WATERAID 999999999", Reason.OUT_OF_BOUNDS, "wateraid"),
        ("GIVE WATERAID " + "9" * 500, Reason.HOW_MUCH, "wateraid"),
        ("GIVE OXFAM 5", Reason.WHICH_CAUSE, None),
        ("GIVE WWF WATERAID 5", Reason.WHICH_CAUSE, None),
        ("GIVE WWF 5 at the end", Reason.WHICH_CAUSE, None),
    ],
)
def test_a_gift_that_could_be_misread_is_asked_back(text, reason, cause):
    assert reading(text) == Unknown("en", reason, cause)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("YES", Yes("en")),
        ("y", Yes("en")),
        ("Yes please, thank you 😀", Yes("en")),
        ("yes yes YES", Yes("en")),
        ("Y E S", Yes("en")),
        ("oui merci", Yes("fr")),
        ("D’accord", Yes("fr")),
        ("¡SÍ!", Yes("es")),
        ("si, por favor", Yes("es")),
        ("CAUSE", Choose("en", None)),
        ("cause?", Choose("en", None)),
        ("CAUSE wwf", Choose("en", "wwf")),
        ("change my cause to W.W.F.", Choose("en", "wwf")),
        ("choisir emerge poverty free", Choose("fr", "emerge-poverty-free")),
        ("ASSOCIATIONS", Choose("fr", None)),
        ("elegir la wwf", Choose("es", "wwf")),
        ("CAUSE wwf wateraid", Unknown("en", Reason.WHICH_CAUSE)),
        ("BALANCE", Balance("en")),
        ("my balance please", Balance("en")),
        ("Solde ?", Balance("fr")),
        ("¿saldo?", Balance("es")),
        ("TENTH", Tenth("en")),
        ("dixieme", Tenth("fr")),
        ("DÉCIMO", Tenth("es")),
        ("HELP", Help("en")),
        ("info", Help("en")),
        ("Aide-moi", Help("fr")),
        ("ayúda", Help("es")),
    ],
)
def test_the_other_services_in_three_languages(text, wish):
    assert reading(text) == wish


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("NO", "en"),
        ("no thanks!", "en"),
        ("N", "en"),
        ("N o.", "en"),
        ("No, I changed my mind", "en"),
        ("nope", "en"),
        ("don't", "en"),
        ("do not take it", "en"),
        ("Never mind", "en"),
        ("please no", "en"),
        ("Non merci", "fr"),
        ("pas d’accord", "fr"),
        ("mejor no", "es"),
        ("nada", "es"),
    ],
)
def test_a_no_is_one_whatever_follows(text, language):
    assert reading(text) == No(language)


@pytest.mark.parametrize("text", ["no, stop it", "No. Stop.", "no stop", "NO unsubscribe me", "n. please end this"])
def test_a_no_tells_whether_a_stop_stands_after_it(text):
    assert reading(text) == No("en", stops=True)


@pytest.mark.parametrize(
    "text", ["no more texts", "No más", "Do not text", "CANCEL", "annuler", "cancelar", "don't text me"]
)
def test_what_begins_like_a_no_and_is_a_stop_word_stops(text):
    assert isinstance(reading(text), Stop)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("START", "en"),
        ("start please", "en"),
        ("Unstop!", "en"),
        ("UN STOP", "en"),
        ("opt-in", "en"),
        ("Start again", "en"),
        ("reprendre svp", "fr"),
        ("ALTA", "es"),
        ("dar de alta", "es"),
    ],
)
def test_a_start_is_one_if_nothing_else_stands_in_it(text, language):
    assert reading(text) == Start(language)


@pytest.mark.parametrize("text", ["START 70070", "start TPO", "TPO start please", "UNSTOP T.P.O. please"])
def test_what_we_are_called_means_nothing_behind_a_start_or_a_yes_either(text):
    assert reading(text) == Start("en")
    assert reading("YES 70070") == reading("yes please TPO") == Yes("en")
    assert read("yes 70070", BOOK, asked=ASKED) == Yes("en")
    assert reading("YES 70071") == reading("yes tpo but no") == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("What's my balance?", Balance("en")),
        ("can you tell me my balance", Balance("en")),
        ("ok balance", Balance("en")),
        ("I need help", Help("en")),
        ("Could you help me please", Help("en")),
        ("quiero saldo", Balance("es")),
        ("je voudrais mon solde", Balance("fr")),
        ("I want to give 5", Unknown("en", Reason.NO_SERVICE)),
        ("I want to start", Unknown("en", Reason.NO_SERVICE)),
        ("I would like to say yes", Unknown("en", Reason.NO_SERVICE)),
    ],
)
def test_what_moves_no_money_may_be_asked_for_in_more_words(text, wish):
    assert reading(text) == wish


@pytest.mark.parametrize(
    "text", ["start with that and I sue you", "when does it start", "starting", "start me up", "restart my phone"]
)
def test_a_doubtful_start_is_none(text):
    assert reading(text) == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize("text", ["START STOP", "start no stop", "unstop unsubscribe"])
def test_a_stop_after_a_start_stops(text):
    assert reading(text) == Stop("en")


@pytest.mark.parametrize("text", ["YES but not 5", "yes I do not want that", "yesterday", "yes 5", "yes no"])
def test_a_doubtful_yes_is_none(text):
    assert reading(text) == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("wateraid 5", gift(5)),
        ("£5 water aid please", gift(5, currency="GBP")),
        ("5 wwf", gift(5, "wwf")),
        ("wateraid 500", Unknown("en", Reason.OUT_OF_BOUNDS, "wateraid")),
        ("oxfam 5", Unknown("en", Reason.NO_SERVICE)),
        ("is wateraid open at 5", Unknown("en", Reason.NO_SERVICE)),
        ("wateraid 5 6", Unknown("en", Reason.NO_SERVICE)),
        ("5", Unknown("en", Reason.NO_SERVICE)),
    ],
)
def test_a_cause_and_an_amount_are_a_gift_without_a_keyword(text, wish):
    assert reading(text) == wish


@pytest.mark.parametrize("tail", ["xx", " x", "xoxo", "\nxxx", " thanks xx"])
@pytest.mark.parametrize(("text", "wish"), [("GIVE WATERAID 5", gift(5)), ("YES", Yes("en")), ("START", Start("en"))])
def test_kisses_mean_nothing(text, wish, tail):
    assert reading(f"{text} {tail}") == wish


@pytest.mark.parametrize(
    "tail",
    [
        "Sent from my phone",
        "Sent from my iPhone 15",
        "sent from Outlook for Android",
        "SENT VIA my Samsung Galaxy S23, an AT&T 5G phone",
        "Get Outlook for iOS",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone 15",
        "--\nJohn Smith, 5 High Street",
    ],
)
@pytest.mark.parametrize(("text", "wish"), [("GIVE WATERAID 5", gift(5)), ("Yes.", Yes("en")), ("Stop", Stop("en"))])
def test_what_a_phone_adds_at_the_end_means_nothing(text, wish, tail):
    assert reading(f"{text}\n\n{tail}") == wish
    assert reading(f"{text}\n{tail}") == wish


def test_a_stop_word_after_what_a_phone_adds_still_undoes_a_yes():
    assert reading("yes\nSent from my phone. Stop") == Stop("en")
    assert reading("Sent from my phone") == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize("text", ["yes 👎", "👎🏽 yes", "YES ❌", "oui 👎", "yes wateraid 👎", "🚫 yes"])
def test_a_yes_with_a_thumb_down_is_none(text):
    assert isinstance(reading(text), Unknown)
    assert isinstance(read(text, BOOK, asked=ASKED), Unknown)


@pytest.mark.parametrize(
    "text",
    ["TPO STOP", "70070 STOP", "tpo: please stop", "70070 TPO end", "T.P.O. unsubscribe me", "Hi TPO, please stop"],
)
def test_a_stop_is_one_after_what_we_are_called(text):
    assert reading(text) == Stop("en")


def test_a_keyword_stands_after_what_we_are_called():
    assert reading("TPO BALANCE") == Balance("en")
    assert reading("70070 give wateraid 5") == reading("70070 wateraid 5") == gift(5)
    assert reading("TPO") == reading("70070") == Unknown("en", Reason.NO_SERVICE)
    named = frozenset({"thepeoplesoperator"})
    assert read("The People's Operator: stop", BOOK, names=named) == Stop("en")


ASKED = Asked("wateraid", 5 * POUND, "GBP")


@pytest.mark.parametrize(
    "text",
    [
        *("ok", "OK.", "Okay thanks", "k", "sure", "👍", "👍🏽", "👍👍", "✅", "ok 👍", "yep ok xx"),
        *(
            "yes wateraid",
            "YES WATER AID xx",
            "yes 5",
            "yes £5 to wateraid please",
            "ok wateraid 5",
            "yes give wateraid 5",
        ),
        *("ok\nSent from my iPhone 15", "YES"),
    ],
)
def test_while_a_question_is_open_what_agrees_to_it_is_a_yes(text):
    assert read(text, BOOK, asked=ASKED) == Yes("en")


@pytest.mark.parametrize("text", ["ok", "Okay thanks", "sure", "👍", "✅", "yes wateraid", "yes 5", "👎"])
def test_without_a_question_what_may_agree_to_one_is_nothing(text):
    assert reading(text) == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize(
    "text",
    [
        *("yes wwf", "yes 6", "yes $5", "ok 50", "yes wateraid 6", "yes but not 5", "yes I do not want that", "yes no"),
        *("ok but how much", "ok no", "👍👎", "yes 5 6", "okapi", "ok wwf wateraid"),
    ],
)
def test_while_a_question_is_open_what_says_something_else_is_no_yes(text):
    assert read(text, BOOK, asked=ASKED) == Unknown("en", Reason.NO_SERVICE)


def test_while_a_question_is_open_everything_else_is_what_it_was():
    assert read("👎", BOOK, asked=ASKED) == No("en")
    assert read("no 👍", BOOK, asked=ASKED) == No("en")
    assert read("ok stop", BOOK, asked=ASKED) == read("yes 5 stop", BOOK, asked=ASKED) == Stop("en")
    assert read("GIVE WATERAID 5 👍", BOOK, asked=ASKED) == read("wateraid 5", BOOK, asked=ASKED) == gift(5)
    assert read("vale", BOOK, asked=ASKED) == Yes("es")
    assert read("balance", BOOK, asked=ASKED) == Balance("en")


@pytest.mark.parametrize(
    "text",
    [
        "ＧＩＶＥ ＷＡＴＥＲＡＩＤ ５",
        "𝐆𝐈𝐕𝐄 𝗪𝗮𝘁𝗲𝗿𝗔𝗶𝗱 𝟝",
        "❤️ GIVE 💧 WATERAID 💧 5️⃣ ❤️",
        "G\u200bive\ufeff wa\u00adteraid\u00a05",
        "give\r\nwateraid\t٥",
        '"give wateraid 5"',
        "gívé wätèråïd 5.",
        "GIVE-WATERAID-5",
        "*Give* _wateraid_ 5",
    ],
)
def test_odd_spellings_are_read_all_the_same(text):
    assert reading(text) == gift(5)


@pytest.mark.parametrize(
    "text",
    [
        *("STOP", "stop.", " Stop!!! ", "STOP🛑", "🛑stop", "S.T.O.P", "s t o p", "“STOP”", "ＳＴＯＰ", "STOP5"),
        *("stop all", "StopAll", "please stop", "stop texting me", "stop, give wwf 5", "stop yes"),
        *("END", "cancel", "Unsubscribe me", "quit", "revoke", "opt out", "OPT-OUT", "optout", "Opt out of this"),
        *("leave me alone", "don't text me again", "yes, stop", "yes please cancel it"),
        *(
            "ok stop",
            "Can you stop?",
            "Could you please stop texting me",
            "I want to unsubscribe",
            "I'd like to opt out",
        ),
        *(
            "text STOP",
            "Re: stop",
            '"Reply STOP"',
            "kindly stop",
            "stopit",
            "unsub",
            "never text me",
            "Do not contact me",
        ),
        *("STOPP", "remove", "Please remove this number"),
    ],
)
def test_stop_and_its_synonyms(text):
    assert reading(text) == Stop("en")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "ЅТОР",
            "ѕтор",
            "SТOP",
            "STΟP",
            "ＳＴＯＰ",
            "ｓｔоｐ",
            "ЅТОР texting me",
            "please ЅТОР",
            "ΕΝD",
            "САNСЕL",
        ),
        *("ꜱᴛᴏᴘ", "🅂🅃🄾🄿", "🆂🆃🅾🅿", "🇸🇹🇴🇵", "Who is this? ЅТОР", "yes, ЅТОР", "BALANCE ЅТОР", "ὈPT ΟUT", "НЕLLO stop"),
        *("СТОП", "стоп!", "ΣΤΟΠ", "ΣTOΠ", "στοπ"),
    ],
)
def test_a_stop_is_one_in_letters_that_look_like_its_own_and_in_other_alphabets(text):
    assert reading(text) == Stop("en")
    assert read(text, BOOK, asked=ASKED) == Stop("en")


@pytest.mark.parametrize("text", ["УЕЅ", "у", "GІVЕ WАТЕRАІD 5", "ЅТАRТ", "спор", "остановка", "топ"])
def test_nothing_but_a_stop_is_read_in_letters_that_only_look_like_its_own(text):
    assert reading(text) == read(text, BOOK, asked=ASKED) == Unknown("en", Reason.NO_SERVICE)


def test_a_no_with_a_stop_after_it_is_one_in_letters_that_look_like_its_own():
    assert reading("No. ЅТОР") == No("en", stops=True)


@pytest.mark.parametrize(
    "text",
    [
        *("can you end hunger?", "Can you end hunger", "could we stop poverty?", "We can end homelessness by 2030"),
        *(
            "Hi TPO, will you end child labour?",
            "Could £5 end a famine?",
            "I would stop wars",
            "can you end hunger for children",
        ),
        *(
            "I want to end hunger",
            "I'd like to end child poverty",
            "Hi, we must stop climate change",
            "ok I want to end hunger",
        ),
        *(
            "I wish to stop poverty in Africa",
            "We need to end hunger!",
            "I want to cancel debt of poor countries",
        ),
        *(
            "we should quit coal",
            "we want to end child marriage",
            "I want to stop whaling",
            "can you cancel third world debt",
        ),
    ],
)
def test_a_question_or_wish_of_what_can_be_ended_is_no_stop(text):
    assert reading(text) == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "can you end",
            "Can you end this?",
            "could you stop now",
            "Would you quit bothering my husband",
            "can u stop",
        ),
        *(
            "can you stop your texts",
            "will you end the messages",
            "can you please stop hunger texts",
            "I would like to stop",
        ),
        *(
            "end hunger",
            "stop hunger",
            "can you unsubscribe John",
            "could you cancel my account",
        ),
        *(
            "can you stop all",
            "Can you opt out my wife",
            "please can you end it all",
            "can you stop. hunger",
            "quit coal",
        ),
        *(
            "I want to stop",
            "I want to stop TPO",
            "can you stop 70070",
            "I want to end your texts",
            "I want to stop giving",
        ),
        *(
            "I want to cancel my gift",
            "I need to stop the donations",
            "I want to quit smoking ads",
            "I want to end this",
        ),
        *("I want to stop because I am broke", "I want to stop, I have no money", "I want to stop. Hunger is bad"),
        *(
            "I have to cancel dinner",
            "can you stop the harassment",
            "I want to stop the whole thing",
            "can you end the pledge",
        ),
        *(
            "I want to stop monthly",
            "can you stop the comms",
            "I want to stop because of debts",
            "I want to end wateraid",
        ),
        *(
            "I want to stop the mesages",
            "we want to end the texs",
            "I wanna quit the massages",
            "can you stop notifcations",
        ),
        *("I want to stop at once", "I want to stop as of today", "I want to stop for good", "I want to end it"),
        *(
            "you must stop harassment",
            "I need you to stop nonsense",
            "I told you to stop hunger",
            "u should stop drama",
        ),
        *(
            "please I want to end hunger",
            "I want to unsubscribe hunger",
            "I want to opt out of hunger",
            "I want to stop not hunger",
        ),
        *("I want to cancel my contract", "can you cancel the plan", "I want to end the tenth", "can u stop charging"),
        *(
            "I want to stop and unsubscribe",
            "we want to stop you",
            "I want to cancel the account",
            "I'd like to stop too",
        ),
    ],
)
def test_a_stop_that_may_be_meant_of_texts_is_one(text):
    assert isinstance(reading(text), Stop)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *(
            (text, "fr")
            for text in ("ARRÊT", "svp arret", "désabonner", "arrete", "Je veux arrêter", "je souhaite me désabonner")
        ),
        *(
            (text, "fr")
            for text in ("ARRETALL", "stoppez", "désabonnement svp", "Désinscription", "ne m'envoyez plus rien")
        ),
        *(
            (text, "es")
            for text in ("Baja", "dar de baja", "quiero dar de baja", "vale, baja", "basta", "no quiero más")
        ),
    ],
)
def test_stop_in_the_other_languages(text, language):
    assert reading(text) == Stop(language)


@pytest.mark.parametrize("text", ["nonstop", "endless", "how does it end?", "stopwatch", "weekend"])
def test_what_only_looks_like_a_stop(text):
    assert reading(text) == Unknown("en", Reason.NO_SERVICE)


@pytest.mark.parametrize("text", ["", " ", "\0", "🙂", "...", "5", "£", "hello", "\ud800", "WATERAID", "\u0301", "٪"])
def test_a_text_without_a_service_is_answered_in_the_language_of_the_book(text):
    assert reading(text) == Unknown("en", Reason.NO_SERVICE)


def test_a_word_that_languages_share_is_answered_in_the_language_of_the_book():
    words = {service: [service.value] for service in Service}
    entry = Language(words, [], {})
    book = KeywordBook("1", "fr", 1, 2, {"en": entry, "fr": entry}, {})
    assert read("stop", book) == Stop("fr")


@pytest.mark.parametrize(
    "text",
    [
        "GIVE WATERAID 5 " + "x" * 1000,
        "yes " * 250,
        "yes please " * 10_000,
        "please " * 10_000,
        "please " * 5000 + "stop",
        "5 " * 20_000,
        "ﷺ" * 5000,
        "opt " * 10_000,
        "e" + "\u0301" * 30_000,
        "70070 " * 10_000,
        "hi TPO " * 10_000,
        "no " * 20_000 + "stop",
    ],
)
def test_long_texts_are_read_in_no_time(text):
    started = time.process_time()
    assert isinstance(reading(text), KeywordRequest)
    assert time.process_time() - started < 2


def test_a_thousand_characters_after_a_keyword_change_nothing_but_a_gift():
    tail = " lorem ipsum dolor sit amet" * 38
    assert reading("BALANCE" + tail) == Balance("en")
    assert reading("STOP" + tail) == Stop("en")
    assert reading("GIVE WATERAID 5" + tail) == Unknown("en", Reason.WHICH_CAUSE)


@given(st.text(max_size=1000))
def test_any_text_is_one_wish(text):
    assert isinstance(reading(text), KeywordRequest)


WORDS = [word for _, _, _, word in BOOK.words()] + [word for words in BOOK.causes.values() for word in words]
PIECES = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(["5", "£", "$5.50", "5,50", "please", "p", "²", "-"]), st.text(max_size=5)
)


@given(st.lists(PIECES, max_size=8).map(" ".join))
def test_any_mixture_of_keywords_is_one_wish_and_gifts_stay_in_their_bounds(text):
    wish = reading(text)
    assert isinstance(wish, KeywordRequest)
    if isinstance(wish, Give):
        assert 1 * POUND <= wish.amount <= 100 * POUND
        assert wish.cause is None or wish.cause in BOOK.causes


STOPS = [word for _, service, _, word in BOOK.words() if service is Service.STOP]
NOISE = st.text(alphabet=" .,!?-*\"'🛑❤\ufe0f\u200b\n", max_size=6)


@given(
    word=st.sampled_from(STOPS),
    case=st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    before=NOISE,
    polite=st.sampled_from(["", "please ", "svp, ", "por favor ", "Hello! Please "]),
    after=st.one_of(NOISE, st.text(max_size=200).map(" {}".format)),
)
def test_a_stop_word_at_the_beginning_always_stops_whatever_follows(word, case, before, polite, after):
    assert isinstance(reading(before + polite + case(word) + after), Stop)


@given(
    service=st.sampled_from([word for _, service, _, word in BOOK.words() if service is Service.YES]),
    between=st.text(max_size=50),
    word=st.sampled_from(STOPS),
)
def test_a_yes_with_a_stop_in_it_never_takes_money(service, between, word):
    assert not isinstance(reading(f"{service} {between} {word}"), Yes | Give)
    assert not isinstance(read(f"{service} {between} {word}", BOOK, asked=ASKED), Yes | Give)


@given(st.integers(1, 100), st.integers(0, 99), st.sampled_from([".", ","]), st.sampled_from(["", "£", "£ "]))
def test_amounts_are_exact(pounds, pence, separator, sign):
    typed, rest = take_amount(tokens(f"{sign}{pounds}{separator}{pence:02d}"))
    assert typed.micro == pounds * POUND + pence * 10_000
    assert rest == []


def test_a_book_survives_a_copy():
    assert read("stop", msgspec.structs.replace(BOOK, language="fr")) == Stop("en")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Who is this? STOP",
            "why do you text me?! stop",
            "BALANCE. STOP",
            "GIVE WWF 5\nSTOP",
            "Wrong number: please stop",
        ),
        *(
            "I told you to stop",
            "I asked you to stop!",
            "you must stop",
            "sorry wrong number stop",
            "Balance please. Also stop",
        ),
        *("BALANCE STOP", "help stop", "CAUSE STOP", "tenth, stop please", "SOLDE ARRET"),
        *(
            "STOPPPP",
            "stoooop",
            "\N{OCTAGONAL SIGN}",
            "\N{OCTAGONAL SIGN}\ufe0f!",
            "I withdraw my consent",
        ),
        *("please stop sending", "go away", "no texts", "I want no more"),
    ],
)
def test_a_stop_is_heard_behind_what_else_is_said(text):
    assert isinstance(reading(text), Stop)


@pytest.mark.parametrize(
    "text", ["GIVE WWF 5. By the end of May", "How does it end? Tell me", "Finn", "the bus stop, ok?"]
)
def test_a_stop_word_within_a_sentence_is_none(text):
    assert not isinstance(reading(text), Stop)


@pytest.mark.parametrize("text", ["GIVE WATERAID 5 YES", "give 5 to wateraid yes yes", "giveee wateraid 5"])
def test_a_yes_before_the_question_is_none(text):
    assert reading(text) == gift(5)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "yesss",
            "yh",
            "yess",
            "go ahead",
            "ok then",
            "of course",
            "I agree",
            "yes I do",
            "yes, do it",
            "yes I confirm",
        ),
        *("yes 5, go ahead", "yes lets do it", "Just do it, yes"),
        *("yes I want to give £5 to WaterAid", "Yes, I'd love to", "ok I would like to give 5", "yes I would"),
    ],
)
def test_more_ways_to_agree_to_a_question(text):
    question = Asked("wateraid", 5 * POUND, "GBP")
    assert isinstance(read(text, BOOK, asked=question), Yes)


@pytest.mark.parametrize(
    "text",
    [
        "yes I do not",
        "yes I'd like not to",
        "I want to",
        "yes I want to give 6",
        "i do",
        "do it",
        "go",
        "yes if it is wwf",
        "yes do it for wwf",
    ],
)
def test_what_may_mean_something_else_is_no_yes(text):
    question = Asked("wateraid", 5 * POUND, "GBP")
    assert not isinstance(read(text, BOOK, asked=question), Yes)
