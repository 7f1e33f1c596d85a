"""Turn pydantic's findings into sentences for the person who edits the file."""

from __future__ import annotations

from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

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
    findings = error.errors(include_url=False)
    misspelt: set[KeyPath] = set()
    for finding in findings:
        if finding["type"] == "extra_forbidden":
            misspelt.add(_unknown_key(report, shape, finding, prefix))
    for finding in findings:
        path = _path(finding)
        if finding["type"] == "missing":
            # Where `windwo` was taken for `window`, that `window` is missing is no second mistake.
            if path not in misspelt:
                report.error((*prefix, *path), "is required", at_key=True)
        elif finding["type"] != "extra_forbidden":
            report.error((*prefix, *path), _sentence(finding), at_key="[key]" in finding["loc"])


def _path(finding: ErrorDetails) -> KeyPath:
    return tuple(part for part in finding["loc"] if part != "[key]")


def _unknown_key(report: Report, shape: Any, finding: ErrorDetails, prefix: KeyPath) -> KeyPath:  # noqa: ANN401  (a type expression)
    path = _path(finding)
    parent, word = path[:-1], str(path[-1])
    known = keys_of(shape, parent)
    report.error((*prefix, *path), f"unknown key{did_you_mean(word, known)}", at_key=True)
    return (*parent, nearest(word, known) or word)


def keys_of(shape: Any, path: KeyPath) -> list[str]:  # noqa: ANN401  (a type expression)
    """Return the keys that a mapping may have: the fields of the model that stands at `path` inside `shape`."""
    for part in path:
        model = _model_in(shape)
        if model is None:
            return []
        if get_origin(_bare(shape)) in {list, dict}:
            shape = get_args(_bare(shape))[-1]
        else:
            shape = model.model_fields[str(part)].annotation
    model = _model_in(shape)
    return list(model.model_fields) if model else []


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


_SENTENCES: Final = {
    "int_type": "must be a whole number, not {given}",
    "bool_type": "must be true or false, not {given}",
    "decimal_type": "must be a number, not {given}",
    "list_type": "must be a list, not {given}",
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
