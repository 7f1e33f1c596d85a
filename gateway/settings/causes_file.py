"""Read causes.yaml: whom customers may give to, with the number that an auditor can look up."""

import re
from typing import Final, Literal

from pydantic import model_validator

from gateway.charity.causes import Cause
from gateway.settings.sections import Section
from gateway.settings.values import Country, Id, Text

_NUMBERS: Final = {
    "GB-CHC": (re.compile(r"[0-9]{6,7}", re.ASCII), "288701"),
    "GB-SC": (re.compile(r"SC[0-9]{6}", re.ASCII), "SC039479"),
    "US-EIN": (re.compile(r"[0-9]{2}-[0-9]{7}", re.ASCII), "36-3673599"),
}


class CauseEntry(Section):
    """One cause of causes.yaml, under its id."""

    name: Text
    country: Country
    regulator: Literal["GB-CHC", "GB-SC", "US-EIN", ""] = ""
    number: str = ""
    open: bool = True

    @model_validator(mode="after")
    def _number_fits_regulator(self) -> "CauseEntry":
        if self.number and not self.regulator:
            message = "has a number but no regulator"
            raise ValueError(message)
        if self.number:
            form, example = _NUMBERS[self.regulator]
            if not form.fullmatch(self.number):
                message = f"the number is not one of regulator {self.regulator}: it looks like {example}"
                raise ValueError(message)
        return self

    def cause(self, cause_id: str) -> Cause:
        """Return the cause that the ledger accrues to."""
        return Cause(cause_id, self.name, self.country, self.regulator, self.number, self.open)


CAUSES_FILE: Final = dict[Id, CauseEntry]
"""The shape of causes.yaml: each cause under its id."""


def causes_from(entries: dict[str, CauseEntry]) -> dict[str, Cause]:
    """Turn validated entries into causes by id."""
    return {cause_id: entry.cause(cause_id) for cause_id, entry in entries.items()}
