"""The description by itself: every route is complete, what it points at is there."""

import msgspec
import openapi_spec_validator
import pytest

from gateway.api import conversion
from gateway.api.actions.order_fields import FIELDS
from gateway.api.conversion import codes_of
from gateway.api.described_routes import ROUTES, _order_rows
from gateway.api.openapi import codes, document
from gateway.api.requests.orders import SimOrder
from gateway.api.requests.texts import MAX_BODY, SendText
from gateway.messaging.texts import TextState
from provisioning.orders import Kind, OrderState


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


def test_the_description_is_openapi_as_the_specification_has_it():
    openapi_spec_validator.validate(document())


@pytest.mark.parametrize("kind", [route.answer for route in ROUTES if route.answer not in (None, str, dict, bytes)])
def test_an_answer_is_described_with_the_fields_of_its_type_and_those_that_may_be_null(kind):
    schema = document()["components"]["schemas"][kind.__name__]
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    assert list(schema["properties"]) == schema["required"] == list(fields)
    nullable = {name for name, field in fields.items() if conversion._fits(None, field)}
    assert {
        name for name, each in schema["properties"].items() if {"type": "null"} in each.get("anyOf", ())
    } == nullable


def test_states_and_times_are_described_as_what_they_are():
    schemas = document()["components"]["schemas"]
    assert set(schemas["TextState"]["enum"]) == set(TextState)
    assert schemas["TextView"]["properties"]["state"] == {"$ref": "#/components/schemas/TextState"}
    assert set(schemas["OrderState"]["enum"]) == set(OrderState)
    assert schemas["OrderView"]["properties"]["created_at"] == {"type": "string", "format": "date-time"}
    assert schemas["TakenText"]["properties"]["state"]["enum"] == ["queued"]


def test_a_route_may_refuse_with_each_code_of_its_request():
    for route in ROUTES:
        if route.request is not None:
            assert {"params.invalid", "body.json", *codes_of(route.request)} <= set(codes(route)[400])
    assert {"sms.fields", "sms.address", "sms.text", "sms.validity"} <= set(codes_of(SendText))


def test_a_text_to_be_sent_is_described_with_the_fields_and_bounds_of_its_request_type():
    fields = msgspec.structs.fields(SendText)
    schema = document()["components"]["schemas"]["SendText"]
    described = schema["properties"]
    assert list(described) == [field.encode_name for field in fields]
    assert set(schema["required"]) == {"from", "to", "text"}
    assert schema["additionalProperties"] is False
    assert (described["text"]["minLength"], described["text"]["maxLength"]) == (1, MAX_BODY)
    assert (described["validity"]["minimum"], described["validity"]["maximum"]) == (60, 2_592_000)
    assert (described["from"]["format"], described["to"]["format"]) == ("sender", "recipient")
    assert {"type": "null"} in described["reference"]["anyOf"]


@pytest.mark.parametrize("kind", FIELDS)
def test_an_order_is_described_with_fields_of_its_request_type(kind):
    rows = _order_rows(kind)
    assert len(rows) == (2 if kind is Kind.ACTIVATE else 1)
    described = {name for row in rows for name in row["properties"]}
    assert described - {"kind"} <= {field.encode_name for field in msgspec.structs.fields(SimOrder)}
