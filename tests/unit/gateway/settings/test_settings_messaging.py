"""Settings for texts: links, short codes, and the keyword file with its checks."""

from pathlib import Path

import pytest
import yaml

from gateway.messaging.keywords.answers import render
from gateway.messaging.keywords.catalogue import PLACEHOLDERS, STAND_INS, KeywordAnswer, Service
from gateway.messaging.keywords.parser import No, Start, read
from gateway.runtime.components.texts import route
from gateway.settings import ConfigInvalid, Endpoint, load, shown
from gateway.settings.keywords_file import AnswersEntry, WordsEntry
from protocols.smpp.receipts import MessageState

ROOT = Path(__file__).parents[4]
BASE = "operator: {name: TPO}\nstore: {url: sqlite:///tpo.db}\napi: {}\n"
LINK = "{name: host, host: smsc.example, system_id: tpo, password: {env: P}}"
CODES = 'messaging: {short_codes: ["70070"]}\n'


def link(**keys):
    text = "".join(f", {key}: {value}" for key, value in keys.items())
    return f"smpp:\n  links:\n    - {{name: host, host: smsc.example, system_id: tpo{text}}}\n"


def answers(**changed):
    texts = {answer: " ".join(f"{{{name}}}" for name in must) or "-" for answer, (must, _) in PLACEHOLDERS.items()}
    return {**{answer.value: text for answer, text in texts.items()}, **changed}


def book(**changed):
    """A small book of two languages, as the file has it; keys with dots reach inside."""
    words = {service.value: [f"{service.value}word"] for service in Service}
    stop = ["STOP", "END", "CANCEL", "UNSUBSCRIBE", "QUIT", "REVOKE", "OPT-OUT"]
    made = {
        "causes": {"wwf": ["WWF"]},
        "languages": {
            "en": {"words": {**words, "stop": stop}, "ignored": ["please"], "answers": answers()},
            "fr": {"words": {name: [f"{name}mot"] for name in words}, "answers": answers()},
        },
    }
    for path, value in changed.items():
        *parents, last = path.split("__")
        inside = made
        for parent in parents:
            inside = inside[parent]
        inside[last] = value
    return made


@pytest.fixture
def write(tmp_path):
    (tmp_path / "plans.yaml").write_text("{}")
    (tmp_path / "causes.yaml").write_text("wwf: {name: W, country: GB}\nold: {name: O, country: GB, open: false}\n")

    def write_(text, keywords=None):
        if keywords is not None:
            content = keywords if isinstance(keywords, str) else yaml.safe_dump(keywords, sort_keys=False)
            (tmp_path / "keywords.yaml").write_text(content)
        path = tmp_path / "gateway.yaml"
        path.write_text(BASE + text)
        return path

    return write_


@pytest.fixture
def problems(write, tmp_path):
    def problems_(text, keywords=None, environ=None):
        try:
            found = load(write(text, keywords), {"P": "secret"} if environ is None else environ).warnings
        except ConfigInvalid as invalid:
            found = invalid.problems
        return [str(problem).removeprefix(f"{tmp_path}/") for problem in found]

    return problems_


def test_everything_about_texts_may_be_left_out(write):
    settings = load(write(""), {})
    assert settings.warnings == []
    assert (settings.smpp.links, settings.messaging.short_codes, settings.keywords) == ([], [], {})
    messaging = settings.messaging
    assert (messaging.validity, messaging.max_parts, messaging.receipts) == (172_800, 10, True)
    assert (messaging.reassembly, messaging.question, settings.retention.texts) == (1800, 600, 30 * 86_400)


def test_a_link_needs_a_name_a_host_and_a_system_id(write, problems):
    [found] = load(write(link()), {}).smpp.links
    assert found.address == Endpoint("smsc.example", 2775)
    assert (found.bind, found.version, found.window, found.rate) == ("transceiver", "3.4", 10, 0)
    assert (found.enquire_link, found.response_timeout) == (30, 10)
    assert (found.bind_timeout, found.tlvs) == (30, "auto")
    assert (found.default_alphabet, found.message_id, found.doubtful, found.doubtful_wait) == (
        "gsm7", "auto", "resend", 300,
    )  # fmt: skip
    assert (found.password, found.system_type, found.tls, found.query_after) == (None, "", None, 600)
    assert problems("smpp: {links: [{port: 1}]}") == [
        f"gateway.yaml:4: smpp.links[0].{key}: is required" for key in ("name", "host", "system_id")
    ]


def test_the_example_link_of_the_shipped_file_is_a_good_one(tmp_path, write):
    text = (ROOT / "config/gateway.yaml").read_text()
    start, end = text.index("smpp:\n  links: []\n"), text.index("\nmessaging:")
    example = (
        text[start:end]
        .replace("links: []", "links:")
        .replace("routes: []", "routes:")
        .replace("\n  #", "\n ")
        .replace("tls/", "")
    )
    lines = [line for line in example.splitlines() if "tls:" not in line]
    settings = load(write("\n".join(lines)), {"TPO_SMSC_PASSWORD": "secret"})
    assert settings.warnings == []
    assert (settings.smpp.links[0].doubtful_wait, settings.smpp.links[0].query_after) == (300, 600)
    assert shown(settings)["smpp"]["links"][0]["password"] == {"env": "TPO_SMSC_PASSWORD"}


def routes(*entries, links=("uk", "us")):
    rows = "".join(f"    - {{name: {name}, host: {name}.example, system_id: tpo}}\n" for name in links)
    return f"smpp:\n  links:\n{rows}  routes:\n" + "".join(f"    - {{{entry}}}\n" for entry in entries)


def test_a_route_says_what_it_takes_and_by_which_links(write):
    entries = ('links: [uk, us], prefixes: ["+44", "1202"]', 'links: [us], senders: ["70070"], countries: [US]')
    settings = load(write(routes(*entries, "links: [uk]")), {})
    first, second, last = settings.smpp.routes
    assert (first.links, first.prefixes, first.catches_all) == (["uk", "us"], ["44", "1202"], False)
    assert (second.senders, second.countries) == (["70070"], ["US"])
    assert last.catches_all
    assert settings.warnings == []


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["links: [us, uk, hosts]"], "smpp.routes[0].links[2]: there is no link hosts"),
        (["links: [uk, us, uk]"], "smpp.routes[0].links[2]: uk is smpp.routes[0].links[0] already"),
        (["links: []"], "smpp.routes[0].links: must not be empty"),
        (["prefixes: ['44']"], "smpp.routes[0].links: is required"),
        (["links: [us, uk], prefixes: ['0044']"], "must be the first digits of a phone number, country code first"),
        (["links: [us, uk], prefixes: ['']"], "must be the first digits of a phone number, country code first"),
        (["links: [us, uk], countries: [uk]"], "must be a country code of two capital letters"),
        (
            ["links: [us, uk], senders: ['0770090077']", "links: [uk]"],
            "smpp.routes[0].senders[0]: no text comes from it: ",
        ),
        (["links: [us, uk], senders: ['TPO MOBILE LTD']", "links: [uk]"], "senders[0]: no text comes from it: "),
        (["links: [us, uk], to: ['44']"], "smpp.routes[0].to"),
        (["links: [us, uk], countries: [GB]"], "smpp.routes: warning: none takes every text"),
        (
            ["links: [us, uk]", "links: [us]"],
            "smpp.routes[1]: warning: is never taken: smpp.routes[0] takes every text",
        ),
        (["links: [us]"], "smpp.links[0]: warning: no route names uk"),
    ],
)
def test_what_a_route_cannot_be_and_what_no_text_would_take(problems, entries, message):
    [problem] = problems(routes(*entries))
    assert message in problem


def test_a_receiver_is_no_route(problems):
    text = routes("links: [us, uk]").replace("name: us,", "name: us, bind: receiver,")
    assert "us is a receiver: it carries no texts out" in problems(text)[0]


def test_how_receipts_are_known_and_how_often_a_text_is_sent_have_defaults_and_bounds(write, problems):
    assert [(found.receipts, found.attempts) for found in load(write(link()), {}).smpp.links] == [("by_class", 3)]
    [found] = load(write(link(receipts="by_text", attempts=7)), {}).smpp.links
    assert (found.receipts, found.attempts) == ("by_text", 7)
    assert "smpp.links[0].receipts: must be 'by_class' or 'by_text'" in problems(link(receipts="text"))[0]
    assert "smpp.links[0].attempts: must be at least 1" in problems(link(attempts=0))[0]
    assert problems(link(attempts=2, doubtful="fail")) == [
        (
            "gateway.yaml:6: smpp.links[0].attempts: warning: is for texts that are sent again, "
            "but smpp.links[0].doubtful is fail"
        )
    ]


def test_a_link_has_the_country_of_its_numbers_and_words_of_its_own_for_states(write, problems):
    settings = load(write(link()), {})
    [found] = settings.smpp.links
    assert (found.country, found.receipt_states, route(found, settings.operator.country).country) == (None, {}, "GB")
    settings = load(write(link(country="US", receipt_states='{"Un-Sent": undeliverable, 2: enroute}')), {})
    [found] = settings.smpp.links
    assert found.receipt_states == {"UNSENT": "undeliverable", "2": "enroute"}
    made = route(found, settings.operator.country)
    assert (made.country, made.stats["UNSENT"], made.stats["2"]) == (
        "US",
        MessageState.UNDELIVERABLE,
        MessageState.ENROUTE,
    )
    assert made.stats["DELIVRD"] is MessageState.DELIVERED
    assert "there are no phone numbers of a country AQ" in problems(link(country="AQ"))[0]
    assert "receipt_states.GONE: must be 'delivered'" in problems(link(receipt_states="{GONE: lost}"))[0]
    twice = problems(link(receipt_states='{Un-Sent: undeliverable, "UNSENT": enroute}'))[0]
    assert "receipt_states: names a state twice" in twice


def test_what_customers_call_us_is_no_word_of_a_service(write, problems):
    assert load(write(CODES, {"70070": book(names=["TPO"])}), {}).keywords["70070"].names == ["TPO"]
    [problem] = problems(CODES, {"70070": book(names=["STOP"])})
    assert "STOP means" in problem


def test_our_own_numbers_and_how_often_one_is_answered(write, problems):
    messaging = load(write(""), {}).messaging
    assert (messaging.numbers, messaging.answers_per_hour) == ([], 5)
    messaging = load(
        write('messaging: {numbers: ["+447700900777", "12025550129"], answers_per_hour: 0}\n'), {}
    ).messaging
    assert (messaging.numbers, messaging.answers_per_hour) == (["447700900777", "12025550129"], 0)
    assert problems('messaging: {numbers: ["447700900777", "+447700900777"]}\n') == [
        "gateway.yaml:4: messaging.numbers[1]: 447700900777 is messaging.numbers[0] already"
    ]
    for wrong in ("70070", "07700900777", "TPO", "4477009007771234"):
        [problem] = problems(f'messaging: {{numbers: ["{wrong}"]}}\n')
        assert "messaging.numbers[0]: must be a phone number of 9 to 15 digits, country code first" in problem
    assert "answers_per_hour: must be at most 100" in problems("messaging: {answers_per_hour: 1000}\n")[0]


def test_a_book_that_was_written_before_no_and_start_came_goes_on_with_both(write):
    old = book()
    for entry in old["languages"].values():
        for name in ("no", "start"):
            del entry["words"][name]
        for name in ("dropped", "started", "suspended", "held", "withdrawn"):
            del entry["answers"][name]
    settings = load(write(CODES, {"70070": old}), {})
    assert settings.warnings == []
    found = settings.keywords["70070"]
    assert read("No thanks", found) == No("en")
    assert (read("START", found), read("unstop", found)) == (Start("en"), Start("en"))
    for answer, instead in STAND_INS.items():
        said = {"amount": "5", "cause": "WWF", "balance": "1"}
        assert render(found, "fr", answer, **said) == render(found, "fr", instead, **said)


def test_a_book_that_uses_a_word_of_the_defaults_for_something_else_is_told_so(problems):
    old = book(languages__en__ignored=["no"])
    del old["languages"]["en"]["words"]["no"]
    [problem] = problems(CODES, {"70070": old})
    assert problem.endswith("ignored[0]: no means no already (70070.languages.en.words.no[0])")


@pytest.mark.parametrize("version", ["3.4", '"3.4"', "5.0", "'5.0'"])
def test_a_version_may_be_written_with_or_without_quotes(write, version):
    assert load(write(link(version=version)), {}).smpp.links[0].version in {"3.4", "5.0"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("bind", "transciever", "did you mean `transceiver`?"),
        ("version", "3.3", "must be '3.4' or '5.0', "),
        ("window", "0", "must be at least 1"),
        ("port", "65536", "must be at most 65535"),
        ("rate", "-1", "must be at least 0"),
        ("enquire_link", "0", "must be at least 1"),
        ("system_type", "thirteen-long", "must be at most 12 printable ASCII characters (SMPP 3.4 §4.1.1)"),
        ("default_alphabet", "gsm", "did you mean `gsm7`?"),
        ("message_id", "hexadecimal", "must be 'auto', 'string', 'hex' or 'decimal'"),
        ("doubtful", "retry", "must be 'resend', 'wait' or 'fail'"),
        ("passwrod", "x", "unknown key; did you mean `password`?"),
    ],
)
def test_values_that_a_link_cannot_have(problems, key, value, message):
    [problem] = problems(link(**{key: value}))
    assert problem.startswith(f"gateway.yaml:6: smpp.links[0].{key}: ")
    assert message.rstrip(", ") in problem


@pytest.mark.parametrize("system_id", ["sixteen-octets-x", "''", "tpö"])
def test_a_system_id_that_no_bind_can_carry(problems, system_id):
    [problem] = problems(link().replace("system_id: tpo", f"system_id: {system_id}"))
    assert problem.startswith("gateway.yaml:6: smpp.links[0].system_id: must ")


@pytest.mark.parametrize(("host", "good"), [("192.0.2.7", True), ("'::1'", True), ("a b", False), ("smsc:2775", False)])
def test_hosts(problems, host, good):
    assert (problems(link().replace("smsc.example", host)) == []) is good


@pytest.mark.parametrize(("password", "good"), [("eight888", True), ("nine99999", False), ("pässwor", False)])
def test_a_password_that_no_bind_can_carry(problems, password, good):
    found = problems(link(password="{env: P}"), environ={"P": password})
    wire = "gateway.yaml:6: smpp.links[0].password: must be at most 8 printable ASCII characters (SMPP 3.4 §4.1.1)"
    assert found == ([] if good else [wire])


def test_a_literal_password_is_a_warning_and_is_never_shown(write):
    settings = load(write(link(password="canary")), {})
    assert [problem.key for problem in settings.warnings] == ["smpp.links[0].password"]
    assert "canary" not in repr(settings) + str(shown(settings)) + "".join(map(str, settings.warnings))


def test_two_links_with_one_name(problems):
    assert problems(f"smpp:\n  links:\n    - {LINK}\n    - {LINK}\n") == [
        "gateway.yaml:7: smpp.links[1].name: host is smpp.links[0].name already"
    ]


def test_links_that_only_send_never_hear_a_receipt(problems):
    [problem] = problems(link(bind="transmitter"))
    assert problem.startswith("gateway.yaml:6: smpp.links: warning: none of them receives")
    assert problems(link(bind="transmitter") + "messaging: {receipts: false}\n") == []


def test_a_wait_that_nobody_waits(problems):
    assert problems(link(doubtful_wait="1m")) == [
        (
            "gateway.yaml:6: smpp.links[0].doubtful_wait: warning: is for doubtful: wait, "
            "but smpp.links[0].doubtful is resend"
        )
    ]


def test_a_link_to_ourselves(problems):
    assert problems(link(port=8080).replace("smsc.example", "127.0.0.1")) == [
        "gateway.yaml:6: smpp.links[0].host: 127.0.0.1:8080 is our own api.listen"
    ]


def test_tls_of_a_link_needs_an_authority_and_a_certificate_with_its_key(problems, tmp_path):
    (tmp_path / "x.pem").write_text("nothing")
    found = problems(link(tls="{ca: x.pem, cert: x.pem}"))
    assert found == [
        "gateway.yaml:6: smpp.links[0].tls.cert: needs smpp.links[0].tls.key",
        f"gateway.yaml:6: smpp.links[0].tls.ca: holds no certificate in PEM form: {tmp_path}/x.pem",
    ]
    assert "smpp.links[0].tls.ca: is required" in problems(link(tls="{}"))[0]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ("[70070]", 'must be text; write it in quotes: "70070"'),
        ('["70a70"]', "must be a short code of 3 to 8 digits, like 70070"),
        ('["70070", "70070"]', "70070 is messaging.short_codes[0] already"),
    ],
)
def test_what_is_no_short_code(problems, codes, message):
    found = problems(f"messaging: {{short_codes: {codes}}}\n", {"70070": book()})
    assert message in found[0] + found[-1]


def test_a_short_code_without_services_and_services_without_a_short_code_are_warnings(problems):
    assert problems('messaging: {short_codes: ["70071"]}\n', {"70070": book()}) == [
        (
            "gateway.yaml:4: messaging.short_codes[0]: warning: texts to 70071 are not answered: "
            "keywords has no services for it"
        ),
        "keywords.yaml:1: 70070: warning: is none of messaging.short_codes, so nobody is answered",
    ]


def test_a_keyword_file_that_is_named_must_be_there(problems, tmp_path):
    assert problems("keywords: absent.yaml\n") == [f"gateway.yaml:4: keywords: there is no file {tmp_path}/absent.yaml"]


def test_a_book_has_the_words_and_bounds_of_its_file(write):
    made = load(write(CODES, {"70070": book(gift={"minimum": 2, "maximum": "35"})}), {}).keywords["70070"]
    assert (made.short_code, made.language, made.minimum, made.maximum) == ("70070", "en", 2_000_000, 35_000_000)
    assert made.languages["fr"].words[Service.GIVE] == ["givemot"]
    assert made.languages["en"].answers[KeywordAnswer.ASK] == "{amount} {cause}"


def test_a_gift_of_more_than_the_law_lets_pass_by_the_phone_bill_is_refused(problems):
    [problem] = problems(CODES, {"70070": book(gift={"maximum": 41})})
    assert "70070.gift.maximum: is more than 40.00 GBP: what is paid by the phone bill may be no more in GB" in problem


def test_every_service_and_answer_has_its_key():
    assert list(WordsEntry.model_fields) == [service.value for service in Service]
    assert list(AnswersEntry.model_fields) == [answer.value for answer in KeywordAnswer]
    assert set(PLACEHOLDERS) == set(KeywordAnswer)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{amuont} for {cause}", "unknown placeholder {amuont}; did you mean `amount`?"),
        ("{amount} {cause} {given}", "unknown placeholder {given}; it may have {amount}, {cause}, {minutes}, "),
        ("{amount}", "must name {cause}"),
        ("{amount} {cause", "has a brace without its partner"),
        ("{amount:>9} {cause}", "may have nothing but a name between braces"),
        ("{amount!r} {cause}", "may have nothing but a name between braces"),
        ("{amount.real} {cause}", "may have nothing but a name between braces"),
        ("{} {cause}", "may have nothing but a name between braces"),
        ("", "must not be empty"),
    ],
)
def test_templates_are_checked_when_they_are_loaded(problems, template, message):
    [problem] = problems(CODES, {"70070": book(languages__fr__answers__ask=template)})
    assert "70070.languages.fr.answers.ask: " in problem
    assert message in problem


def test_braces_written_twice_and_the_common_placeholders_are_good(problems):
    template = "{{{amount}}} {cause} {minutes} {operator} {short_code}"
    assert problems(CODES, {"70070": book(languages__fr__answers__ask=template)}) == []


def test_a_missing_answer_and_a_missing_word_are_named(problems):
    made = book()
    del made["languages"]["en"]["answers"]["later"], made["languages"]["fr"]["words"]["yes"]
    made["languages"]["en"]["words"]["giev"] = ["X"]
    found = "".join(problems(CODES, {"70070": made}))
    assert "70070.languages.en.answers.later: is required" in found
    assert "70070.languages.fr.words.yes: is required" in found
    assert "70070.languages.en.words.giev: unknown key; did you mean `give`?" in found


@pytest.mark.parametrize("word", ["GIVE5", "", "!!", "a b c d e f g", "pounds", "£"])
def test_what_is_no_word(problems, word):
    [problem] = problems(CODES, {"70070": book(languages__fr__words__give=["ok", word])})
    assert "70070.languages.fr.words.give[1]: " in problem


def test_empty_lists_and_a_book_without_languages(problems):
    assert "words.give: must not be empty" in problems(CODES, {"70070": book(languages__fr__words__give=[])})[0]
    assert "70070.languages: must not be empty" in problems(CODES, {"70070": {"languages": {}}})[0]


def test_a_word_with_two_meanings(problems):
    made = book(languages__fr__words__help=["Opt Out"], languages__fr__ignored=["gîve-word"])
    found = [problem.partition(": ")[2] for problem in problems(CODES, {"70070": made})]
    assert found == [
        "70070.languages.fr.words.help[0]: Opt Out means stop already (70070.languages.en.words.stop[6])",
        "70070.languages.fr.ignored[0]: gîve-word means give already (70070.languages.en.words.give[0])",
    ]


def test_languages_may_share_a_word_that_means_the_same(problems):
    assert problems(CODES, {"70070": book(languages__fr__words__stop=["STOP"])}) == []


def test_stop_words_that_the_law_names_have_to_be_there(problems):
    made = book(languages__en__words__stop=["STOP", "END", "QUIT"], languages__fr__words__stop=["Cancel"])
    [problem] = problems(CODES, {"70070": made})
    assert problem.endswith("no language has these among its words.stop: UNSUBSCRIBE, REVOKE, OPT OUT")


def test_causes_are_those_of_the_causes_file(problems):
    made = book(causes={"wff": ["WFF"], "wwf": ["W.F.F"]})
    assert problems(CODES, {"70070": made}) == [
        "keywords.yaml:3: 70070.causes.wff: there is no such cause in causes; did you mean `wwf`?",
        "keywords.yaml:6: 70070.causes.wwf[0]: W.F.F means wff already",
    ]


def test_a_cause_that_has_no_word_is_a_warning_unless_it_is_closed(problems):
    [problem] = problems(CODES, {"70070": book(causes={"old": ["OLD"]})})
    assert "70070.causes: warning: nobody can choose wwf or give to it by text" in problem


@pytest.mark.parametrize(
    "gift", ["{minimum: 5, maximum: 4}", "{minimum: 0}", "{minimum: -1}", "{minimum: lots}", "{minimum: 200}"]
)
def test_bounds_that_no_gift_can_meet(problems, gift):
    [problem] = problems(CODES, {"70070": book(gift=yaml.safe_load(gift))})
    assert "70070.gift" in problem


def test_a_default_language_that_is_not_there_and_one_that_is_no_language(problems):
    assert "70070.language: es is none of languages: en, fr" in problems(CODES, {"70070": book(language="es")})[0]
    made = book()
    made["languages"]["English"] = made["languages"].pop("en")
    assert "must be a language code of two small letters" in "".join(problems(CODES, {"70070": made}))


def test_a_client_reads_no_password_and_checks_no_keywords(write):
    settings = load(write(link(password="{env: ABSENT}"), {"70070": book(causes={"x": ["X"]})}), {}, for_client=True)
    assert settings.smpp.links[0].password.origin == "env:ABSENT"


def test_keywords_are_shown_in_the_shape_of_their_file():
    settings = load(ROOT / "config/gateway.yaml", {})
    assert list(settings.keywords) == settings.messaging.short_codes == ["70070"]
    shown_book = shown(settings)["keywords"]["70070"]
    assert shown_book["gift"] == {"minimum": "1.00", "maximum": "40.00"}
    assert shown_book["languages"]["fr"]["words"]["balance"] == ["SOLDE"]
    assert shown_book["causes"]["wwf"][0] == "WWF"
    assert "{amount}" in shown_book["languages"]["es"]["answers"]["ask"]
