"""Load a configuration whole: gateway.yaml, plans.yaml, causes.yaml, keywords.yaml and taxes.yaml, or every reason why not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from pydantic import TypeAdapter, ValidationError

from gateway.charity.causes import Cause
from gateway.messaging.keywords.catalogue import KeywordBook
from gateway.rating.plan_history import PlanHistory
from gateway.rating.plans import Plan
from gateway.rating.taxes import Jurisdiction
from gateway.settings.causes_file import CAUSES_FILE, causes_from
from gateway.settings.checks.found import Found
from gateway.settings.checks.table import CHECKS
from gateway.settings.error_messages import Report, explain
from gateway.settings.keywords_file import KEYWORDS_FILE, check_keywords, keywords_from
from gateway.settings.own_files import check_files
from gateway.settings.plans_file import PLANS_FILE, plans_from
from gateway.settings.problems import ConfigInvalid, Problem, Severity, did_you_mean
from gateway.settings.sections.api import Api
from gateway.settings.sections.bills import Bills
from gateway.settings.sections.charging import Charging
from gateway.settings.sections.charity import Charity
from gateway.settings.sections.diameter import Diameter
from gateway.settings.sections.events import Events
from gateway.settings.sections.fraud import Fraud
from gateway.settings.sections.messaging import Messaging
from gateway.settings.sections.notices import Notices
from gateway.settings.sections.operator import Operator
from gateway.settings.sections.privacy import Privacy
from gateway.settings.sections.provisioning import Provisioning
from gateway.settings.sections.retention import Retention
from gateway.settings.sections.smpp import Smpp
from gateway.settings.sections.store import Store
from gateway.settings.taxes_file import TAXES_FILE, taxes_from
from gateway.settings.top_level import FILES, REQUIRED, SECTIONS
from gateway.settings.values import Reading
from gateway.settings.yaml_loader import load_file

Entries = TypeVar("Entries")


class Settings(msgspec.Struct, frozen=True):
    """A valid configuration; relative paths in it are resolved from `folder`, the folder of `file`."""

    file: Path
    folder: Path
    operator: Operator
    store: Store
    api: Api
    smpp: Smpp
    messaging: Messaging
    diameter: Diameter | None
    charging: Charging
    notices: Notices
    fraud: Fraud
    bills: Bills
    provisioning: Provisioning
    events: Events
    charity: Charity
    privacy: Privacy
    retention: Retention
    plans: dict[str, Plan]
    causes: dict[str, Cause]
    keywords: dict[str, KeywordBook]
    taxes: dict[str, Jurisdiction]
    warnings: list[Problem]
    history: PlanHistory | None = None
    """The plans by their versions in the store, as they are and as they were (gateway.versions); no file has them."""


def load(path: Path | str, environ: Mapping[str, str] = os.environ, *, for_client: bool = False) -> Settings:
    """Read and check the configuration at `path`.

    Raises ConfigInvalid with all problems at once. `environ` is where `{env: NAME}` secrets come from.
    With `for_client` no secret is read, and what only the gateway itself must be able to do isn't checked.
    """
    path = Path(path)
    return _Loading(path, Reading(path.resolve().parent, environ, for_client)).settings()


OPTIONAL: Final = ("keywords", "taxes")
"""Files for who wants them; without plans or causes hardly anything works."""


class _Loading:
    """One load: the main file's report, what was found, and the problems of every file."""

    def __init__(self, path: Path, context: Reading) -> None:
        self.path = path
        self.context = context
        self.report = Report(load_file(path))
        self.file_reports: dict[str, Report] = {}
        value = self.report.document.value
        self.raw: dict[str, Any] = value if isinstance(value, dict) else {}
        self.found = Found(folder=context.folder, files={"file": path})

    def settings(self) -> Settings:
        if not self.report.document.unreadable:
            self._check()
        problems = [problem for report in (self.report, *self.file_reports.values()) for problem in _in_order(report)]
        if any(problem.severity is Severity.ERROR for problem in problems):
            raise ConfigInvalid(problems)
        found = {name: getattr(self.found, name) for name in (*SECTIONS, *FILES)}
        return Settings(file=self.path, folder=self.context.folder, warnings=problems, **found)

    def _check(self) -> None:
        value = self.report.document.value
        if not isinstance(value, dict):
            self.report.error((), "must be a mapping with the sections operator, store and api")
            return
        self._check_keys()
        for name in SECTIONS:
            self._section(name)
        self.found.plans = self._file("plans", PLANS_FILE, plans_from)
        self.found.causes = self._file("causes", CAUSES_FILE, causes_from)
        self.found.keywords = self._file("keywords", KEYWORDS_FILE, keywords_from)
        self.found.taxes = self._file("taxes", TAXES_FILE, taxes_from)
        if self.context.for_client:
            return
        for check in (*CHECKS, check_files):
            check(self.found, self.report)
        if "keywords" in self.file_reports:
            check_keywords(self.found, self.file_reports["keywords"])

    def _check_keys(self) -> None:
        known = (*SECTIONS, *FILES)
        for name in self.raw:
            if name not in known:
                self.report.error((name,), f"unknown key{did_you_mean(name, known)}", at_key=True)
        for name in REQUIRED:
            if name not in self.raw:
                self.report.error((name,), "is required")

    def _section(self, name: str) -> None:
        model, value = SECTIONS[name], self.raw.get(name)
        if name not in self.raw and (name in REQUIRED or name == "diameter"):
            return
        try:
            section = model.model_validate({} if value is None else value, context=self.context)
        except ValidationError as error:
            explain(self.report, model, error, (name,))
        else:
            setattr(self.found, name, section)

    def _file(self, name: str, shape: Any, convert: Callable[[Any], Entries]) -> Entries | None:  # noqa: ANN401  (a type expression)
        value = self.raw.get(name, f"{name}.yaml")
        if not isinstance(value, str) or not value:
            self.report.error((name,), "must be the path of a YAML file")
            return None
        path = self.path.parent / value
        if name == "taxes" and name not in self.raw and "plans" in self.found.files:
            path = self.found.files["plans"].with_name(value)  # plans and the taxes that they speak of lie together
        if name not in self.raw and not path.exists():
            if name not in OPTIONAL:
                self.report.warn((name,), f"there are none: the key is left out, and there is no {path}")
            return convert({})
        if not path.is_file():
            self.report.error((name,), f"there is no file {path}")
            return None
        self.found.files[name] = path
        self.file_reports[name] = Report(load_file(path))
        return self._entries(self.file_reports[name], shape, convert)

    def _entries(self, report: Report, shape: Any, convert: Callable[[Any], Entries]) -> Entries | None:  # noqa: ANN401  (a type expression)
        entries: Entries | None = None
        if not report.document.unreadable:
            try:
                entries = convert(_adapter(shape).validate_python(report.document.value, context=self.context))
            except ValidationError as error:
                explain(report, shape, error)
        return entries


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:  # noqa: ANN401  (a type expression)
    """Return what checks a file of this shape; to make one takes longer than to read the file."""
    return TypeAdapter(shape)


def _in_order(report: Report) -> list[Problem]:
    return sorted(report.problems, key=lambda problem: problem.line)
