"""Turn pydantic's findings into sentences for the person who edits the file."""

from __future__ import annotations

import re
from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

import msgspec
from pydantic import BaseModel, ValidationError

from gateway.settings.problems import KeyPath, Problem, Severity, did_you_mean, dotted, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gateway.settings.yaml_loader import Document


class Report:
    """Collects the problems of one document; says nothing about what the loader has refused already."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = list(document.problems)

    def error(self, path: KeyPath, message: str, *, at_key: bool = False) -> None:
        """Add what keeps the gateway from starting."""
        self._add(path, message, Severity.ERROR, at_key=at_key)

    def warn(self, path: KeyPath, message: str, *, at_key: bool = False) -> None:
        """Add what deserves a look."""
        self._add(path, message, Severity.WARNING, at_key=at_key)

    def _add(self, path: KeyPath, message: str, severity: Severity, *, at_key: bool) -> None:
        if any(path[: len(broken)] == broken for broken in self.document.broken):
            return
        line = self.document.line(path, of_key=at_key)
        self.problems.append(Problem(self.document.file, line, dotted(path) or "file", message, severity))


def explain(report: Report, shape: Any, error: ValidationError, prefix: KeyPath = ()) -> None:  # noqa: ANN401  (a type expression)
    """Add one problem for each finding; `shape` is the type that was validated, `prefix` where it stands."""
    findings = [(finding, _place(shape, finding["loc"])) for finding in error.errors(include_url=False)]
    misspelt: set[KeyPath] = set()
    for finding, place in findings:
        if finding["type"] == "extra_forbidden":
            misspelt.add(_unknown_key(report, place, prefix))
    for finding, place in findings:
        path = (*prefix, *place.path)
        match finding["type"]:
            case "extra_forbidden":
                continue
            case "missing":
                # Where `windwo` was taken for `window`, that `window` is missing is no second mistake.
                if place.path not in misspelt:
                    _missing(report, path, place)
            case "union_tag_not_found":
                report.error((*path, _discriminator(finding)), "is required", at_key=True)
            case "union_tag_invalid":
                known, given = finding["ctx"]["expected_tags"].split(", "), finding["ctx"]["tag"]
                hint = did_you_mean(given, [tag.strip("'") for tag in known])
                report.error((*path, _discriminator(finding)), f"must be {' or '.join(known)}{hint}")
            case _:
                report.error(path, _sentence(finding), at_key="[key]" in finding["loc"])


class _Place(msgspec.Struct, frozen=True):
    """Where a finding is: its keys, the model that has the last one and, of a model among several, what it was chosen by."""

    path: KeyPath
    model: type[BaseModel] | None
    others: tuple[type[BaseModel], ...] = ()
    chosen_by: tuple[str, str] | None = None


def _place(shape: Any, loc: tuple[int | str, ...]) -> _Place:  # noqa: ANN401  (a type expression)
    """Go along a finding's location; pydantic names there which model of several was chosen, and we do not."""
    place = _Place((), _model_in(shape))
    for part in loc:
        if part == "[key]":
            continue
        variants = _variants(shape)
        if part in variants:
            shape = variants[str(part)]
            others = tuple(model for model in variants.values() if model is not shape)
            field = next(name for name, info in shape.model_fields.items() if part in get_args(info.annotation))
            place = _Place(place.path, shape, others, (field, str(part)))
            continue
        if place.model is not _model_in(shape):
            place = _Place(place.path, _model_in(shape))
        place = msgspec.structs.replace(place, path=(*place.path, part))
        shape = _inside(shape, part)
    return place


def _inside(shape: Any, part: int | str) -> Any:  # noqa: ANN401  (a type expression)
    if get_origin(_bare(shape)) in {list, dict}:
        return get_args(_bare(shape))[-1]
    model = _model_in(shape)
    field = model.model_fields.get(str(part)) if model is not None else None
    return None if field is None else field.annotation


def _variants(shape: Any) -> dict[str, type[BaseModel]]:  # noqa: ANN401  (a type expression)
    """Return the models of a union that is told apart by a key, by the values of that key."""
    if get_origin(shape) is not Annotated:
        return {}
    keys = [info.discriminator for info in get_args(shape)[1:] if getattr(info, "discriminator", None)]
    models = get_args(_bare(shape))
    return {get_args(model.model_fields[key].annotation)[0]: model for key in keys for model in models}


def _discriminator(finding: ErrorDetails) -> str:
    return str(finding["ctx"]["discriminator"]).strip("'")


def _missing(report: Report, path: KeyPath, place: _Place) -> None:
    if place.chosen_by is None:
        report.error(path, "is required", at_key=True)
    else:
        report.error(path[:-1], f"needs {path[-1]}: its {place.chosen_by[0]} is {place.chosen_by[1]}")


def _unknown_key(report: Report, place: _Place, prefix: KeyPath) -> KeyPath:
    """Add the problem, and give the path of the key that was meant, as far as it can be told."""
    *parent, last = place.path
    word, known = str(last), list(place.model.model_fields) if place.model else []
    if place.chosen_by is not None and any(word in other.model_fields for other in place.others):
        report.error((*prefix, *place.path), f"is not for an {place.chosen_by[0]} {place.chosen_by[1]}")
        return place.path
    report.error((*prefix, *place.path), f"unknown key{did_you_mean(word, known)}", at_key=True)
    return (*parent, nearest(word, known) or word)


def _bare(shape: Any) -> Any:  # noqa: ANN401  (a type expression)
    while get_origin(shape) is Annotated:
        shape = get_args(shape)[0]
    return shape


def _model_in(shape: Any) -> type[BaseModel] | None:  # noqa: ANN401  (a type expression)
    """Find the model inside `list[M]`, `dict[str, M]`, `M | None` and `Annotated[M, ...]`."""
    shape = _bare(shape)
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return shape
    if get_origin(shape) in {list, dict} or isinstance(shape, UnionType):
        return next(filter(None, map(_model_in, get_args(shape))), None)
    return None


_DIGITS: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_SENTENCES: Final = {
    "int_type": "must be a whole number, not {given}",
    "bool_type": "must be true or false, not {given}",
    "decimal_type": "must be a number, not {given}",
    "list_type": "must be a list, not {given}",
    "model_attributes_type": "must be a mapping of keys and values, not {given}",
    "model_type": "must be a mapping of keys and values, not {given}",
    "dict_type": "must be a mapping of keys and values, not {given}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}{hint}",
    # Lists and mappings are bounded from below by one entry only.
    "too_short": "must not be empty",
}


def _sentence(finding: ErrorDetails) -> str:
    kind, value, context = finding["type"], finding["input"], finding.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_type":
        return _quote_it(value)
    if kind == "int_type" and isinstance(value, str) and _DIGITS.fullmatch(value):
        return "must be a whole number of at most 18 digits, without quotes and without zeros in front"
    template = _SENTENCES.get(kind)
    if template is None:
        return finding["msg"]
    hint = ""
    if kind == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, context["expected"].replace("'", "").replace(" or ", ", ").split(", "))
    return template.format(given=_kind(value), hint=hint, **context)


def _quote_it(value: object) -> str:
    if isinstance(value, int | Decimal):
        plain = str(value).lower() if isinstance(value, bool) else str(value)
        return f'must be text; write it in quotes: "{plain}"'
    return f"must be text, not {_kind(value)}"


def _kind(value: object) -> str:
    """Name the kind of a value without showing it: it may be a secret in the wrong place."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | Decimal():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"
