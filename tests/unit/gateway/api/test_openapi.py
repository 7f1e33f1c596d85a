"""The description by itself: every route is complete, what it points at is there."""

import pytest

from gateway.api.openapi import ROUTES, codes, document


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
