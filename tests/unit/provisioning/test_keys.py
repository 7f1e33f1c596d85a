"""A card's keys never print themselves."""

import copy
import json
import pickle
import traceback

import msgspec
import pytest

from provisioning.errors import IdentifierInvalid
from provisioning.hosts.interface import HostLine
from provisioning.keys import SIZE, Keys

KI, OPC = bytes(range(SIZE)), bytes(range(100, 100 + SIZE))
CANARIES = (KI.hex(), OPC.hex(), repr(KI)[2:-1], repr(OPC)[2:-1], str(list(KI))[1:-1])


def silent(text):
    return not any(canary in text or canary.upper() in text for canary in CANARIES)


@pytest.fixture
def keys():
    return Keys(KI, OPC)


def test_keys_are_silent_in_every_form_of_text(keys):
    line = HostLine("8944100000000000018", "001010000000001", "gold", keys)
    seen = f"{keys} {keys!r} {keys!s} {keys:>40} {[keys]} {line} {line!r} %s" % keys
    assert silent(seen)
    assert seen.count("Keys(********)") == 8


def test_keys_are_silent_in_an_error_that_carries_them(keys):
    try:
        raise LookupError(keys)
    except LookupError:
        told = traceback.format_exc()
    assert "Keys(********)" in told
    assert silent(told)


def test_keys_can_be_neither_pickled_nor_copied_nor_written_as_json(keys):
    for way in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError) as caught:
            way(keys)
        assert silent(str(caught.value))


def test_keys_are_packed_and_unpacked(keys):
    packed = keys.pack()
    assert packed == KI + OPC
    again = Keys.unpack(packed)
    assert (again.ki, again.opc) == (KI, OPC)


def test_keys_are_equal_by_both_and_to_no_other_thing(keys):
    assert keys == Keys(KI, OPC)
    assert hash(keys) == hash(Keys(KI, OPC))
    assert keys != Keys(OPC, KI)
    assert keys != Keys(KI, KI)
    assert keys != KI + OPC


@pytest.mark.parametrize(("ki", "opc"), [(KI[1:], OPC), (KI, OPC + b"x"), (b"", b""), (KI + OPC, b"")])
def test_keys_of_another_size_are_refused_without_a_word_of_them(ki, opc):
    with pytest.raises(IdentifierInvalid) as caught:
        Keys(ki, opc)
    assert caught.value.code == "identifier.key"
    assert silent(str(caught.value))


@pytest.mark.parametrize("packed", [b"", KI, KI + OPC + b"x"])
def test_a_packed_piece_of_another_size_is_refused(packed):
    with pytest.raises(IdentifierInvalid):
        Keys.unpack(packed)
