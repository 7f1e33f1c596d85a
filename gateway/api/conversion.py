"""Conversion of a JSON object to an action's request type: done once, as it comes in, and refused in the interface's own words.

Only what this module refuses is a client's mistake in form; any other error behind it is a failure of the gateway.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import inspect

from gateway.api.problems import Problem, bad_request

Request = TypeVar("Request", bound=msgspec.Struct)

CODE: Final = "code"
WANTED: Final = "wanted"
"""What `msgspec.Meta(extra=...)` of a field may say: the stable code of its refusal, and what to give, in words."""


def refused_as(code: str, wanted: str = "") -> dict[str, str]:
    """Write the `extra` of a field that has a code, and perhaps words, of its own."""
    return {CODE: code} | ({WANTED: wanted} if wanted else {})


def to_request(given: object, kind: type[Request], where: str = "") -> Request:
    """Convert a JSON object; Problem names the first field that is not as it should be, and what is wanted there.

    Nothing is made of another kind: "5" is no number; 5.0 is a whole one (JSON Schema 2020-12 §4.2.3). A null says as much as
    a field left out, but in a type with `NULL_IS_ABSENT = False`, which takes a null only where it says so. `where` is what
    of a body the object is.
    """
    if not isinstance(given, Mapping):
        raise bad_request(_object_code(kind), f"{where or 'the body'}: give an object with {_names(kind)}")
    nulls = not getattr(kind, "NULL_IS_ABSENT", True)
    said = {name: _whole(value) for name, value in given.items() if nulls or value is not None}
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError:
        raise _refusal(said, kind, f"{where}." if where else "") from None


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refusal(said: Mapping[str, object], kind: type[msgspec.Struct], place: str) -> Problem:
    """Look for the field at fault by converting each alone, so that no words of the library are read."""
    fields = msgspec.structs.fields(kind)
    for field in fields:
        name = field.encode_name
        if name in said:
            if not _fits(said[name], field.type):
                return _wrong(place + name, field.type)
        elif field.required:
            return _wrong(place + name, field.type)
    unknown = sorted(set(said) - {field.encode_name for field in fields})
    detail = f"{place}{''.join(unknown[:1])[:32]}: there is no such field; there are: {_names(kind)}"
    return bad_request(_object_code(kind), detail)


def codes_of(kind: type[msgspec.Struct]) -> list[str]:
    """Return the codes of all refusals of this type."""
    fields = [wanted(field.type)[0] for field in msgspec.structs.fields(kind)]
    return list(dict.fromkeys([_object_code(kind), *fields]))


def _object_code(kind: type[msgspec.Struct]) -> str:
    """Return the code of what is no object of this type: `OBJECT_CODE` of the type, if it has one."""
    return str(getattr(kind, "OBJECT_CODE", "params.invalid"))


def _names(kind: type[msgspec.Struct]) -> str:
    return ", ".join(field.encode_name for field in msgspec.structs.fields(kind)) or "no field"


def _fits(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _wrong(name: str, kind: object) -> Problem:
    code, words = wanted(kind)
    return bad_request(code, f"{name}: give {words}")


def wanted(kind: object) -> tuple[str, str]:
    """Return the code of a refusal, and what a value of this type is in words; TypeError for a type that has none."""
    info, own = _unwrapped(inspect.type_info(kind))
    code = "params.text" if isinstance(info, inspect.StrType) else "params.invalid"
    return own.get(CODE, code), own.get(WANTED) or _words(info)


def _unwrapped(info: inspect.Type) -> tuple[inspect.Type, dict[str, str]]:
    """Return a type without what is said of it, and what is said; of one that may be null that of the other half."""
    match info:
        case inspect.Metadata(type=inner):
            bare, said = _unwrapped(inner)
            return bare, {**said, **(info.extra or {})}
        case inspect.UnionType(types=(inner, inspect.NoneType())):
            return _unwrapped(inner)
    return info, {}


UNMASKED: Final = 1_000_000
"""A problem's words masks numbers of more digits, as they may be somebody's: a bound that is as large is said otherwise."""


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.StrType(min_length=least, max_length=int(most)):
            return f"a text of {least} to {most} characters" if least else f"a text of at most {most} characters"
        case inspect.IntType(ge=int(least), le=int(most)):
            if most < UNMASKED:
                return f"a whole number from {least} to {most}"
            digits = f"of at most {len(str(most)) - 1} digits"  # so many are within the bound, whatever they are
            return f"a whole number {digits}" if least < 0 else f"a whole number from {least} on, {digits}"
        case inspect.BoolType():
            return "true or false"
        case inspect.EnumType(cls=members):
            return f"one of {', '.join(str(member.value) for member in members)}"
    raise TypeError(f"{info}: say in the field's Meta(extra=...) what is wanted")
