"""Units are plain data: every one of the gateway's can be written, and read again among all others."""

import importlib
import pkgutil
from typing import Union

import msgspec
import pytest

import gateway
from gateway.charging.session_expiry import CloseLost, ExpireSession
from gateway.store.batch import Unit


def leaves(kind):
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    own = [kind] if "decide" in vars(kind) or not below else []
    return own + below


@pytest.fixture(scope="module")
def units():
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
    return sorted({leaf for leaf in leaves(Unit) if leaf.__module__.startswith("gateway.")} - {Unit}, key=str)


def test_there_is_one_type_that_reads_every_unit(units):
    assert len(units) > 30
    read = msgspec.msgpack.Decoder(Union[tuple(units)]).decode  # noqa: UP007  (made of a list)
    for unit in (CloseLost("pgw;1;1", 17), ExpireSession("pgw;1;1")):
        again = read(msgspec.msgpack.encode(unit))
        assert (type(again), again) == (type(unit), unit)


def test_every_unit_says_what_it_touches_and_decides(units):
    for unit in units:
        assert isinstance(unit.touches, tuple), unit
        assert isinstance(unit.alone, bool), unit
        assert unit.decide is not Unit.decide, unit
        assert not unit.touches or unit.keys is not Unit.keys, unit
