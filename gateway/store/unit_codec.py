"""Units and their answers as octets, between the process that posts them and the one that decides them (decision 038).

A unit is tagged by its class. What it answers is not: the type that its `decide` is annotated with says how it is read, and
where that is a union, a number says which of its members. An answer that refuses may be an exception that was not raised: it
crosses as its class, its arguments and its attributes.
"""

import types
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, get_args, get_type_hints

import msgspec

from gateway.store import errors
from gateway.store.batch import Unit
from gateway.store.errors import OutcomeUnknown, StoreError

FAILED: Final = -1
"""In place of an answer's member: it is the code and the words of an error."""


def _write(value: object) -> object:
    if isinstance(value, Exception):
        return value.args, vars(value)
    message = f"{type(value).__name__} cannot cross from one process to another"
    raise NotImplementedError(message)


def _read(kind: type, value: Any) -> object:  # noqa: ANN401  (whatever was read)
    if issubclass(kind, Exception):
        arguments, attributes = value
        refusal: Exception = kind.__new__(kind, *arguments)
        vars(refusal).update(attributes)
        return refusal
    message = f"{kind.__name__} cannot cross from one process to another"
    raise NotImplementedError(message)


encode: Final = msgspec.msgpack.Encoder(enc_hook=_write).encode
"""Writes whatever crosses."""


def decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:  # noqa: ANN401  (a type, or a union of types)
    """Give what reads a type."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_read)


@cache
def answer_types(unit: type[Unit]) -> tuple[Any, ...]:
    """Name what a unit may answer, as its `decide` is annotated; TypeError where that does not say it."""
    annotated = get_type_hints(unit.decide)["return"]
    members = get_args(annotated) if isinstance(annotated, types.UnionType) else (annotated,)
    if Any in members:
        message = f"{unit.__name__}.decide says of nothing what it answers"
        raise TypeError(message)
    return members


@cache
def _classes(unit: type[Unit]) -> tuple[type, ...]:
    return tuple(getattr(member, "__origin__", member) for member in answer_types(unit))


@cache
def _decoders(unit: type[Unit]) -> tuple[Callable[[bytes], Any], ...]:
    return tuple(decoder(member).decode for member in answer_types(unit))


_members: Final[dict[tuple[type, type], int]] = {}
"""What `member_of` has found, by the class of the unit and that of its answer."""


def member_of(unit: type[Unit], answer: object) -> int:
    """Say which of a unit's answers this is; TypeError where it is none."""
    classes = unit, type(answer)
    found = _members.get(classes)
    return _find_member(unit, answer) if found is None else found


def _find_member(unit: type[Unit], answer: object) -> int:
    for number, each in enumerate(_classes(unit)):
        if isinstance(answer, each):
            _members[unit, type(answer)] = number
            return number
    message = f"{unit.__name__} answered with {type(answer).__name__}, which it does not say"
    raise TypeError(message)


def read_answer(unit: type[Unit], member: int, answer: bytes | msgspec.Raw) -> tuple[Any, StoreError | None]:
    """Give a unit's answer and None, or None and why it was not done."""
    if member == FAILED:
        return None, error_of(_read_error(answer))
    try:
        return _decoders(unit)[member](answer), None
    except (msgspec.DecodeError, IndexError) as error:  # it is committed all the same
        return None, OutcomeUnknown(f"the answer of {unit.__name__} cannot be read: {error}")


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """A StoreError as it crosses."""

    code: str
    words: str


def failure(error: StoreError) -> Failure:
    """Write an error down."""
    return Failure(error.code, str(error))


_read_error = msgspec.msgpack.Decoder(Failure).decode


def _kinds(kind: type[StoreError]) -> Iterable[type[StoreError]]:
    yield kind
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _kinds(each)


_BY_CODE: Final = {kind.code: kind for kind in _kinds(StoreError)}


def error_of(found: Failure) -> StoreError:
    """Give the error that was written down."""
    return _BY_CODE.get(found.code, StoreError)(found.words)
