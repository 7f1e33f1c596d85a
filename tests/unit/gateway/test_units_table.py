"""The table of units that the lane's process can read has each of them, and each says what it answers."""

import importlib
import pkgutil

import msgspec

import gateway
from gateway.store import unit_codec
from gateway.store.batch import Unit
from gateway.units import ANY_UNIT, UNITS


def _concrete(kind):
    for each in kind.__subclasses__():
        if each.__module__.startswith("gateway."):
            yield each
            yield from _concrete(each)


def test_every_unit_of_the_gateway_is_in_the_table():
    for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if ".migrations" not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    concrete = {kind for kind in _concrete(Unit) if not kind.__subclasses__()}
    assert concrete - set(UNITS) == set()
    assert set(UNITS) <= set(_concrete(Unit))


def test_every_unit_says_what_it_answers_in_types_that_can_be_read():
    for kind in UNITS:
        for member in unit_codec.answer_types(kind):
            unit_codec.decoder(member)


def test_units_are_told_apart_by_their_tags():
    msgspec.msgpack.Decoder(ANY_UNIT)
    assert len({kind.__name__ for kind in UNITS}) == len(UNITS)
