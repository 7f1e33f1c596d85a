"""Conversion at the door: nothing is made of another kind, and what does not fit is refused by its field and what is wanted."""

from enum import StrEnum
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, inspect
from support.request_types import request_types

from gateway.api.actions.table import ACTIONS
from gateway.api.conversion import refused_as, to_request, wanted
from gateway.api.problems import Problem
from gateway.api.requests.bills import BillMonth
from gateway.api.requests.charity import Cover
from gateway.api.requests.fields import MaybeText, Reason, Text, Time, page_size, whole
from gateway.api.requests.nodes import BeginDrain, ListEvents
from gateway.api.requests.texts import SendText
from gateway.api.requests.usage import ExportUsage
from gateway.privacy.masks import mask

REQUESTS = request_types()


class Word(StrEnum):
    A = "a"
    Z = "z"


class Asked(msgspec.Struct, frozen=True):
    n: Annotated[int, Meta(ge=0, le=10)] = 5
    t: Text = "t"
    m: MaybeText = ""
    f: bool = False
    c: Word | None = None
    own: Annotated[list[str], Meta(max_length=1, extra=refused_as("own.code", "a list of one"))] = []
    at: Annotated[Time, Meta(extra=refused_as("own.time"))] | None = None


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    must: Text


def refused(given, kind=Asked):
    with pytest.raises(Problem) as caught:
        to_request(given, kind)
    assert caught.value.status == 400
    return caught.value.code, caught.value.detail


@pytest.mark.parametrize("value", [True, False, 11.0, 1.5, "1", "", [], {}, -1, 11, 2**63])
def test_a_whole_number_is_an_int_of_its_range_and_nothing_that_turns_into_one(value):
    assert refused({"n": value}) == ("params.invalid", "n: give a whole number from 0 to 10")


LIMITED = [kind for kind in REQUESTS if "limit" in kind.__struct_fields__]


@pytest.mark.parametrize("kind", LIMITED)
def test_a_list_of_no_rows_is_refused_and_one_without_a_limit_is_not(kind):
    assert refused({"limit": 0}, kind) == (
        "params.invalid",
        "limit: give a whole number from 1 on, of at most 18 digits",
    )
    assert (to_request({}, kind).limit, to_request({"limit": 1}, kind).limit) == (None, 1)


def test_a_number_without_a_fraction_is_whole_however_it_is_written():
    assert repr(to_request({"n": 5.0}, Asked).n) == "5"


@pytest.mark.parametrize("value", [1, True, [], {}, "x" * 256])
def test_a_text_is_a_text_of_a_size(value):
    assert refused({"t": value}) == ("params.text", "t: give a text of 1 to 255 characters")
    assert refused({"m": value}) == ("params.text", "m: give a text of at most 255 characters")


def test_a_text_that_has_to_say_something_is_not_empty():
    assert refused({"t": ""})[0] == "params.text"
    assert to_request({"m": ""}, Asked).m == ""


@pytest.mark.parametrize("value", [1, 0, "true", "", [], {}])
def test_a_flag_is_true_or_false(value):
    assert refused({"f": value}) == ("params.invalid", "f: give true or false")


@pytest.mark.parametrize("value", [1, True, [], {}, "b", ""])
def test_a_choice_is_one_of_its_words(value):
    assert refused({"c": value}) == ("params.invalid", "c: give one of a, z")


@pytest.mark.parametrize("value", [1, ["a", "b"], [1], [None], {}, ""])
def test_a_field_with_a_code_and_words_of_its_own_is_refused_with_them(value):
    assert refused({"own": value}) == ("own.code", "own: give a list of one")


def test_a_code_of_its_own_stands_with_the_words_of_the_type():
    code, detail = refused({"at": "yesterday"})
    assert (code, detail.startswith("at: give a whole number of at most 18 digits")) == ("own.time", True)


def test_what_is_not_given_or_null_is_the_default():
    assert to_request({}, Asked) == to_request(dict.fromkeys(Asked.__struct_fields__), Asked) == Asked()
    assert [page_size(n, 20, 50) for n in (None, 1, 50, 51, 2**62)] == [20, 1, 50, 50, 50]


def test_a_field_that_has_to_be_there_is_named_when_it_is_not_and_so_is_one_that_nobody_knows():
    assert (
        refused({}, Strict)
        == refused({"must": None}, Strict)
        == ("params.text", "must: give a text of 1 to 255 characters")
    )
    detail = "other: there is no such field; there are: must"
    assert refused({"must": "x", "other": 1}, Strict) == ("params.invalid", detail)
    assert to_request({"other": 1}, Asked) == Asked()


@pytest.mark.parametrize("value", ["yesterday", "2026-01-01", 1.5, True, [], {}])
@pytest.mark.parametrize("name", ["start", "end", "after"])
def test_a_usage_export_of_no_time_is_refused_by_its_field(name, value):
    code, detail = refused({name: value}, ExportUsage)
    assert (code, detail.partition(":")[0]) == ("params.invalid", name)


def test_a_place_in_the_events_may_be_the_very_beginning_or_none():
    assert (to_request({"after": 0}, ListEvents).after, to_request({"after": None}, ListEvents).after) == (0, None)


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_field_of_every_request_has_words_for_what_is_wanted(kind):
    for field in msgspec.structs.fields(kind):
        code, words = wanted(field.type)
        assert code
        assert words
        assert mask(words) == words, "the answer masks numbers so long, whosever they are"


MONTHLY = [kind for kind in REQUESTS if "period" in kind.__struct_fields__]


@pytest.mark.parametrize("kind", MONTHLY)
@pytest.mark.parametrize("month", ["2026-13", "2026-00", "26-1", "November", ""])
def test_a_month_that_is_none_is_refused_with_what_one_looks_like_wherever_a_period_is_asked_for(kind, month):
    (field,) = [each for each in msgspec.structs.fields(kind) if each.name == "period"]
    if month == "" == field.default:
        return
    code, words = wanted(field.type)
    with pytest.raises(Problem) as caught:
        to_request({"period": month}, msgspec.defstruct("Monthly", [("period", field.type)]))
    assert (caught.value.code, caught.value.detail) == (code, f"period: give {words}")
    assert (code.rpartition(".")[2], "2026-11" in words) == ("period", True)


def test_every_action_of_the_table_has_a_request_type_of_those():
    assert {action.request for action in ACTIONS.values()} <= set(REQUESTS)


@pytest.mark.parametrize("value", [None, "x", "", True, -1, 86_401, 1e308, [], {}])
def test_a_gateway_leaves_only_for_a_number_of_seconds(value):
    assert refused({"timeout": value}, BeginDrain) == (
        "drain.timeout",
        "timeout: give seconds, from 0 to 86400",
    )


@pytest.mark.parametrize("given", [None, 1, "text", [], True])
def test_what_is_no_object_is_refused_with_its_place_and_the_fields_there_are(given):
    with pytest.raises(Problem) as caught:
        to_request(given, SendText, "messages[2]")
    assert (caught.value.code, caught.value.detail.partition(",")[0]) == (
        "sms.fields",
        "messages[2]: give an object with from",
    )


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"from": 5}, "sms.address", "messages[0].from: give digits, or a name of up to 11 letters"),
        ({"to": None}, "sms.address", "messages[0].to: give 5 to 15 digits, country code first"),
        ({"text": ""}, "sms.text", "messages[0].text: give 1 to 39015 characters"),
        ({"reference": ""}, "sms.reference", "messages[0].reference: give a text of 1 to 255 characters"),
        ({"validity": 59}, "sms.validity", "messages[0].validity: give seconds, from 60 to those of 30 days"),
        ({"validity": None}, "sms.validity", "messages[0].validity: give seconds, from 60 to those of 30 days"),
        ({"registered_delivery": 1}, "sms.registered_delivery", "messages[0].registered_delivery: give true or false"),
        ({"body": "x"}, "sms.fields", "messages[0].body: there is no such field"),
    ],
)
def test_a_text_to_be_sent_is_refused_by_its_place_and_field(change, code, detail):
    good = {"from": "TPO", "to": "447700900200", "text": "Thank you!", "reference": None}
    with pytest.raises(Problem) as caught:
        to_request(good | change, SendText, "messages[0]")
    assert caught.value.code == code
    assert caught.value.detail.startswith(detail)


def test_a_type_that_has_no_words_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="say in the field"):
        wanted(dict[str, int])


def patterns(kind):
    """Yield the patterns of a type, those of what it holds, too."""
    match kind:
        case inspect.StrType(pattern=str(pattern)):
            yield pattern
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            yield from patterns(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from patterns(each)


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_a_pattern_is_that_of_the_whole_text_in_digits_of_ours(kind):
    for field in msgspec.structs.fields(kind):
        for pattern in patterns(inspect.type_info(field.type)):
            assert whole("") == pattern[:4] + pattern[-8:], field.name
            assert "\\d" not in pattern, field.name


@pytest.mark.parametrize("month", ["2026-10\n", "20\u0968\u096c-10", " 2026-10", "2026-10\n\n", "1969-12", "2026-13"])
def test_a_month_has_one_way_to_be_written(month):
    assert to_request({"period": "2026-10"}, BillMonth).period == "2026-10"
    with pytest.raises(Problem):
        to_request({"period": month}, BillMonth)


def test_a_reason_ends_in_no_line():
    for reason in ("why\n", "\n", "a\nb", "why\r"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(reason, Reason)


def test_a_day_is_of_a_month_that_can_be_named():
    for day in ("1969-12-31", "2026-11-26\n", "20\u0968\u096c-11-26", "0001-01-01"):
        with pytest.raises(Problem):
            to_request({"day": day}, Cover)
