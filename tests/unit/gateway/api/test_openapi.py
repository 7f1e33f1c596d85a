"""The description by itself: every route is complete, what it points at is there."""

from typing import get_args

import msgspec
import pytest

from gateway.api import answers, openapi, requests
from gateway.api.openapi import ROUTES, codes, document
from gateway.api.order_requests import FIELDS
from gateway.balance import queries as subscriber_queries
from gateway.messaging import queries as messaging_queries
from gateway.sims import queries as sim_queries


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_tells_its_answers_and_who_may_ask(route):
    operation = document()["paths"][route.path][route.method]
    assert str(route.status) in operation["responses"]
    assert ("security" in operation) == (route.role is not None)
    assert {str(status) for status in codes(route)} <= set(operation["responses"])
    assert all(codes(route).values())
    assert (route.body is None) == (route.example is None)


def test_no_route_is_described_twice():
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (openapi.TAKEN, answers.TakenText),
        (openapi.SHOWN, messaging_queries.TextView),
        (openapi.PART, messaging_queries.PartView),
        (openapi.ORDERED, answers.OrderTakenOverHttp),
        (openapi.ORDER, sim_queries.OrderView),
        (openapi.STEP, sim_queries.StepView),
        (openapi.TOPPED, answers.ToppedUp),
        (openapi.SUBSCRIBER, subscriber_queries.SubscriberView),
        (openapi.SHARE, subscriber_queries.CauseShare),
    ],
)
def test_an_answer_is_described_with_the_fields_of_its_type_and_those_that_may_be_null(schema, kind):
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    assert set(schema["properties"]) == set(schema["required"]) == set(fields)
    nullable = {name for name, field in fields.items() if type(None) in get_args(field)}
    assert {name for name, each in schema["properties"].items() if "null" in each.get("type", ())} == nullable


def test_a_text_to_be_sent_is_described_with_the_fields_and_bounds_of_its_request_type():
    fields = msgspec.structs.fields(requests.SendText)
    described = openapi.SMS["properties"]
    assert list(described) == [field.encode_name for field in fields]
    assert set(openapi.SMS["required"]) == {"from", "to", "text"}
    assert openapi.SMS["additionalProperties"] is False
    assert (described["text"]["minLength"], described["text"]["maxLength"]) == (1, requests.MAX_BODY)
    assert (described["validity"]["minimum"], described["validity"]["maximum"]) == (60, 2_592_000)
    assert described["to"]["pattern"] == openapi.NUMBER["pattern"]
    assert {"type": "null"} in described["reference"]["anyOf"]


@pytest.mark.parametrize("kind", FIELDS)
def test_an_order_is_described_with_fields_of_its_request_type(kind):
    described = openapi._order_row(kind)["properties"]
    assert set(described) - {"kind"} <= {field.encode_name for field in msgspec.structs.fields(requests.SimOrder)}
